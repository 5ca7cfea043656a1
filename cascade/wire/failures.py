"""What a failed call means: from status, codes and body to one of the ``Kind``s.

Codes decide before words, words before the status, so that a 429 that no waiting cures is not
taken for one that waiting does. Of what a provider writes, messages quote a short piece without
anything that looks like a key; request headers are never seen here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from cascade.types import Kind
from cascade.wire.error_body import ErrorBody, quoted, read_error

__all__ = ["CallFailure", "Malformed", "classify", "failure_of", "retry_after"]


class CallFailure(Exception):
    """One call failed. Raised by codecs and providers; the engine makes an event of it.

    Attributes:
        kind: what went wrong.
        message: why, for people; short, without keys.
        retry_after: seconds the provider asks to wait, None where it asks for nothing.
    """

    def __init__(self, kind: Kind, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = retry_after


class Malformed(CallFailure):
    """The answer is not what the protocol allows."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.MALFORMED, message)


# What these say holds whatever the status is.
_BY_LABEL: dict[str, Kind] = {
    "insufficient_quota": Kind.QUOTA,
    "credit_balance_exhausted": Kind.QUOTA,
    "organization_usage_limit_exceeded": Kind.QUOTA,
    "enforced_spend_limit_reached": Kind.QUOTA,
    "billing_hard_limit_reached": Kind.QUOTA,
    "billing_not_active": Kind.QUOTA,
    "billing_error": Kind.QUOTA,
    "context_length_exceeded": Kind.TOO_LONG,
    "exceed_context_size_error": Kind.TOO_LONG,
    "request_too_large": Kind.TOO_LONG,
    "string_above_max_length": Kind.TOO_LONG,
    "content_filter": Kind.FILTERED,
    "content_policy": Kind.FILTERED,
    "content_policy_violation": Kind.FILTERED,
    "responsibleaipolicyviolation": Kind.FILTERED,
    "moderation_blocked": Kind.FILTERED,
    "invalid_prompt": Kind.FILTERED,
    "unsupported_parameter": Kind.UNSUPPORTED,
    "unsupported_value": Kind.UNSUPPORTED,
    "unknown_parameter": Kind.UNSUPPORTED,
    "model_not_found": Kind.MISSING,
    "deploymentnotfound": Kind.MISSING,
    "invalid_api_key": Kind.AUTH,
    "api_key_invalid": Kind.AUTH,
}
# What these say is vaguer than a status: they count where there is none, inside a 200.
_BY_VAGUE_LABEL: dict[str, Kind] = {
    "rate_limit_exceeded": Kind.LIMITED,
    "rate_limit_error": Kind.LIMITED,
    "resource_exhausted": Kind.LIMITED,
    "overloaded_error": Kind.OVERLOADED,
    "overloaded": Kind.OVERLOADED,
    "engine_overloaded": Kind.OVERLOADED,
    "unavailable_error": Kind.OVERLOADED,
    "server_error": Kind.UNAVAILABLE,
    "internal_error": Kind.UNAVAILABLE,
    "internal_server_error": Kind.UNAVAILABLE,
    "internalservererror": Kind.UNAVAILABLE,
    "api_error": Kind.UNAVAILABLE,
    "timeout": Kind.UNAVAILABLE,
    "authentication_error": Kind.AUTH,
    "permission_error": Kind.AUTH,
    "not_found_error": Kind.MISSING,
    "invalid_request_error": Kind.CALLER,
    "badrequesterror": Kind.CALLER,
}
_BY_STATUS: dict[int, Kind] = {
    401: Kind.AUTH,
    402: Kind.QUOTA,
    403: Kind.AUTH,
    404: Kind.MISSING,
    405: Kind.MISSING,
    407: Kind.AUTH,
    408: Kind.UNAVAILABLE,  # their clock, not ours: trying again is right
    409: Kind.UNAVAILABLE,
    410: Kind.MISSING,
    413: Kind.TOO_LONG,
    424: Kind.UNAVAILABLE,
    425: Kind.UNAVAILABLE,
    429: Kind.LIMITED,
    499: Kind.UNAVAILABLE,
    503: Kind.OVERLOADED,
    529: Kind.OVERLOADED,
}
# Servers without codes say it in words. Read only where the status leaves the cause open.
_WORDS: tuple[tuple[str, Kind], ...] = (
    ("maximum context length", Kind.TOO_LONG),
    ("context window", Kind.TOO_LONG),
    ("context size", Kind.TOO_LONG),
    ("prompt is too long", Kind.TOO_LONG),
    ("api key not valid", Kind.AUTH),
    ("does not support", Kind.UNSUPPORTED),
    ("unsupported parameter", Kind.UNSUPPORTED),
)
_OPEN_STATUS = frozenset({400, 422, 500})


def classify(status: int, headers: Mapping[str, str], body: bytes, now: float) -> CallFailure:
    """Tell what an HTTP answer other than a 200 means.

    ``headers`` are the response's, ``now`` is Unix time in seconds (for a Retry-After that is a
    date).
    """
    error = read_error(body)
    kind = _kind(status, error)
    return CallFailure(kind, _message(f"HTTP {status}", kind, error), retry_after(headers, now))


def failure_of(body: bytes, otherwise: Kind) -> CallFailure:
    """Tell what an error object inside a 200 means; ``otherwise`` where it does not say."""
    error = read_error(body)
    kind = (
        _labelled(error, _BY_LABEL)
        or _worded(error)
        or (_kind(error.number, error) if error.number and 400 <= error.number <= 599 else None)
        or _labelled(error, _BY_VAGUE_LABEL)
        or otherwise
    )
    return CallFailure(kind, _message("an error inside a 200", kind, error))


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read how many seconds the provider asks to wait, from ``retry-after-ms`` (milliseconds)
    or ``retry-after`` (seconds or a date); None where it asks nothing that can be read."""
    found = {name.lower(): value.strip() for name, value in headers.items()}
    milliseconds = _number(found.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = found.get("retry-after")
    if not text:
        return None
    seconds = _number(text)
    return seconds if seconds is not None else _until(text, now)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _until(date: str, now: float) -> float | None:
    from datetime import UTC
    from email.utils import parsedate_to_datetime  # rarely needed, and slow to import

    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):  # it is no date
        return None
    return max(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now, 0.0)


def _kind(status: int, error: ErrorBody) -> Kind:
    kind = _labelled(error, _BY_LABEL)
    if kind is not None:
        return kind
    if status in _OPEN_STATUS and (kind := _worded(error)) is not None:
        return kind
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 400 <= status < 500:
        return Kind.CALLER
    if status >= 500:
        return Kind.UNAVAILABLE
    if 300 <= status < 400:
        return Kind.MISSING  # a redirect: the address is another one, and keys do not follow it
    return Kind.MALFORMED


def _worded(error: ErrorBody) -> Kind | None:
    said = error.message.lower()
    return next((meaning for words, meaning in _WORDS if words in said), None)


def _labelled(error: ErrorBody, table: dict[str, Kind]) -> Kind | None:
    for label in error.labels:
        if label.endswith("spend_limit_exceeded"):
            return Kind.QUOTA
        if label in table:
            return table[label]
    return None


def _message(where: str, kind: Kind, error: ErrorBody) -> str:
    first = next(iter(error.labels), "")[:60]
    label = f" ({first})" if first and first.isprintable() else ""
    said = quoted(error, about_keys=kind is Kind.AUTH)
    return f"{where}{label}: {said}" if said else f"{where}{label}, without a readable reason"

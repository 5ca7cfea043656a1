"""What a failed call means: its kind, how long to wait, how long the prompt was.

Of what a provider writes, messages quote a short piece without anything that looks like a key;
request headers are never seen here.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cascade.types import Kind, RateLimits, Response
from cascade.wire.causes import kind_inside, kind_of, prompt_size
from cascade.wire.error_body import ErrorBody, read_error
from cascade.wire.limits import rate_limits, reset_wait
from cascade.wire.quoting import first_label, quoted
from cascade.wire.waits import said_wait, seconds, until

__all__ = ["CallFailure", "CutOff", "Malformed", "classify", "failure_of", "retry_after"]


class CallFailure(Exception):
    """One call failed. Raised by codecs and providers; the engine makes an event of it.

    Attributes:
        kind: what went wrong.
        message: why, for people; short, without keys.
        retry_after: seconds the provider asks to wait, None where it asks for nothing. It is
            finite and at least 0, and may be absurdly long: whoever waits bounds it.
        needs: the prompt's size in tokens, where the provider found it too long and says so.
        limits: what is left of the endpoint's allowances, where its headers told.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        retry_after: float | None = None,
        needs: int | None = None,
        limits: RateLimits | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = retry_after
        self.needs = needs
        self.limits = limits


class Malformed(CallFailure):
    """The answer is not what the protocol allows."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.MALFORMED, message)


class CutOff(CallFailure):
    """A whole answer that does not say why it ended: as a stream without its end, it was broken
    off.

    Attributes:
        response: what came, with the usage that its provider counted.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(Kind.BROKEN, "the answer does not say that it came to its end")
        self.response = response


_WAITING_CURES = frozenset({Kind.LIMITED, Kind.OVERLOADED, Kind.QUOTA})


def classify(status: int, headers: Mapping[str, str], body: bytes, now: float) -> CallFailure:
    """Tell what an HTTP answer other than a 200 means.

    ``headers`` are the response's, ``now`` is Unix time in seconds (for dates and resets).

    The wait is the header's, else what the body has in a field of its own. At a 429 that has
    neither it is the reset of the allowance that is used up, else what the words ask for.
    """
    found = _lower(headers)
    error = read_error(body)
    if name := found.get("x-amzn-errortype"):  # ``ThrottlingException:http://…``
        label = name.partition(":")[0].strip().lower()
        error = msgspec.structs.replace(error, labels=(label, *error.labels))
    kind = kind_of(status, error)
    limits = rate_limits(headers, now)
    wait = _asked(found, now)
    if wait is None:
        wait = error.wait
    if wait is None and status == 429 and kind in _WAITING_CURES:
        wait = reset_wait(limits, now)
        if wait is None:
            wait = said_wait(error.message)
    return CallFailure(
        kind, _message(f"HTTP {status}", kind, error), wait, _needs(kind, error), limits
    )


def failure_of(body: bytes, otherwise: Kind) -> CallFailure:
    """Tell what an error object inside a 200 means; ``otherwise`` where it does not say."""
    error = read_error(body)
    kind = kind_inside(error, otherwise)
    wait = error.wait
    if wait is None and kind in _WAITING_CURES:
        wait = said_wait(error.message)
    message = _message("an error inside a 200", kind, error)
    return CallFailure(kind, message, wait, _needs(kind, error))


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read how many seconds the provider asks to wait, from ``retry-after-ms`` (milliseconds) or
    ``retry-after`` (a wait or a date); None where it asks nothing that can be read. A date in the
    past is 0."""
    return _asked(_lower(headers), now)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _asked(headers: dict[str, str], now: float) -> float | None:
    milliseconds = seconds(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    wait = seconds(text)
    return wait if wait is not None else until(text, now)


def _needs(kind: Kind, error: ErrorBody) -> int | None:
    return prompt_size(error) if kind is Kind.TOO_LONG else None


def _message(where: str, kind: Kind, error: ErrorBody) -> str:
    first = first_label(error.labels)
    label = f" ({first})" if first else ""
    said = quoted(error.message, about_keys=kind is Kind.AUTH)
    return f"{where}{label}: {said}" if said else f"{where}{label}, without a readable reason"

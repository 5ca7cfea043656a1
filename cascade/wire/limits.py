"""Rate limits as providers tell them in the headers of every answer.

Known are ``x-ratelimit-{limit,remaining,reset}-WHAT`` (OpenAI, Azure, Groq, Mistral, Cerebras, xAI;
without WHAT at OpenRouter and Together), ``anthropic-ratelimit-WHAT-{limit,remaining,reset}``, and
the IETF's ``RateLimit`` in its old and its new form. Resets are waits, dates or Unix times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, get_args

from cascade.types import Bucket, RateLimits
from cascade.wire.waits import instant

__all__ = ["rate_limits", "reset_wait"]

Measure = Literal["requests", "tokens", "input_tokens", "output_tokens"]

_MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
_FIELDS = ("limit", "remaining", "reset")
_COUNT = re.compile(r"[0-9]{1,15}(?:\.[0-9]*)?")
# ``"default";r=50;t=30`` and, before that, ``limit=100, remaining=50, reset=30``.
_ITEM = re.compile(r"\b(?:(q|limit)|(r|remaining)|(t|reset))=([0-9]+)")


class _Allowance(NamedTuple):
    """One allowance: of what kind, and its name in the headers."""

    kind: Measure
    what: str


def rate_limits(headers: Mapping[str, str], now: float) -> RateLimits | None:
    """Read what is left of the endpoint's allowances; None where no header tells it.

    Of several allowances of one kind (a minute's and a day's) the tightest counts: the one with
    the smallest share left, or with the least left where a limit is not told. A remainder below 0
    is unknown (Azure sends -1). ``now`` is Unix time in seconds.
    """
    found = _of_limits(headers)
    if not found:
        return None
    told: dict[_Allowance, dict[str, str]] = {}
    for name, value in found:
        place = _place(name)
        if place is None:
            continue
        allowance, field = place
        of = told.setdefault(allowance, {})
        if field is not None:
            of[field] = value
        else:
            _take_items(value, of)
    tightest = {kind: bucket for kind in _MEASURES if (bucket := _tightest(told, kind, now))}
    return RateLimits(**tightest) if tightest else None


def reset_wait(limits: RateLimits | None, now: float) -> float | None:
    """Tell in how many seconds the allowances that are used up are whole again; None where none
    is used up, or no reset was told."""
    if limits is None:
        return None
    resets = [
        bucket.resets_at - now
        for kind in _MEASURES
        if (bucket := getattr(limits, kind)) is not None
        and bucket.remaining == 0
        and bucket.resets_at is not None
    ]
    return max(0.0, *resets) if resets else None


def _of_limits(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers that may tell a limit, names in lower case.

    This runs on every answer, and most providers tell nothing: so one search over all names comes
    first. httpx's headers decode themselves at each walk; as raw bytes they cost half as much.
    """
    raw: Any = getattr(headers, "raw", None)
    if raw is None:
        if "ratelimit" not in " ".join(headers).lower():
            return []
        pairs = [(name.lower(), value) for name, value in headers.items()]
        return [(name, value) for name, value in pairs if "ratelimit" in name]
    if b"ratelimit" not in b" ".join([name for name, _ in raw]).lower():
        return []
    return [
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in raw
        if b"ratelimit" in name.lower()
    ]


@lru_cache(maxsize=256)  # a provider's names are few, and come with every answer
def _place(name: str) -> tuple[_Allowance, str | None] | None:
    """Where a header's value belongs: the allowance and its field, None where it tells them all."""
    parts = name.partition("ratelimit")[2].lstrip("-").split("-")
    if parts in ([""], ["policy"]):
        return _Allowance("requests", ""), None
    field = next((part for part in parts if part in _FIELDS), None)
    if field is None:
        return None
    parts.remove(field)
    what = "-".join(parts)
    if "tok" in what or "bysize" in what:
        return _Allowance(_kind_of_tokens(what), what), field
    if not what or "req" in what:
        return _Allowance("requests", what), field
    return None  # of images, or of seconds of sound


def _kind_of_tokens(what: str) -> Measure:
    if "input" in what or "prompt" in what:
        return "input_tokens"
    return "output_tokens" if "output" in what or "generated" in what else "tokens"


def _take_items(value: str, of: dict[str, str]) -> None:
    """Read the IETF's one header; of several policies the first."""
    for *names, number in _ITEM.findall(value):
        field = next(field for field, name in zip(_FIELDS, names, strict=True) if name)
        of.setdefault(field, number)


def _tightest(told: dict[_Allowance, dict[str, str]], kind: Measure, now: float) -> Bucket | None:
    buckets = [
        bucket
        for allowance, fields in told.items()
        if allowance.kind == kind and (bucket := _bucket(fields, now)) is not None
    ]
    if len(buckets) < 2:
        return buckets[0] if buckets else None
    shares = all(bucket.limit for bucket in buckets)
    return min(
        buckets,
        key=lambda bucket: (
            bucket.remaining / (bucket.limit or 1) if shares else bucket.remaining,
            -(bucket.resets_at or 0.0),
        ),
    )


def _bucket(told: dict[str, str], now: float) -> Bucket | None:
    remaining = _count(told.get("remaining"))
    if remaining is None:
        return None
    reset = told.get("reset")
    return Bucket(remaining, instant(reset, now) if reset else None, _count(told.get("limit")))


def _count(text: str | None) -> int | None:
    found = _COUNT.fullmatch(text.strip()) if text else None
    return int(float(found.group())) if found else None

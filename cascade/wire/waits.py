"""Waits and dates as providers spell them: ``3``, ``12ms``, ``1m30s``, and four kinds of dates."""

from __future__ import annotations

import math
import re

__all__ = ["instant", "said_wait", "seconds", "until"]

_NUMBER = r"[0-9]+(?:\.[0-9]*)?"
_UNIT = r"(?:ns|us|µs|ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)(?![a-z])"
_PART = re.compile(f"({_NUMBER}) ?({_UNIT})")
_SPAN = f"(?:{_NUMBER} ?{_UNIT} ?)+"
_WHOLE = re.compile(f"(-?){_SPAN}")
_SAID = re.compile(f"(?:try again|retry) (?:in|after) ({_SPAN})")
# The first that a unit begins with is its size in seconds.
_SIZES = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "milli": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
# From here on a bare number is a Unix time, in seconds or milliseconds: as a wait it would be more
# than thirty years.
_STAMP = 1e9
_STAMP_MS = 1e11


def seconds(text: str) -> float | None:
    """Read a wait as seconds: a bare number is one of seconds. Never below 0; None if the text is
    no wait."""
    text = text.strip().lower()
    try:
        value = float(text)
    except ValueError:
        value = _of_units(text)
    return max(value, 0.0) if math.isfinite(value) else None


def until(text: str, now: float) -> float | None:
    """Read a date as the seconds from ``now`` (Unix time) until then, never below 0; None if the
    text is none of RFC 3339's and HTTP's three kinds of dates."""
    moment = _date(text.strip())
    return None if moment is None else max(moment - now, 0.0)


def instant(text: str, now: float) -> float | None:
    """Read when something happens as Unix time: from a wait, a date or a stamp; None if the text
    is none of them."""
    value = seconds(text)
    if value is None:
        return _date(text.strip())
    if value < _STAMP:
        return now + value
    return value if value < _STAMP_MS else value / 1000


def said_wait(message: str) -> float | None:
    """Find how many seconds an error's words ask to wait: ``Please try again in 1m2.5s``."""
    said = _SAID.search(message.lower())
    return seconds(said.group(1)) if said else None


def _of_units(text: str) -> float:
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        return math.nan
    value = sum(float(number) * _size(unit) for number, unit in _PART.findall(text))
    return -value if whole.group(1) else value


def _size(unit: str) -> float:
    return next(size for start, size in _SIZES.items() if unit.startswith(start))


def _date(text: str) -> float | None:
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime  # rarely needed, and slow to import

    read = datetime.fromisoformat if text[4:5] == "-" else parsedate_to_datetime
    try:
        moment = read(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):  # it is no date
        return None

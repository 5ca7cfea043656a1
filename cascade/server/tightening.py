"""What a request's headers ask for: fresher answers, less storing, less patience.

A header may only tighten what the body or the configuration allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from cascade.server import origin
from cascade.server.headers import Header
from cascade.types import CacheUse, Request

_PATIENCE = (b"x-stainless-read-timeout", b"x-server-timeout")
"""Where clients of OpenAI and Anthropic, and those of Google, tell how long they wait."""

_MARGIN = 0.05
_LARGEST_MARGIN = 0.5  # seconds
_LARGEST_AGE = 2.0**31  # seconds; what is longer means this (RFC 9111)


def tightened(request: Request, headers: Sequence[Header], deadline: float) -> Request:
    """Return the request as its headers restrict it.

    ``Cache-Control`` is read, and how long the client waits. ``deadline`` is the configured one
    in seconds, which holds where the request names none.

    Raises:
        ForeignOriginError: ``Origin`` is a web page's of another address.
    """
    for name, value in headers:
        if name == b"cache-control":
            request = _cached(request, value.decode("latin-1"))
        elif name in _PATIENCE:
            request = _timed(request, value.decode("latin-1"), deadline)
        elif name == b"origin":  # here, and not in one more pass over the headers
            origin.check(value, headers)
    return request


def _timed(request: Request, value: str, deadline: float) -> Request:
    """Answer a little before the client's patience ends: it asks again, and pays again."""
    try:
        patience = float(value)
    except ValueError:  # "None" where the client waits for ever
        return request
    patience -= min(_MARGIN * patience, _LARGEST_MARGIN)
    allowed = deadline if request.deadline is None else request.deadline
    return replace(request, deadline=patience) if 0 < patience < allowed else request


def _cached(request: Request, value: str) -> Request:
    only, max_age = request.cache == "only", request.max_age
    use: CacheUse = "use" if only else request.cache
    for directive in value.lower().split(","):
        name, _, argument = directive.partition("=")
        match name.strip():
            case "no-store":
                use = "off"
            case "no-cache":
                use = "off" if use == "off" else "refresh"
            case "only-if-cached":
                only = True
            case "max-age":
                age = _seconds(argument)
                max_age = age if max_age is None else min(age, max_age)
            case _:  # the others speak to other kinds of caches, or would loosen
                pass
    changes: dict[str, Any] = {"cache": use, "max_age": max_age}
    if only:
        # Nobody may be called, and with no-cache or no-store nothing may be read either.
        changes = {"cache": "only", "max_age": max_age if use == "use" else 0.0}
    return replace(request, **changes)


def _seconds(argument: str) -> float:
    """An age that cannot be read is no age at all: nothing stored is fresh enough (RFC 9111)."""
    digits = argument.strip().strip('"')
    return min(float(digits), _LARGEST_AGE) if digits.isascii() and digits.isdecimal() else 0.0

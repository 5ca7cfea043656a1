"""cascade: each LLM request answered by the cheapest model that will do, checked, and kept.

::

    from cascade import Cascade

    with Cascade("openai/gpt-5.6-luna", "openai/gpt-5.6-sol") as ai:
        answer = ai.complete("Which rivers meet in Koblenz?", max_cost=0.01)
        print(answer, answer.story())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cascade.client import AsyncCascade, AsyncStream, Cascade, Stream
    from cascade.errors import (
        Broken,
        CapTooLow,
        CascadeError,
        Closed,
        ConfigError,
        DeadlineExceeded,
        Failed,
        MissingKey,
        NotCached,
        ParseError,
        Rejected,
        RequestError,
        Unavailable,
    )
    from cascade.types import Answer, Attempt, Message, Request

__all__ = [
    "Answer",
    "AsyncCascade",
    "AsyncStream",
    "Attempt",
    "Broken",
    "CapTooLow",
    "Cascade",
    "CascadeError",
    "Closed",
    "ConfigError",
    "DeadlineExceeded",
    "Failed",
    "Message",
    "MissingKey",
    "NotCached",
    "ParseError",
    "Rejected",
    "Request",
    "RequestError",
    "Stream",
    "Unavailable",
]

_HOMES = {
    **dict.fromkeys(("AsyncCascade", "AsyncStream", "Cascade", "Stream"), "cascade.client"),
    **dict.fromkeys(("Answer", "Attempt", "Message", "Request"), "cascade.types"),
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'cascade' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES.get(name, "cascade.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

"""Which parameters a request uses, and what it means for a model not to take one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cascade.types import Request

Uses = Callable[[Request], Any]


def _set(name: str) -> Uses:
    return lambda request: getattr(request, name) is not None


ADVISORY: dict[str, Uses] = {
    "temperature": _set("temperature"),
    "top_p": _set("top_p"),
    "seed": _set("seed"),
    "presence_penalty": _set("presence_penalty"),
    "frequency_penalty": _set("frequency_penalty"),
    "logit_bias": lambda request: request.logit_bias,
    "reasoning_effort": _set("reasoning_effort"),
    "user": _set("user"),
}
"""Dropped for a model that does not take them, and listed in ``Answer.dropped``."""

BINDING: dict[str, Uses] = {
    "tools": lambda request: request.tools,
    "images": lambda request: request.images,
    "response_format": lambda request: (
        request.response_format is not None and request.response_format.kind != "text"
    ),
    "stop": lambda request: request.stop,
    "logprobs": lambda request: request.logprobs,
}
"""A model that does not take one of these is no option for a request that uses it."""

PARAMETERS = frozenset(ADVISORY) | frozenset(BINDING)


def dropped(request: Request, lacks: frozenset[str]) -> tuple[str, ...]:
    """The advisory parameters of this request that a model without ``lacks`` does not get."""
    if not lacks:
        return ()
    return tuple(name for name, uses in ADVISORY.items() if name in lacks and uses(request))


def hindrance(request: Request, lacks: frozenset[str]) -> str | None:
    """The first binding parameter of this request that the model does not take."""
    if not lacks:
        return None
    return next((name for name, uses in BINDING.items() if name in lacks and uses(request)), None)

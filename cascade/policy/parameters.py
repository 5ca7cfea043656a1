"""Which parameters a request uses, and what it means for a model not to take one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cascade.types import Request, parameters

Uses = Callable[[Request], Any]


def _uses(name: str) -> Uses:
    return _SPECIAL.get(name) or (lambda request: getattr(request, name) is not None)


_SPECIAL: dict[str, Uses] = {
    "logit_bias": lambda request: request.logit_bias,
    "cache_marks": lambda request: request.marked,
    "tools": lambda request: request.tools,
    "images": lambda request: request.images,
    "response_format": lambda request: (
        request.response_format is not None and request.response_format.kind != "text"
    ),
    "json_object": lambda request: (
        request.response_format is not None and request.response_format.kind == "json_object"
    ),
    "stop": lambda request: request.stop,
    "logprobs": lambda request: request.logprobs,
}
"""How a request uses what is not simply None where it does not."""

ADVISORY: dict[str, Uses] = {name: _uses(name) for name in parameters.ADVISORY}
BINDING: dict[str, Uses] = {name: _uses(name) for name in parameters.BINDING}
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

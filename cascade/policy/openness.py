"""Which rungs are open to a request: by what it asks for and by how long it is."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cascade.errors import TooLong, UnsupportedParameter
from cascade.policy.parameters import hindrance
from cascade.types import Decide, Endpoint, Ladder, Request, Rung

Able = dict[int, tuple[Endpoint, ...]]
"""Endpoints by the index of their rung."""


class Size(msgspec.Struct, frozen=True):
    """How long a request's input is, in tokens: a bound that is free, and a count that is not."""

    bound: int
    count: Callable[[], int]


def open_rungs(request: Request, rungs: tuple[Rung, ...], size: Size) -> Able:
    """The endpoints that can take the request, by index of their rung.

    Raises:
        UnsupportedParameter: no rung takes a binding parameter of the request.
        TooLong: no rung's context window holds the prompt.
    """
    able = {
        index: tuple(e for e in rung.endpoints if hindrance(request, e.lacks) is None)
        for index, rung in enumerate(rungs)
    }
    if not any(able.values()):
        lacked = hindrance(request, rungs[-1].endpoints[0].lacks) or "tools"
        raise UnsupportedParameter(
            lacked, None, "no rung of the ladder takes it", "Leave it out or choose another ladder."
        )
    fits = {
        index: tuple(e for e in endpoints if _fits(request, e, size))
        for index, endpoints in able.items()
    }
    left = {index: endpoints for index, endpoints in fits.items() if endpoints}
    if not left:
        widest = max(e.context or 0 for endpoints in able.values() for e in endpoints)
        raise TooLong(
            "messages",
            None,
            f"about {size.count():,} tokens, and the widest context window has {widest:,}",
            "Shorten the prompt or add a rung with a wider window.",
        )
    return left


def _fits(request: Request, endpoint: Endpoint, size: Size) -> bool:
    if endpoint.context is None:
        return True
    images = request.images * (endpoint.image_tokens or 0)
    if size.bound + images < endpoint.context:
        return True
    return size.count() + images < endpoint.context


def strongest_open(request: Request, ladder: Ladder, size: Size) -> int:
    """The index of the strongest rung that parameters and context window leave open."""
    return max(open_rungs(request, ladder.rungs, size))


def reserved_tools(request: Request, decide: Decide) -> frozenset[str]:
    """The tools of this request that only the ladder's last rung may call."""
    if not decide.strong_for_tools:
        return frozenset()
    return decide.strong_for_tools.intersection(tool.name for tool in request.tools)


def demands_last(request: Request, decide: Decide) -> bool:
    """Whether the request asks for nothing but a call that only the ladder's last rung may make."""
    choice = request.tool_choice
    return choice is not None and choice.name in decide.strong_for_tools

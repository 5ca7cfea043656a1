"""Which protocol a request speaks, and what it wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from cascade.types import ProtocolName
from cascade.wire.paths import READ, Wanted, find, speaker

__all__ = ["Route", "is_mistrals", "route"]

Headers = Sequence[tuple[bytes, bytes]]
_Own = Literal["delivered", "health"]

_OWN: dict[str, _Own] = {
    "/emulator/delivered": "delivered",
    "/health": "health",
    "/health/liveness": "health",
    "/health/readiness": "health",
}


class Route(msgspec.Struct, frozen=True):
    """The protocol that answers are written in, and what is wanted.

    Attributes:
        model: which one is asked about.
        bare: nothing tells whether the list of models is asked for in OpenAI's protocol or in
            Anthropic's, which share its path; errors are Anthropic's then.
        allowed: the methods that there are, where another was used.
    """

    protocol: ProtocolName
    wanted: Wanted | _Own | Literal["nothing", "other method"]
    model: str = ""
    bare: bool = False
    allowed: str = ""


def route(method: str, path: str, headers: Headers) -> Route:
    """Tell what a request wants by its method, path and headers. Base URLs come without a version
    too: then it is the first one."""
    place = find(path) or find(f"/v1{path}")
    spoken = (place and place.protocol) or speaker(path, headers)
    bare = spoken is None and place is not None
    protocol = spoken or ("anthropic" if bare else "openai")
    if place is not None:
        found, methods = Route(protocol, place.wanted, place.model, bare), place.methods
    elif (own := _OWN.get(path)) is not None:
        found, methods = Route(protocol, own), READ
    else:
        return Route(protocol, "nothing")
    if method in methods:
        return found
    return Route(protocol, "other method", allowed=", ".join(methods))


def is_mistrals(headers: Headers) -> bool:
    """Whether it is Mistral's client that asks. It speaks OpenAI's protocol, except that it takes
    no tool call in pieces and no answer without a usage."""
    return dict(headers).get(b"user-agent", b"").startswith(b"mistral-client")

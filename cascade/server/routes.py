"""What is served where: what the protocols have, and the server's own health."""

from __future__ import annotations

from typing import Literal

import msgspec

from cascade.types import ProtocolName
from cascade.wire import paths
from cascade.wire.paths import READ, Wanted


class Route(msgspec.Struct, frozen=True):
    """What a path offers, and by which of HTTP's methods. Without a ``protocol`` the request's
    headers tell it; ``model`` is the name in the path of one model's description."""

    does: Wanted | Literal["liveness", "readiness"]
    methods: tuple[str, ...]
    protocol: ProtocolName | None = None
    model: str = ""


_OWN = {
    "/health/liveness": Route("liveness", READ),
    "/health/readiness": Route("readiness", READ),
}

PATHS = (*paths.PATHS, *_OWN)
"""What to tell somebody who asks for anything else."""


def find(path: str) -> Route | None:
    """Return what the path offers, None where it is nothing."""
    place = paths.find(path)
    if place is None:
        return _OWN.get(path)
    return Route(place.wanted, place.methods, place.protocol, place.model)

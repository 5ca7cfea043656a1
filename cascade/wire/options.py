"""The ``cascade`` object that a request of any protocol may carry: how to decide."""

from __future__ import annotations

import msgspec

from cascade.types import CacheUse, Delivery, Quality, Request
from cascade.wire.shapes import Amount, Filled, Seconds, Shape

__all__ = ["Options", "with_options"]


class Options(Shape):
    """The ``cascade`` object. US dollars and seconds."""

    max_cost: Amount | None = None
    deadline: Seconds | None = None
    ladder: Filled | None = None
    quality: Quality | None = None
    cache: CacheUse | None = None
    delivery: Delivery | None = None
    tags: list[Filled] | None = None
    session: Filled | None = None
    events: bool | None = None


def with_options(request: Request, options: Options | None) -> Request:
    """Return the request with what the client says of how to decide."""
    if options is None:
        return request
    return msgspec.structs.replace(
        request,
        ladder=options.ladder,
        quality=options.quality or "auto",
        max_cost=options.max_cost,
        deadline=options.deadline,
        cache=options.cache or "use",
        delivery=options.delivery,
        tags=tuple(options.tags or ()),
        session=options.session,
    )

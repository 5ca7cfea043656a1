"""A request as it was asked over HTTP."""

from __future__ import annotations

import time

import msgspec

from cascade.server.dialects import Dialect
from cascade.server.thoughts import wants_thoughts
from cascade.types import Request
from cascade.wire.framing import Framing


class Asked(msgspec.Struct, frozen=True):
    """The request, what the client called the model, and how it wants the answer sent.

    ``framing`` is the form of the answer if it is streamed; ``events`` says that the client wants
    to hear of decisions too. ``since`` is when the request arrived, in seconds of
    ``time.perf_counter``.
    """

    request: Request
    model: str
    stream: bool
    include_usage: bool
    events: bool
    dialect: Dialect
    framing: Framing
    since: float

    @property
    def thoughts(self) -> bool:
        """Whether the model's thoughts are to be sent."""
        return wants_thoughts(self.request, self.dialect.name)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request arrived."""
        return time.perf_counter() - self.since

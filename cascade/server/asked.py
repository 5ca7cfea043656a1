"""A chat completion as it was asked over HTTP."""

from __future__ import annotations

import time

import msgspec

from cascade.types import Request


class Asked(msgspec.Struct, frozen=True):
    """The request, what the client called the model, and how it wants the answer sent.

    ``since`` is when the request arrived, in seconds of ``time.perf_counter``.
    """

    request: Request
    model: str
    stream: bool
    include_usage: bool
    since: float

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request arrived."""
        return time.perf_counter() - self.since

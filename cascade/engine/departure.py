"""A run that was started for a request, from its caller's side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from cascade.engine import answers
from cascade.engine.delivery import Outlet
from cascade.engine.loop import Ended
from cascade.engine.sharing import SharedRun
from cascade.policy.model import Plan
from cascade.types import Answer, CacheStatus, Complexity, Ladder, Request

if TYPE_CHECKING:
    from cascade.engine.engine import Engine


class Admitted(msgspec.Struct, frozen=True):
    """A request with what was found out about it on the way in. ``since`` is the loop's time.

    ``key`` is where its answer may be kept, None where it may not. ``joins`` says that an
    identical request's answer will do; ``session`` is the conversation's key.
    """

    request: Request
    ladder: Ladder
    key: str | None
    since: float
    joins: bool
    session: bytes


class Departure:
    """A run that was started for a request, and what its caller needs to read it."""

    flight: SharedRun

    def __init__(
        self,
        asked: Admitted,
        plan: Plan,
        complexity: Complexity,
        outlet: Outlet | None,
        engine: Engine,
    ) -> None:
        self.asked, self.plan, self.complexity = asked, plan, complexity
        self.outlet, self._engine = outlet, engine
        self.id = answers.new_id()
        off = asked.request.cache == "off" or engine.cache is None
        self._status: CacheStatus = "off" if off else "miss"

    @property
    def rung(self) -> str | None:
        """The rung that streams live to the caller; None before its first piece."""
        return self.flight.run.rung

    def landed(self, ended: Ended) -> None:
        """The run has ended, and every call has its bill."""
        self._engine.totals.settle(ended)
        self._engine.remember(self.asked, ended)
        self._engine.keep(self.asked, ended, self.complexity)

    def answer(self, ended: Ended) -> Answer:
        """What the caller gets.

        Raises:
            CascadeError: what came instead of an answer.
        """
        latency = asyncio.get_running_loop().time() - self.asked.since
        answer = answers.from_ended(
            ended,
            self.plan,
            self.asked.request,
            self.asked.ladder,
            self.complexity,
            id=self.id,
            latency_s=latency,
            cache=self._status,
        )
        self._engine.totals.count(answer)
        return answer

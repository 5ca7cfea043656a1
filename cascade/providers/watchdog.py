"""The clocks of one call: a single timer that compares stamps, however many chunks arrive."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Literal, Self

from cascade.types import Clocks, Kind
from cascade.wire.failures import CallFailure

SLOWEST = 0.5
"""Characters per second below which a stream trickles. A large model on an old machine makes more;
it is there for servers that keep a dead stream alive."""


Clock = Literal["connect", "first_token", "idle", "total"]


class ClockRanOut(CallFailure):
    """One of a call's clocks ran out.

    Attributes:
        clock: which one.
    """

    def __init__(self, clock: Clock, message: str) -> None:
        super().__init__(Kind.TIMED_OUT, message)
        self.clock = clock


class Watchdog:
    """Ends the current task's call when one of its clocks runs out.

    Used as a context manager around a call; ``token`` is called with each piece of an answer.
    Only those keep the idle clock quiet: keep-alive comments do not, and in each of its spans they
    must amount to more than a trickle. The connect clock belongs to the transport. Raises
    ``ClockRanOut`` from the ``with`` block.
    """

    def __init__(self, clocks: Clocks, stream: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._started = self._last_token = self._span = self._loop.time()
        self._amount = 0
        self._first = clocks.first_token if stream else None
        self._idle = clocks.idle if stream else None
        self._total = clocks.total
        self._has_token = False
        self._expired: tuple[Clock, str] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def token(self, size: int) -> float:
        """Note that a piece of ``size`` characters has arrived, and return the time."""
        self._last_token = self._loop.time()
        self._amount += size
        if not self._has_token:
            self._has_token = True
            self._span = self._last_token
            self._arm()  # from now on the idle clock runs, which may be shorter
        return self._last_token

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None, "a call runs in a task"
        self._task = task
        self._arm()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._expired is None:
            return
        if self._task.uncancel() <= 0:  # else somebody else cancelled the call too, and wins
            raise ClockRanOut(*self._expired) from None

    def _due(self) -> tuple[float, Clock, str]:
        """When the next clock runs out, which one, and what to say then."""
        clock: Clock = "total"
        due, words = math.inf, ""
        if self._total is not None:
            due, words = self._started + self._total, f"no end within {self._total:g} s"
        if not self._has_token:
            if self._first is not None and self._started + self._first < due:
                due, clock = self._started + self._first, "first_token"
                words = f"no first token within {self._first:g} s"
        elif self._idle is not None:
            if self._last_token + self._idle < due:
                due, clock = self._last_token + self._idle, "idle"
                words = f"no token for {self._idle:g} s"
            trickles = self._amount < SLOWEST * self._idle
            if trickles and self._span + self._idle < due:
                due, clock = self._span + self._idle, "idle"
                words = f"a trickle: {self._amount} characters in {self._idle:g} s"
        return due, clock, words

    def _arm(self) -> None:
        """Look again when the next clock runs out, or a span ends: never at once, the task may be
        running."""
        if self._timer is not None:
            self._timer.cancel()
        due, _, _ = self._due()
        if self._has_token and self._idle is not None:
            due = min(due, self._span + self._idle)
        self._timer = None if due == math.inf else self._loop.call_at(due, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        due, clock, words = self._due()
        if due <= now:
            self._expired = (clock, words)
            self._task.cancel()
            return
        if self._idle is not None and now >= self._span + self._idle:
            self._span, self._amount = now, 0
        self._arm()

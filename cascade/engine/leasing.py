"""Identical requests of several processes: one at a time makes the calls, the others wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

from cascade.cache.disk import ResponseCache
from cascade.cache.leases import Lease, Leases, Terms
from cascade.engine.departure import Admitted
from cascade.engine.loop import Ended
from cascade.types import Answer

FIRST_LOOK: Final = 0.005
LAST_LOOK: Final = 0.1
"""Seconds between two looks at another process's lease: twice as long each time, up to the last."""

Landed = Callable[[Ended], None]


class Turn:
    """Leave to make the calls for a request, with a lease where other processes wait for it.

    As a context: the lease goes back at once if an error leaves the block, for no run began then.
    """

    def __init__(self, cache: ResponseCache | None = None, lease: Lease | None = None) -> None:
        self._cache, self._lease = cache, lease

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self._lease is not None:
            self._lease.give_back()

    def ending(self, landed: Landed) -> Landed:
        """What a run tells of its end: ``landed``, and then the lease goes back, once what was
        kept is where other processes can read it."""
        cache, lease = self._cache, self._lease
        if cache is None or lease is None:
            return landed

        def end(ended: Ended) -> None:
            try:
                landed(ended)
            finally:
                cache.when_written(lease.key, lease.give_back)

        return end


_FREE: Final = Turn()


class Turns:
    """Says whose turn it is to call, among the processes that share a cache.

    A run that began while nobody else was there has no lease: who comes meanwhile may call too.

    Args:
        cache: the shared one, None where there is none.
        share: an answer from this process's own runs, None where none will do.
        recall: an answer that has been stored by now, None where none will do.
    """

    def __init__(
        self,
        cache: ResponseCache | None,
        share: Callable[[Admitted], Awaitable[Answer | None]],
        recall: Callable[[Admitted], Answer | None],
    ) -> None:
        self._cache, self._share, self._recall = cache, share, recall
        self._watches: dict[str, _Watch] = {}
        self._loop = asyncio.get_running_loop()
        self._closed = False

    async def next(self, asked: Admitted, until: float) -> Answer | Turn:
        """Wait for an identical request's answer, or for one's turn to call.

        After a leader that brought no answer the next one leads, one at a time. A leader may hang
        and the queue be long: whoever has waited for half of the time that it had when it began
        to wait goes alone. Of one process's callers who do so at once, one calls.

        Args:
            asked: the request.
            until: its deadline, on the event loop's clock.
        """
        patience: float | None = None
        while True:
            answer = await self._share(asked)
            if answer is None and patience is not None:
                answer = self._recall(asked)
            if answer is not None:
                return answer
            taken = self._take(asked, until)
            if isinstance(taken, Lease):
                return self._lead(asked, taken)
            if taken is None or _is_too_old(asked, taken):
                return _FREE
            if patience is None:
                now = self._loop.time()
                patience = now + (until - now) / 2
            if not await self._outlast(taken, asked, patience):
                return await self._share(asked) or _FREE

    def close(self) -> None:
        """Let nobody wait any more."""
        self._closed = True
        for watch in self._watches.values():
            watch.over.set()

    def _take(self, asked: Admitted, until: float) -> Lease | Terms | None:
        if self._cache is None or self._closed or not asked.joins or asked.key is None:
            return None
        leases = self._cache.leases
        if leases.alone():
            return None
        return leases.take(asked.key, time.time() + until - self._loop.time())

    def _lead(self, asked: Admitted, lease: Lease) -> Answer | Turn:
        """Take the turn, unless the leader before has stored an answer since one last looked."""
        answer = self._recall(asked)
        if answer is None:
            return Turn(self._cache, lease)
        lease.give_back()
        return answer

    async def _outlast(self, terms: Terms, asked: Admitted, until: float) -> bool:
        """Wait until another's lease has ended; False where ``until`` has come first."""
        assert self._cache is not None
        assert asked.key is not None
        watch = self._watches.get(asked.key)
        if watch is None or watch.over.is_set():
            watch = self._watches[asked.key] = _Watch(self._cache.leases, asked.key, terms)
        watch.callers += 1
        try:
            async with asyncio.timeout_at(until):
                await watch.over.wait()
            return True
        except TimeoutError:
            return False
        finally:
            watch.callers -= 1
            if not watch.callers:
                watch.stop()
                if self._watches.get(asked.key) is watch:
                    del self._watches[asked.key]


class _Watch:
    """Looks at a lease for all callers of this process that wait for its end."""

    def __init__(self, leases: Leases, key: str, terms: Terms) -> None:
        self._leases, self._key, self._terms = leases, key, terms
        self._loop = asyncio.get_running_loop()
        self._wait = FIRST_LOOK
        self.callers = 0
        self.over = asyncio.Event()
        self._timer = self._loop.call_later(self._wait, self._look)

    def _look(self) -> None:
        if self._leases.holder(self._key) != self._terms:
            self.over.set()
            return
        self._wait = min(2 * self._wait, LAST_LOOK)
        self._timer = self._loop.call_later(self._wait, self._look)

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()


def _is_too_old(asked: Admitted, terms: Terms) -> bool:
    """Whether that run began longer ago than the request lets an answer be old."""
    max_age = asked.request.max_age
    return max_age is not None and time.time() - terms.since >= max_age

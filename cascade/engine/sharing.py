"""Identical requests under way share one run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cascade.engine.loop import Ended, Run
from cascade.errors import Closed


class SharedRun:
    """A run and the callers that wait for it. It is given up when the last of them leaves.

    ``since`` is when it began, on the event loop's clock.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.callers = 0
        self.since = asyncio.get_running_loop().time()

    async def wait(self, until: float | None = None) -> Ended:
        """Wait for the end as one of its callers, and leave when cancelled or out of time.

        Args:
            until: a time of the event loop's clock, None to wait as long as the run takes.

        Raises:
            TimeoutError: ``until`` has come first.
        """
        self.callers += 1
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.shield(self.run.done)
        finally:
            self.leave()

    def leave(self) -> None:
        """One caller less. The last one stops the calls, unless all is done."""
        self.callers -= 1
        if self.callers <= 0 and not self.run.done.done():
            self.run.leave()


class SharedRuns:
    """The runs of this process that others may join, by cache key."""

    def __init__(self) -> None:
        self._by_key: dict[str, SharedRun] = {}
        self._all: set[Run] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._all)

    def find(self, key: str | None) -> SharedRun | None:
        """The run under this key that a caller may still join."""
        shared = None if key is None else self._by_key.get(key)
        return shared if shared is not None and shared.callers > 0 else None

    def start(self, key: str | None, run: Run, landed: Callable[[Ended], None]) -> SharedRun:
        """Begin a run; under a key others may join it. ``landed`` hears of its end first.

        Raises:
            Closed: after ``close``.
        """
        if self._closed:
            raise Closed("This object was closed. Make a new one.")
        shared = SharedRun(run)
        self._all.add(run)
        if key is not None:
            self._by_key[key] = shared

        def end(ended: Ended) -> None:
            self._all.discard(run)
            if key is not None and self._by_key.get(key) is shared:
                del self._by_key[key]
            landed(ended)

        run.on_end = end
        run.begin()
        return shared

    async def close(self) -> None:
        """Stop every run and wait until its calls have landed. No other is begun."""
        self._closed = True
        runs = list(self._all)
        for run in runs:
            run.leave()
        # Shielded: whoever gives up waiting here must not cancel what callers wait for.
        ends = (asyncio.shield(run.done) for run in runs)
        await asyncio.gather(*ends, return_exceptions=True)

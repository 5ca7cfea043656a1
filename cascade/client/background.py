"""An event loop in a thread of its own, for code without ``async``."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar

from cascade.errors import CascadeError, Closed

T = TypeVar("T")


class Background:
    """One event loop and its thread. It knows nothing of the object that uses it: a forgotten one
    can be collected while the thread runs."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._gate = threading.Lock()  # nothing is handed to the loop after its end was
        self._closing = False
        self._end = asyncio.Event()
        self._last: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._live, name="cascade", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether its end has begun."""
        return self._closing

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Hand work to the loop.

        Raises:
            Closed: it has ended.
            CascadeError: this is the loop's own thread, which would wait for itself.
        """
        if self._is_here():
            work.close()
            raise CascadeError(
                "This is the thread that makes the calls: to wait for one here would wait for"
                " ever. Use AsyncCascade in code that an event loop runs."
            )
        with self._gate:
            if self._closing:
                work.close()
                raise Closed("This object was closed. Make a new one.")
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the loop and wait; Ctrl-C here cancels it there.

        Raises:
            Closed: it has ended, or ended meanwhile.
            CascadeError: this is the loop's own thread.
        """
        return result_of(self.start(work))

    def drain(self, items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """Hand an async generator's items to this thread, one by one; leaving early closes it."""
        turn = asyncio.Lock()  # an interrupted read must end before the generator can be closed
        try:
            while True:
                try:
                    item = self.run(_next(items, turn))
                except _ExhaustedError:
                    return
                yield item
        finally:
            self.let_go(_close(items, turn))

    def let_go(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what cleans up, and wait for it where that is possible. An ended loop was cleared
        already. The loop's own thread, where the garbage collector may have come to this, must
        not wait for itself, nor a process that ends for a thread that no longer runs."""
        if sys.is_finalizing():
            work.close()
        elif self._is_here():
            self._last = self._loop.create_task(work)
        else:
            with suppress(Closed):
                self.run(work)

    def end(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the last work, then end loop and thread. It can be repeated."""
        if self._is_here():
            raise CascadeError("The thread that makes the calls cannot close itself.")
        with self._gate:
            first, self._closing = not self._closing, True
        if first:
            try:
                asyncio.run_coroutine_threadsafe(last(), self._loop).result()
            finally:
                self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def abandon(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """As ``end``, without waiting: for the garbage collector, which may be on any thread."""
        self._closing = True

        def begin() -> None:
            self._last = self._loop.create_task(last())
            self._last.add_done_callback(lambda _: self._end.set())

        self._loop.call_soon_threadsafe(begin)

    def _is_here(self) -> bool:
        return threading.current_thread() is self._thread

    def _live(self) -> None:
        """The thread: it runs the loop until the end, and then clears it."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._end.wait())


def result_of(future: Future[T]) -> T:
    """Wait for work on a loop; Ctrl-C here cancels it there.

    Raises:
        Closed: the loop ended meanwhile.
    """
    try:
        return future.result()
    except CancelledError:
        raise Closed("This object was closed while the call was under way.") from None
    except BaseException:
        future.cancel()
        raise


class _ExhaustedError(Exception):
    """``StopAsyncIteration`` cannot cross a future."""


async def _next(items: AsyncGenerator[T, None], turn: asyncio.Lock) -> T:
    async with turn:
        try:
            return await anext(items)
        except StopAsyncIteration:
            raise _ExhaustedError from None


async def _close(items: AsyncGenerator[T, None], turn: asyncio.Lock) -> None:
    async with turn:
        await items.aclose()

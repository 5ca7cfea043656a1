"""``Cascade``: the same face without ``async``, over one event loop in a background thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from cascade.client.aio import AsyncCascade, AsyncStream
from cascade.client.asking import Options, Prompt, to_request
from cascade.errors import CascadeError, Closed
from cascade.types import Answer, Delta, Request, Tables

if TYPE_CHECKING:
    from cascade.engine.engine import Engine
    from cascade.engine.totals import Totals

T = TypeVar("T")


class Cascade:
    """``AsyncCascade`` for code without ``async``: the same arguments, the same methods.

    Its requests run on one event loop in a background thread; what the cache holds is read on the
    caller's own. It may be shared between threads.
    """

    def __init__(self, *models: str, **options: Any) -> None:
        self._ai = AsyncCascade(*models, **options)
        self._loop = asyncio.new_event_loop()
        self._gate = threading.Lock()  # nothing is handed to the loop after its end was
        self._closing = False
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._live, name="cascade", daemon=True)
        self._thread.start()

    @classmethod
    def from_config(cls, path: Path | str | None = None, **options: Any) -> Self:
        """Read ``path``, ``$CASCADE_CONFIG`` or ``./config.toml``."""
        from cascade.config.read import load

        tables = load(None if path is None else Path(path), options.get("environ"))
        return cls(tables=tables, **options)

    @property
    def tables(self) -> Tables:
        """The compiled configuration."""
        return self._ai.tables

    @property
    def totals(self) -> Totals:
        """What was done since it opened, and what that cost."""
        return self._ai.totals

    def complete(self, prompt: Prompt, **options: Unpack[Options]) -> Answer:
        """As ``AsyncCascade.complete``."""
        engine = self._ai._engine or self._run(self._ai.open())
        request = to_request(prompt, options)
        return engine.recall(request) or self._run(_answer(engine, request))

    def stream(self, prompt: Prompt, **options: Unpack[Options]) -> Stream:
        """As ``AsyncCascade.stream``, without ``async``."""
        return Stream(self, self._ai.stream(prompt, **options))

    def map(
        self,
        prompts: Iterable[Prompt],
        *,
        concurrency: int = 8,
        return_errors: bool = False,
        **options: Unpack[Options],
    ) -> Iterator[Answer | CascadeError]:
        """As ``AsyncCascade.map``."""
        answers = self._ai.map(
            prompts, concurrency=concurrency, return_errors=return_errors, **options
        )
        yield from self._drain(answers)

    def close(self) -> None:
        """Stop what is under way, write what waits to be written, end the thread."""
        with self._gate:
            first, self._closing = not self._closing, True
        if first:
            try:
                asyncio.run_coroutine_threadsafe(self._ai.aclose(), self._loop).result()
            finally:
                self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _live(self) -> None:
        """The background thread: it runs the loop until the end, and then clears it."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._end.wait())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the background loop and wait; Ctrl-C here cancels it there."""
        with self._gate:
            if self._closing:
                work.close()
                raise Closed("This object was closed. Make a new one.")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _drain(self, items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """Hand an async generator's items to this thread, one by one; leaving early closes it."""
        turn = asyncio.Lock()  # an interrupted read must end before the generator can be closed
        try:
            while True:
                try:
                    item = self._run(_next(items, turn))
                except _ExhaustedError:
                    return
                yield item
        finally:
            self._let_go(_close(items, turn))

    def _let_go(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what cleans up. A closed loop was cleared already, and a loop's own thread, where
        the garbage collector may have come to this, must not wait for itself."""
        if threading.current_thread() is self._thread:
            self._loop.create_task(work)
            return
        with suppress(Closed):
            self._run(work)


class Stream:
    """``AsyncStream`` for code without ``async``."""

    def __init__(self, ai: Cascade, stream: AsyncStream) -> None:
        self._ai, self._stream = ai, stream

    @property
    def answer(self) -> Answer:
        """The whole answer with its provenance, once the stream has ended."""
        return self._stream.answer

    def deltas(self) -> Iterator[Delta]:
        """Read everything as it comes."""
        with closing(self._ai._drain(self._stream.batches())) as batches:
            for batch in batches:
                yield from batch

    def __iter__(self) -> Iterator[str]:
        for delta in self.deltas():
            if delta.text:
                yield delta.text

    def __enter__(self) -> Self:
        try:
            self._ai._run(self._stream.__aenter__())
        except BaseException:
            self.__exit__(None, None, None)  # Ctrl-C may come when the call has just begun
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ai._let_go(self._stream.__aexit__(kind, error, trace))


class _ExhaustedError(Exception):
    """``StopAsyncIteration`` cannot cross a future."""


async def _answer(engine: Engine, request: Request) -> Answer:
    """Look again before calling: on the way here another thread's answer may have been stored."""
    return engine.recall(request) or await engine.answer(request)


async def _next(items: AsyncGenerator[T, None], turn: asyncio.Lock) -> T:
    async with turn:
        try:
            return await anext(items)
        except StopAsyncIteration:
            raise _ExhaustedError from None


async def _close(items: AsyncGenerator[T, None], turn: asyncio.Lock) -> None:
    async with turn:
        await items.aclose()

"""``AsyncCascade``: the library's face for asynchronous code."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from cascade.client.asking import Options, Prompt, to_request
from cascade.client.face import Face, warn_of
from cascade.errors import CascadeError, Closed, ConfigError
from cascade.types import Answer, Decision, Delta, Request, Tables

if TYPE_CHECKING:
    import httpx

    from cascade.client.opening import Close
    from cascade.engine.engine import Departure, Engine
    from cascade.engine.totals import Totals
    from cascade.policy.model import Rule


class AsyncCascade(Face):
    """Answers requests with the cheapest model that will do.

    Name the models, cheapest first, as ``PROVIDER/MODEL``, or use ``from_config``. It opens
    itself at the first request; close it with ``async with`` or ``aclose``.

    Args:
        models: the ladder, cheapest first; keys come from the environment.
        tables: a compiled configuration instead of models.
        rule: the rule that decides, ``Threshold`` by default.
        transport: an ``httpx`` transport of one's own.
        data_dir: where the cache lives, the platform's user data directory by default.
        environ: where keys are looked up, the process's environment by default.

    Raises:
        ConfigError: a model's name or the configuration is wrong.
    """

    _close: Close | None = None

    def __init__(
        self,
        *models: str,
        tables: Tables | None = None,
        rule: Rule | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        data_dir: Path | str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        if tables is None:
            from cascade.config.read import from_names

            tables = from_names(models, self._environ)
        elif models:
            raise CascadeError("Name the models or give the tables, not both.")
        self.tables = tables
        if rule is not None and not callable(rule):
            raise ConfigError("rule", rule, "not a rule", "Give a callable rule(view, moves).")
        self._rule, self._transport, self._data_dir = rule, transport, data_dir
        self._engine: Engine | None = None
        self._totals: Totals | None = None
        self._opening: asyncio.Task[Engine] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._closed = False

    def __del__(self) -> None:
        if self._close is not None and not self._closed:
            warn_of(self, "`async with` or `aclose()`")

    async def complete(self, prompt: Prompt, **options: Unpack[Options]) -> Answer:
        """Answer a text, a list of messages or a ``Request``.

        Raises:
            RequestError: the request cannot be sent as it stands.
            CapTooLow: the cap does not pay for any call.
            NotCached: ``cache="only"`` and nothing is stored.
            Failed: no answer could be had; it lists every attempt.
        """
        engine = self._engine or await self.open()
        request = to_request(prompt, options)
        seen = engine.look_up(request)
        return seen.answer or await engine.answer(request, seen)

    def stream(self, prompt: Prompt, **options: Unpack[Options]) -> AsyncStream:
        """Stream an answer: ``async with ai.stream(…) as stream: async for text in stream``.

        Leaving the block early cancels the paid call.
        """
        return AsyncStream(self, to_request(prompt, options))

    async def map(
        self,
        prompts: Iterable[Prompt] | AsyncIterable[Prompt],
        *,
        concurrency: int = 8,
        return_errors: bool = False,
        **options: Unpack[Options],
    ) -> AsyncGenerator[Answer | CascadeError, None]:
        """Answer many, ``concurrency`` at a time; answers come in the order of the prompts.

        An error ends it, unless ``return_errors`` puts it in its place in the order. A plain
        iterable is read on the event loop: where reading waits, give an asynchronous one.
        """
        from cascade.client.mapping import ordered

        async def one(prompt: Prompt) -> Answer:
            return await self.complete(prompt, **options)

        async with aclosing(ordered(one, prompts, concurrency, return_errors)) as answers:
            async for answer in answers:
                yield answer

    @property
    def totals(self) -> Totals:
        """What was done since it opened, and what that cost."""
        if self._engine is not None:
            return self._engine.totals
        if self._totals is None:
            from cascade.engine.totals import Totals

            return Totals()
        return self._totals

    @property
    def engine(self) -> Engine | None:
        """What answers, None while it is not open: for faces that are built on this one."""
        return self._engine

    async def open(self) -> Engine:
        """Open the cache and get ready to call; done by itself at the first request.

        It is opened once, however many ask for it and whoever of them leaves.

        Raises:
            Closed: it was closed before, or while it was being opened.
            ConfigError: the cache's directory cannot be used.
        """
        if self._engine is not None:
            return self._engine
        self._refuse_closed()
        if self._opening is None or self._opening.done():  # done without an engine: it failed
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(_look_at)
        elif self._opening.get_loop() is not asyncio.get_running_loop():
            raise CascadeError("It is being opened on another event loop: make one for each loop.")
        engine = await asyncio.shield(self._opening)
        self._refuse_closed()
        return engine

    async def _open(self) -> Engine:
        from cascade.client.opening import open_engine

        engine, self._close = await open_engine(
            self.tables, self._rule, self._transport, self._data_dir, self._environ
        )
        if not self._closed:
            self._engine = engine
        return engine

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Closed("This object was closed. Make a new one.")

    async def aclose(self) -> None:
        """Stop what is under way, write what waits to be written, close connections.

        It goes on when the caller is cancelled; calling it again waits for its end.
        """
        self._closed = True
        if self._closing is None or self._closing.done():
            self._closing = asyncio.create_task(self._shut())
        await asyncio.shield(self._closing)

    async def _shut(self) -> None:
        if self._opening is not None and not self._opening.done():
            await asyncio.wait({self._opening})
        engine, self._engine = self._engine, None
        if engine is not None:
            self._totals = engine.totals
        if self._close is not None:
            await self._close()
            self._close = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class AsyncStream:
    """A streamed answer: iterate its pieces of text; ``answer`` is there at its end.

    An async context manager. Leaving it before its end cancels the paid call.

    Attributes:
        request: what was asked.
    """

    def __init__(self, ai: AsyncCascade, request: Request) -> None:
        self._ai, self.request = ai, request
        self._answer: Answer | None = None
        self._departure: Departure | None = None

    @property
    def answer(self) -> Answer:
        """The whole answer with its provenance.

        Raises:
            CascadeError: the stream has not come to its end.
        """
        if self._answer is None:
            raise CascadeError("The stream has not ended: read it to its end first.")
        return self._answer

    async def __aenter__(self) -> Self:
        engine = await self._ai.open()
        seen = engine.look_up(self.request)
        begun = seen.answer or await engine.stream(self.request, seen)
        if isinstance(begun, Answer):
            self._answer = begun
        else:
            self._departure = begun
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        departure, self._departure = self._departure, None
        if departure is not None:
            departure.flight.leave()

    @property
    def id(self) -> str:
        """The answer's id, known from the start: what feedback and support need.

        Raises:
            CascadeError: the stream was not entered.
        """
        if self._departure is not None:
            return self._departure.id
        return self.answer.id

    @property
    def rung(self) -> str | None:
        """The rung that answers, as soon as it is known: with the first piece of a live stream,
        at the end of any other; None until then."""
        if self._answer is not None:
            return self._answer.rung
        return None if self._departure is None else self._departure.rung

    @property
    def known(self) -> Answer | None:
        """The whole answer as soon as it is known: before its first piece is read where it was
        held until accepted, at the end where it streams live. For faces built on this one.

        Raises:
            CascadeError: what came instead of an answer.
        """
        departure = self._departure
        if self._answer is None and departure is not None and departure.flight.run.done.done():
            self._answer = departure.answer(departure.flight.run.done.result())
        return self._answer

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """Read everything as it comes: text, reasoning, pieces of tool calls, log-probabilities.

        Raises:
            Broken: the stream died after its first byte had left.
            Failed: no answer could be had.
        """
        async for piece in self.events():
            if isinstance(piece, Delta):
                yield piece

    async def events(self) -> AsyncGenerator[Delta | Decision, None]:
        """Read everything as ``deltas`` does, and between it what is decided meanwhile: that a
        rung's draft is being checked, that the ladder is climbed."""
        async for batch in self.batches():
            for piece in batch:
                yield piece

    async def batches(self) -> AsyncGenerator[list[Delta | Decision], None]:
        """Read as ``events`` does, each time all that has come since: for faces built on this
        one, which pay for every step."""
        departure = self._departure
        if departure is None:
            if self._answer is None:
                raise CascadeError("The stream is not open: read it inside its `async with`.")
            from cascade.wire.replay import deltas_of

            yield list(deltas_of(self._answer.response))
            return
        assert departure.outlet is not None, "a streamed run has an outlet"
        async for batch in departure.outlet.batches():
            yield batch
        if self._answer is None:
            self._answer = departure.answer(await departure.flight.wait())

    async def __aiter__(self) -> AsyncIterator[str]:
        async for delta in self.deltas():
            if delta.text:
                yield delta.text


def _look_at(opening: asyncio.Task[Engine]) -> None:
    """Take note of a failure: when all who waited have left, nobody else will."""
    if not opening.cancelled():
        opening.exception()

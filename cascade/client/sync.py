"""``Cascade``: the same face without ``async``, over one event loop in a background thread."""

from __future__ import annotations

import sys
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from cascade.client.aio import AsyncCascade, AsyncStream
from cascade.client.asking import Options, Prompt, to_request
from cascade.client.background import Background
from cascade.client.face import Face, warn_of
from cascade.client.mapping import ordered_here
from cascade.errors import CascadeError
from cascade.types import Answer, Decision, Delta, Request, Tables

if TYPE_CHECKING:
    import httpx

    from cascade.engine.engine import Engine
    from cascade.engine.totals import Totals
    from cascade.policy.model import Rule


class Cascade(Face):
    """``AsyncCascade`` for code without ``async``: the same arguments, the same methods.

    Its requests run on one event loop in a background thread; what the cache holds is read on the
    caller's own. It may be shared between threads. Close it with ``with`` or ``close``.

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

    def __init__(
        self,
        *models: str,
        tables: Tables | None = None,
        rule: Rule | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        data_dir: Path | str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._ai = AsyncCascade(
            *models,
            tables=tables,
            rule=rule,
            transport=transport,
            data_dir=data_dir,
            environ=environ,
        )
        self._background = Background()

    def __del__(self) -> None:
        background = getattr(self, "_background", None)  # None where the constructor failed
        if background is None or background.ended or sys.is_finalizing():
            return
        was_open = self._ai.engine is not None
        background.abandon(self._ai.aclose)  # first: a warning may be an error
        if was_open:
            warn_of(self, "`with` or `close()`")

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
        engine = self._ai.engine or self._background.run(self._ai.open())
        request = to_request(prompt, options)
        return engine.recall(request) or self._background.run(_answer(engine, request))

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
        """As ``AsyncCascade.map``. The prompts are read on the caller's thread, as they are
        needed: reading them may wait, and may ask this object."""
        ai = self._ai

        def one(prompt: Prompt) -> Coroutine[Any, Any, Answer]:
            return ai.complete(prompt, **options)

        yield from ordered_here(self._background, one, prompts, concurrency, return_errors)

    def close(self) -> None:
        """Stop what is under way, write what waits to be written, end the thread."""
        self._background.end(self._ai.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Stream:
    """``AsyncStream`` for code without ``async``."""

    def __init__(self, ai: Cascade, stream: AsyncStream) -> None:
        self._ai = ai  # a stream that is read keeps it from being forgotten
        self._background, self._stream = ai._background, stream

    @property
    def answer(self) -> Answer:
        """The whole answer with its provenance, once the stream has ended."""
        return self._stream.answer

    def deltas(self) -> Iterator[Delta]:
        """Read everything as it comes."""
        for piece in self.events():
            if isinstance(piece, Delta):
                yield piece

    def events(self) -> Iterator[Delta | Decision]:
        """Read everything as it comes, and between it what is decided meanwhile."""
        with closing(self._background.drain(self._stream.batches())) as batches:
            for batch in batches:
                yield from batch

    def __iter__(self) -> Iterator[str]:
        for delta in self.deltas():
            if delta.text:
                yield delta.text

    def __enter__(self) -> Self:
        try:
            self._background.run(self._stream.__aenter__())
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
        self._background.let_go(self._stream.__aexit__(kind, error, trace))


async def _answer(engine: Engine, request: Request) -> Answer:
    """Look again before calling: on the way here another thread's answer may have been stored."""
    seen = engine.look_up(request)
    return seen.answer or await engine.answer(request, seen)

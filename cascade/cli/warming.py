"""One run of ``cascade warm``: its workers, its counts, its money."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from cascade.cache.rules.shelf import may_store
from cascade.cli.output import say, usd
from cascade.cli.progress import Progress, progress
from cascade.client import AsyncCascade
from cascade.engine.engine import Engine
from cascade.engine.totals import Totals
from cascade.errors import CascadeError, ConfigError, Failed, RequestError
from cascade.server.names import Names, UnknownModelError
from cascade.types import Answer, Message, Request, Tables
from cascade.wire.openai_chat import decode_request


class Warming:
    """One run over a file: what was done so far, and what that cost."""

    def __init__(
        self, file: Path, lines: list[tuple[int, bytes]], concurrency: int, refresh: bool
    ) -> None:
        self.warmed = self.already = self.failed = 0
        self.cost_usd: float | None = 0.0
        self._file, self._lines = file, lines
        self._concurrency, self._refresh = concurrency, refresh
        self._asked: set[Request] = set()
        self._started = time.monotonic()
        self._seconds = 0.0

    @property
    def done(self) -> int:
        """Requests that are through, whatever became of them."""
        return self.warmed + self.already + self.failed

    def as_object(self) -> dict[str, int | float | None]:
        """What ``--json`` prints."""
        return {
            "requests": len(self._lines),
            "warmed": self.warmed,
            "already": self.already,
            "failed": self.failed,
            "cost_usd": self.cost_usd,
            "seconds": round(self._seconds, 3),
        }

    def summary(self) -> str:
        """The same in words."""
        return (
            f"{self.done:,} of {len(self._lines):,} requests: {self.warmed:,} warmed, "
            f"{self.already:,} already there, {self.failed:,} failed; "
            f"cost {usd(self.cost_usd)}, {self._seconds:.1f} s"
        )

    async def run(self, tables: Tables) -> None:
        """Warm every line, ``concurrency`` at a time.

        Raises:
            ConfigError: what no line could get around, such as a missing key.
        """
        names = Names(tables)
        waiting = iter(self._lines)
        ai = AsyncCascade(tables=tables)
        try:
            async with ai:
                engine = await ai.open()
                with progress(len(self._lines)) as bar:
                    async with asyncio.TaskGroup() as workers:
                        for _ in range(self._concurrency):
                            workers.create_task(self._work(waiting, engine, names, bar))
        except* ConfigError as errors:
            raise _first(errors) from None
        finally:
            self._measure(ai.totals)  # only now every call has its bill

    async def _work(
        self,
        waiting: Iterator[tuple[int, bytes]],
        engine: Engine,
        names: Names,
        bar: Progress,
    ) -> None:
        for number, line in waiting:
            try:
                await self._one(line, engine, names)
            except ConfigError:
                raise
            except CascadeError as error:
                self.failed += 1
                say(f"{self._file}, line {number}: {error}")
            self._measure(engine.totals)
            bar.show(self.done, usd(self.cost_usd))

    async def _one(self, line: bytes, engine: Engine, names: Names) -> None:
        """Warm one line.

        Raises:
            CascadeError: there is no answer to it, or none that may be kept.
        """
        request = _request(line, names)
        _must_be_kept(request, engine)
        if self._refresh:
            if request in self._asked:
                self.already += 1
                return
            self._asked.add(request)
            request = replace(request, cache="refresh")
        elif engine.recall(request) is not None:
            self.already += 1
            return
        answer = await engine.answer(request)
        if answer.cache == "collapsed":
            self.already += 1
            return
        if engine.recall(replace(request, cache="use")) is None:
            raise _not_kept(answer)
        self.warmed += 1

    def _measure(self, totals: Totals) -> None:
        self.cost_usd = None if totals.unpriced else totals.spent_usd
        self._seconds = time.monotonic() - self._started


def _first(errors: BaseExceptionGroup[Exception]) -> BaseException:
    """One of them speaks for all: they come from the same configuration."""
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def read_lines(file: Path) -> list[tuple[int, bytes]]:
    """The lines with their numbers, from 1; empty ones are left out.

    Raises:
        RequestError: the file cannot be read, or is no text. A binary file has thousands of
            "lines", and a model would answer every one of them for money.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise RequestError(
            str(file), None, f"it cannot be read: {error.strerror}", "Check the path."
        ) from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    lines = list(enumerate(content.split(b"\n"), start=1))
    for number, line in lines:
        _must_be_text(line, f"{file}, line {number}")
    return [(number, line.strip()) for number, line in lines if line.strip()]


def _must_be_text(line: bytes, place: str) -> None:
    mend = "Give a text file in UTF-8, one request per line. Nothing was asked yet."
    if (at := line.find(b"\0")) >= 0:
        problem = f"byte {at} of the line is NUL, which no text holds"
        raise RequestError(place, None, problem, mend)
    try:
        line.decode()
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} of the line is not UTF-8"
        raise RequestError(place, None, problem, mend) from None


def _request(line: bytes, names: Names) -> Request:
    """Read a line as the server would read a body, so that the server finds what is warmed."""
    if line.startswith(b"{"):
        incoming = decode_request(line)
        try:
            return names.aim(incoming.request, incoming.model)
        except UnknownModelError:
            raise RequestError(
                "model",
                incoming.model,
                "there is no ladder, rung or alias of this name",
                'Write "auto", or see cascade check.',
            ) from None
    return Request(messages=(Message("user", line.decode()),))


def _must_be_kept(request: Request, engine: Engine) -> None:
    """Refuse, before anything is paid, what the cache would not keep."""
    if not may_store(request, engine.tables.cache):
        raise RequestError(
            "the request",
            None,
            "its answer may not be kept",
            'Leave out temperature, tools and "cache": "off", or see [cache]; '
            "questions about the asker are kept with per_user = true only.",
        )


def _not_kept(answer: Answer) -> Exception:
    reason = (
        answer.story() if answer.outcome != "accepted" else f"it ended with {answer.finish_reason}"
    )
    return Failed(f"it was answered, but the answer may not be kept: {reason}", answer.attempts)

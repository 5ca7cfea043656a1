"""A caller that goes away stops the paid call, is recorded, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cascade import AsyncCascade
from cascade.engine import estimate
from tests.engine.scripted import Exchange, Provider, dies, hangs, provider, says
from tests.engine.setting import LADDER, STRONG, Step, opened, until

pytestmark = pytest.mark.anyio

SOON = 1.0
"""Seconds within which the provider sees the caller leave: 100 ms and room for a busy machine."""

ALONE = (STRONG,)
ENDLESS = hangs(10_000, gap=0.005)

Leaving = Callable[[AsyncCascade, Provider, str], Awaitable[float]]
"""Begins a request, leaves it, and returns when it left (``time.monotonic()``)."""


async def by_leaving_the_stream(ai: AsyncCascade, one: Provider, question: str) -> float:
    async with ai.stream(question) as stream:
        async for _ in stream:
            break
        return time.monotonic()


async def by_an_error_in_the_stream(ai: AsyncCascade, one: Provider, question: str) -> float:
    with pytest.raises(ZeroDivisionError):
        await _fail_while_reading(ai, question)
    return time.monotonic()


async def _fail_while_reading(ai: AsyncCascade, question: str) -> None:
    async with ai.stream(question) as stream:
        async for _ in stream:
            raise ZeroDivisionError


async def by_cancelling_the_reader(ai: AsyncCascade, one: Provider, question: str) -> float:
    reading = asyncio.Event()

    async def read() -> None:
        async with ai.stream(question) as stream:
            async for _ in stream:
                reading.set()

    task = asyncio.create_task(read())
    await reading.wait()
    return await _cancel(task)


async def by_cancelling_the_task(ai: AsyncCascade, one: Provider, question: str) -> float:
    before = len(one.asked("strong"))
    task = asyncio.create_task(ai.complete(question))
    await until(lambda: len(one.asked("strong")) > before)
    return await _cancel(task)


async def by_a_timeout(ai: AsyncCascade, one: Provider, question: str) -> float:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ai.complete(question)
    return time.monotonic()


async def by_leaving_before_the_first_piece(
    ai: AsyncCascade, one: Provider, question: str
) -> float:
    before = len(one.asked("strong"))
    async with ai.stream(question):
        await until(lambda: len(one.asked("strong")) > before)
        return time.monotonic()


async def _cancel(task: asyncio.Task[object]) -> float:
    task.cancel()
    left = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    return left


async def _leave(
    tmp_path: Path,
    steps: tuple[Step, ...],
    leaving: Leaving,
    scripts: dict[str, Callable[[Exchange], Awaitable[None]]],
    calls: int = 1,
) -> None:
    """Leave one request, and look at what the provider and the totals say afterwards."""
    async with provider() as one, opened(one.url, tmp_path, steps) as ai:
        for model, script in scripts.items():
            one.on(model, script)
        left = await leaving(ai, one, "Which rivers meet in Koblenz?")
        last = one.calls[-1]
        async with asyncio.timeout(SOON):
            await last.closed.wait()
        assert last.left_early
        assert last.closed_at is not None
        print(f"upstream closed {(last.closed_at - left) * 1e3:.1f} ms after the caller left")
        await until(lambda: ai.totals.by_outcome["cancelled"] == 1)
        assert len(one.calls) == ai.totals.calls == calls
        assert ai.totals.estimated == 1
        assert ai.totals.spent > 0
        await until(
            lambda: not any(call.closed_at is None and not call.finished for call in one.calls)
        )


@pytest.mark.parametrize(
    "leaving", [by_leaving_the_stream, by_an_error_in_the_stream, by_cancelling_the_reader]
)
async def test_leaving_in_mid_stream(tmp_path: Path, leaving: Leaving) -> None:
    await _leave(tmp_path, ALONE, leaving, {"strong": ENDLESS})


@pytest.mark.parametrize("script", [hangs(), hangs(head=True)])
@pytest.mark.parametrize(
    "leaving", [by_cancelling_the_task, by_a_timeout, by_leaving_before_the_first_piece]
)
async def test_leaving_before_the_first_byte(
    tmp_path: Path, leaving: Leaving, script: Callable[[Exchange], Awaitable[None]]
) -> None:
    await _leave(tmp_path, ALONE, leaving, {"strong": script})


@pytest.mark.parametrize(
    "leaving",
    [by_a_timeout, by_cancelling_the_task, by_leaving_before_the_first_piece],
)
async def test_leaving_during_a_climb(tmp_path: Path, leaving: Leaving) -> None:
    scripts = {"small": says("perhaps", logprob=-3.0), "strong": hangs()}
    await _leave(tmp_path, LADDER, leaving, scripts, calls=2)


async def test_leaving_while_a_held_draft_is_coming(tmp_path: Path) -> None:
    held = (Step("strong"), Step("stronger", accept=None))
    await _leave(tmp_path, held, by_leaving_before_the_first_piece, {"strong": ENDLESS})


async def test_leaving_while_waiting_to_try_again_starts_no_call(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", dies())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await ai.complete("Which rivers meet in Koblenz?")
        await until(lambda: ai.totals.by_outcome["cancelled"] == 1)
        await asyncio.sleep(0.3)
        assert len(one.calls) == 1


async def test_leaving_while_an_answer_without_usage_is_counted_keeps_the_bill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting, go_on = threading.Event(), threading.Event()
    real = estimate.count_whole

    def slow(*args: object, **options: object) -> object:
        counting.set()
        go_on.wait(5)
        return real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("cascade.engine.attempt.count_whole", slow)
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", says("a whole answer", usage=None))
        task = asyncio.create_task(ai.complete("Which rivers meet in Koblenz?"))
        await until(counting.is_set)
        await _cancel(task)
        go_on.set()
        await until(lambda: ai.totals.by_outcome["cancelled"] == 1)
        assert ai.totals.estimated == 1
        assert ai.totals.spent > 0


async def test_a_request_that_is_left_before_its_call_began_costs_nothing(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        async with ai.stream("Which rivers meet in Koblenz?"):
            pass
        await until(lambda: ai.totals.by_outcome["cancelled"] == 1)
        assert ai.totals.spent == 0
        assert one.calls == []


async def test_the_connection_of_a_whole_answer_survives_leaving_after_it(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        for _ in range(3):
            async with ai.stream("Which rivers meet in Koblenz?") as stream:
                async for _ in stream:
                    pass
        assert one.connections == 1
        assert ai.totals.by_outcome == {"accepted": 3}


@pytest.mark.parametrize(
    "times", [pytest.param(50, id="50"), pytest.param(1000, id="1000", marks=pytest.mark.slow)]
)
async def test_nothing_is_left_of_many_departures(tmp_path: Path, times: int) -> None:
    ways: list[Leaving] = [
        by_leaving_the_stream,
        by_cancelling_the_reader,
        by_cancelling_the_task,
        by_leaving_before_the_first_piece,
    ]
    lags: list[float] = []
    async with provider() as one, opened(one.url, tmp_path, LADDER, cache={}) as ai:
        one.on("strong", ENDLESS)
        one.on("small", says("perhaps", logprob=-3.0))
        await ways[0](ai, one, "the first opens what stays open")
        await until(lambda: len(one.open) <= 1)
        tasks, files = len(asyncio.all_tasks()), _open_files()
        began = time.monotonic()
        for number in range(times):
            left = await ways[number % len(ways)](ai, one, f"question {number}")
            last = one.calls[-1]
            async with asyncio.timeout(SOON):
                await last.closed.wait()
            lags.append((last.closed_at or 0.0) - left)
        await until(lambda: ai.totals.by_outcome["cancelled"] == times + 1)
        await until(lambda: len(asyncio.all_tasks()) <= tasks and _open_files() <= files)
        lags.sort()
        print(
            f"{times} departures in {time.monotonic() - began:.1f} s; upstream closed after"
            f" {statistics.median(lags) * 1e3:.1f} ms (median), {lags[-1] * 1e3:.1f} ms (worst)"
        )
        assert ai.totals.calls == len(one.calls)
        assert ai.totals.spent > 0


def _open_files() -> int:
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - a list of descriptors, no files
        pytest.skip("this system does not list a process's open files")
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

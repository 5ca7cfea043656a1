"""Closing: what is under way is stopped and recorded, what waits to be written is written."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from cascade import Answer, AsyncCascade, CascadeError
from cascade.errors import Closed
from cascade.policy.machine import Step, step
from cascade.policy.model import Event, Plan, Rule, State, Woke
from tests.engine.scripted import hangs, provider, says
from tests.engine.setting import STRONG, opened, read, tables, until

pytestmark = pytest.mark.anyio

QUESTION = "Which rivers meet in Koblenz?"
ALONE = (STRONG,)


async def test_closing_stops_what_is_under_way_and_tells_its_callers(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", hangs())
        waiting = [asyncio.create_task(ai.complete(QUESTION)) for _ in range(3)]
        waiting.append(asyncio.create_task(ai.complete("another")))
        await until(lambda: len(one.calls) == 2)
        await ai.aclose()
        for task in waiting:
            with pytest.raises(Closed, match="closed"):
                await task
        assert ai.totals.by_outcome == {"cancelled": 2}
        assert ai.totals.estimated == 2
        assert ai.totals.spent > 0
        assert len(one.calls) == 2, "a waiter went on alone after the end"
        await until(lambda: not one.open)


async def test_giving_up_a_close_takes_no_answer_from_those_that_wait(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", hangs())
        waiting = asyncio.create_task(ai.complete(QUESTION))
        await until(lambda: one.calls)
        assert ai.engine is not None
        closing = asyncio.create_task(ai.engine._runs.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(CascadeError):
            await waiting
        assert ai.totals.by_outcome == {"cancelled": 1}


async def test_closing_ends_a_stream_that_is_being_read(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", hangs(10_000, gap=0.005))
        texts: list[str] = []
        reading = asyncio.create_task(read(ai, QUESTION, texts))
        await until(lambda: texts)
        await ai.aclose()
        with pytest.raises(Closed):
            await reading
        await until(lambda: not one.open)


async def test_what_was_answered_last_is_on_the_disk_after_closing(tmp_path: Path) -> None:
    settings_of = tables
    async with provider() as one:
        settings = settings_of(one.url, tmp_path, ALONE, cache={})
        async with AsyncCascade(tables=settings, data_dir=tmp_path) as ai:
            await asyncio.gather(*(ai.complete(f"question {number}") for number in range(100)))
        async with AsyncCascade(tables=settings, data_dir=tmp_path) as ai:
            for number in range(100):
                answer = await ai.complete(f"question {number}", cache="only")
                assert answer.cache == "exact"
        assert len(one.calls) == 100


async def test_connections_are_closed_at_the_end(tmp_path: Path) -> None:
    async with provider() as one:
        async with opened(one.url, tmp_path, ALONE) as ai:
            await ai.complete(QUESTION)
            assert len(one.open) == 1
        await until(lambda: not one.open)
        gc.collect()  # what was not closed would warn now, and a warning is an error here


async def test_nothing_can_be_asked_after_the_end(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        first = await ai.complete(QUESTION)
        await ai.aclose()
        with pytest.raises(Closed, match="Make a new one"):
            await ai.complete(QUESTION)
        with pytest.raises(Closed):
            await ai.complete("another")
        with pytest.raises(Closed):
            async with ai.stream(QUESTION):
                pass
        assert isinstance(first, Answer)
        assert ai.totals.spent == first.cost
        await ai.aclose()


async def test_one_that_was_never_used_closes_too(tmp_path: Path) -> None:
    ai = AsyncCascade(tables=tables("http://127.0.0.1:9/v1", tmp_path, ALONE), data_dir=tmp_path)
    assert ai.totals.calls == 0
    await ai.aclose()
    with pytest.raises(Closed):
        await ai.open()


async def test_closing_while_opening_leaves_nothing_open(tmp_path: Path) -> None:
    settings = tables("http://127.0.0.1:9/v1", tmp_path, ALONE, cache={})
    ai = AsyncCascade(tables=settings, data_dir=tmp_path)
    opening = [asyncio.create_task(ai.open()) for _ in range(3)]
    await asyncio.sleep(0)
    await ai.aclose()
    found = await asyncio.gather(*opening, return_exceptions=True)
    assert isinstance(found[1], Closed) or found[0] is found[1]
    with pytest.raises(Closed):
        await ai.complete(QUESTION)


async def test_it_opens_once_however_many_ask_first(tmp_path: Path) -> None:
    async with provider() as one:
        settings = tables(one.url, tmp_path, ALONE)
        ai = AsyncCascade(tables=settings, data_dir=tmp_path)
        engines = await asyncio.gather(*(ai.open() for _ in range(5)))
        assert len(set(map(id, engines))) == 1
        await ai.aclose()


def test_one_loops_object_is_refused_on_another(tmp_path: Path) -> None:
    async def first(ai: AsyncCascade) -> None:
        await ai.open()

    async def second(ai: AsyncCascade) -> None:
        with pytest.raises(CascadeError, match="another event loop"):
            await ai.complete(QUESTION)
        await ai.aclose()

    settings = tables("http://127.0.0.1:9/v1", tmp_path, ALONE)
    ai = AsyncCascade(tables=settings, data_dir=tmp_path)
    asyncio.run(first(ai))
    asyncio.run(second(ai))


async def test_a_broken_rule_of_the_users_is_no_choice_and_hangs_nobody(tmp_path: Path) -> None:
    def broken(view: object, moves: object) -> None:
        raise ZeroDivisionError

    async with provider() as one:
        settings = tables(one.url, tmp_path, ALONE)
        async with AsyncCascade(tables=settings, data_dir=tmp_path, rule=broken) as ai:
            with pytest.raises(CascadeError):
                await ai.complete(QUESTION)


async def test_a_defect_of_ours_reaches_the_caller_instead_of_hanging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*args: object, **options: object) -> None:
        raise ZeroDivisionError("planted")

    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        with monkeypatch.context() as patch:
            patch.setattr("cascade.checks.structure.inspect", defect)
            with pytest.raises(ZeroDivisionError, match="planted"):
                await ai.complete(QUESTION)
            with pytest.raises(ZeroDivisionError, match="planted"):
                await read(ai, QUESTION)
        with monkeypatch.context() as patch:
            patch.setattr("cascade.engine.loop.step", defect)
            with pytest.raises(ZeroDivisionError, match="planted"):
                await ai.complete(QUESTION)
        one.on("strong", says("after all"))
        assert str(await ai.complete(QUESTION)) == "after all"


async def test_a_defect_in_a_timer_reaches_the_caller_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(plan: Plan, rule: Rule, state: State, event: Event, now: float) -> Step:
        if isinstance(event, Woke):
            raise ZeroDivisionError("planted")
        return step(plan, rule, state, event, now)

    monkeypatch.setattr("cascade.engine.loop.step", defect)
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", hangs())
        with pytest.raises(ZeroDivisionError, match="planted"):
            await ai.complete(QUESTION, deadline=0.1)
        await one.calls[0].closed.wait()

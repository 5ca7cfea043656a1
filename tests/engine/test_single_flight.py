"""Identical requests under way share one call, each on its own terms."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from cascade import Answer, AsyncCascade, DeadlineExceeded, Failed
from tests.engine.scripted import Exchange, Script, fails, hangs, provider, says
from tests.engine.setting import LADDER, SMALL, STRONG, Step, opened, read, until

pytestmark = pytest.mark.anyio

QUESTION = "Which rivers meet in Koblenz?"
ALONE = (STRONG,)
SLOW = says(["the ", "Rhine"], before=0.1)


def ask(ai: AsyncCascade, **options: Any) -> asyncio.Task[Answer]:
    return asyncio.create_task(ai.complete(QUESTION, **options))


async def test_a_crowd_with_one_question_makes_one_call(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", SLOW)
        answers = await asyncio.gather(*(ai.complete(QUESTION) for _ in range(50)))
        assert len(one.calls) == 1
        assert {answer.text for answer in answers} == {"the Rhine"}
        assert sorted(answer.cache for answer in answers) == ["collapsed"] * 49 + ["miss"]
        assert sum(answer.cost or 0 for answer in answers) == ai.totals.spent > 0
        collapsed = next(answer for answer in answers if answer.cache == "collapsed")
        assert collapsed.story().startswith("Shared with an identical request in flight")
        assert collapsed.latency_s >= 0.05
        assert ai.totals.by_outcome == {"accepted": 1}


async def test_streams_and_whole_answers_share_a_call(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", SLOW)
        first = ask(ai)
        texts: list[list[str]] = [[], [], []]
        streamed = await asyncio.gather(*(read(ai, QUESTION, into) for into in texts))
        assert (await first).text == "the Rhine"
        assert {"".join(pieces) for pieces in texts} == {"the Rhine"}
        assert {answer.cache for answer in streamed} == {"collapsed"}
        assert len(one.calls) == 1


async def test_a_live_stream_can_be_joined(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", says(["the ", "Rhine"], gap=0.05))
        leader = asyncio.create_task(read(ai, QUESTION))
        await until(lambda: one.calls)
        assert (await ask(ai)).text == "the Rhine"
        assert (await leader).cache == "miss"
        assert len(one.calls) == 1


async def test_different_questions_do_not_share(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", SLOW)
        await asyncio.gather(
            ai.complete(QUESTION), ai.complete(QUESTION + " "), ai.complete(QUESTION, max_tokens=9)
        )
        assert len(one.calls) == 3


@pytest.mark.parametrize(
    "options", [{"cache": "refresh"}, {"cache": "off"}, {"max_age": 0}, {"temperature": 0.7}]
)
async def test_who_wants_a_fresh_answer_never_joins(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", SLOW)
        await asyncio.gather(*(ai.complete(QUESTION, **options) for _ in range(3)))
        assert len(one.calls) == 3


async def test_a_waiter_keeps_its_own_deadline(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", says("late", before=0.5))
        leader, waiter = ask(ai), ask(ai, deadline=0.1)
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="identical request"):
            await waiter
        assert time.monotonic() - began < 0.4
        assert (await leader).text == "late"
        assert len(one.calls) == 1


async def test_a_leader_that_leaves_does_not_stop_the_others(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", SLOW)
        leader, waiter = ask(ai), ask(ai)
        await until(lambda: one.calls)
        leader.cancel()
        assert (await waiter).text == "the Rhine"
        assert len(one.calls) == 1
        assert not one.calls[0].left_early


async def test_a_streaming_leader_that_leaves_does_not_stop_the_others(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", says(["the ", "Rhine"], gap=0.05))
        async with ai.stream(QUESTION) as stream:
            await anext(aiter(stream))
            waiter = ask(ai)
            await asyncio.sleep(0)
        assert (await waiter).text == "the Rhine"
        assert len(one.calls) == 1


async def test_when_the_last_one_leaves_the_call_is_stopped(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", hangs(), SLOW)
        waiting = [ask(ai) for _ in range(3)]
        await until(lambda: one.calls)
        for task in waiting[:2]:
            task.cancel()
        await asyncio.sleep(0.05)
        assert not one.calls[0].left_early
        waiting[2].cancel()
        await one.calls[0].closed.wait()
        # One that comes while the bill of the stopped call is still being made starts afresh.
        assert (await ask(ai)).text == "the Rhine"
        assert len(one.calls) == 2


async def test_after_a_failed_call_the_waiters_go_on_one_at_a_time(tmp_path: Path) -> None:
    step = Step("strong", accept=None, settings={"calls": 1})
    under_way = highest = 0

    async def script(exchange: Exchange) -> None:
        nonlocal under_way, highest
        under_way += 1
        highest = max(highest, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        later = says("at last") if len(one.calls) == 4 else fails(503)
        await later(exchange)

    async with provider() as one, opened(one.url, tmp_path, (step,), cache={}) as ai:
        one.on("strong", script)
        found = await asyncio.gather(*(ask(ai) for _ in range(20)), return_exceptions=True)
        assert highest == 1, "a stampede"
        assert len(one.calls) == 4
        failed = [each for each in found if isinstance(each, Failed)]
        assert len(failed) == 3
        answers = [each for each in found if isinstance(each, Answer)]
        assert {answer.text for answer in answers} == {"at last"}
        assert sorted(answer.cache for answer in answers) == ["collapsed"] * 16 + ["miss"]


async def test_an_answer_that_would_not_do_for_the_waiter_is_not_given_to_it(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, LADDER, cache={}) as ai:
        one.on("small", says("cheap", before=0.05, logprob=-3.0))
        one.on("strong", says("dear"))
        leader = ask(ai, quality="cheapest")
        waiters = [ask(ai) for _ in range(3)]
        assert (await leader).text == "cheap"
        assert [(await waiter).text for waiter in waiters] == ["dear"] * 3
        assert sorted([(await waiter).cache for waiter in waiters]) == [
            "collapsed",
            "collapsed",
            "miss",
        ]
        assert len(one.asked("strong")) == 1


async def test_a_best_effort_answer_is_its_askers_alone(tmp_path: Path) -> None:
    steps = (SMALL, Step("strong", accept=None, settings={"calls": 1}))
    scripts: list[Script] = [fails(500), says("dear")]
    async with provider() as one, opened(one.url, tmp_path, steps, cache={}) as ai:
        one.on("small", says("perhaps", before=0.05, logprob=-3.0))
        one.on("strong", *scripts)
        leader, waiter = ask(ai), ask(ai)
        assert (await leader).outcome == "best_effort"
        assert ((await waiter).outcome, (await waiter).text) == ("accepted", "dear")


async def test_the_next_in_line_has_what_is_left_of_its_own_deadline(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", hangs())
        began = time.monotonic()
        leader, waiter = ask(ai, deadline=0.3), ask(ai, deadline=0.6)
        with pytest.raises(DeadlineExceeded):
            await leader
        with pytest.raises(DeadlineExceeded):
            await waiter
        assert 0.55 < time.monotonic() - began < 2.0
        assert len(one.calls) == 2


async def test_a_call_that_began_longer_ago_than_an_answer_may_be_old_is_not_joined(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", says(["the ", "Rhine"], before=0.3))
        leader = ask(ai)
        await until(lambda: one.calls)
        await asyncio.sleep(0.05)
        patient, choosy = ask(ai, max_age=60), ask(ai, max_age=0.01)
        found = [(await task).cache for task in (leader, patient, choosy)]
        assert found == ["miss", "collapsed", "miss"]
        assert len(one.calls) == 2

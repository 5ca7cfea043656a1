"""A call that shows no first token gets a second one beside it; the first answer wins."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.engine.scripted import fails, hangs, provider, says
from tests.engine.setting import STRONG, Step, opened, until

pytestmark = pytest.mark.anyio

QUESTION = "Which rivers meet in Koblenz?"
PAIR = Step(
    "small", endpoints=("one/small-a", "two/small-b"), accept=None, settings={"hedge": 0.05}
)


async def test_the_other_endpoint_is_called_beside_a_silent_one(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, (PAIR,)) as ai:
        one.on("small-a", hangs())
        answer = await ai.complete(QUESTION)
        assert answer.endpoint == "two/small-b"
        assert [attempt.result for attempt in answer.attempts] == ["hedge_lost", "accepted"]
        lost = answer.attempts[0]
        assert lost.estimated
        assert answer.cost == ai.totals.spent == (lost.cost or 0) + 14_000_000
        await one.calls[0].closed.wait()
        assert lost.latency_s >= 0.05
        assert "hedge" not in answer.story()


async def test_a_call_that_has_begun_to_answer_is_not_hedged(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, (PAIR,)) as ai:
        one.on("small-a", says(["slow ", "but ", "sure"], gap=0.06))
        answer = await ai.complete(QUESTION)
    assert answer.text == "slow but sure"
    assert len(one.calls) == 1


async def test_the_first_call_may_still_win(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, (PAIR,)) as ai:
        one.on("small-a", says("first", before=0.15))
        one.on("small-b", hangs())
        answer = await ai.complete(QUESTION)
        assert answer.text == "first"
        assert [attempt.result for attempt in answer.attempts] == ["accepted", "hedge_lost"]
        await one.calls[1].closed.wait()


async def test_a_hedge_is_the_remedy_when_the_first_call_fails(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, (PAIR,)) as ai:
        one.on("small-a", fails(503, before=0.1))
        one.on("small-b", says("second", before=0.1))
        answer = await ai.complete(QUESTION)
    assert answer.text == "second"
    assert [attempt.result for attempt in answer.attempts] == ["failed", "accepted"]
    assert len(one.calls) == 2


async def test_without_another_endpoint_the_next_rung_is_the_hedge(tmp_path: Path) -> None:
    alone = Step("small", accept=None, settings={"hedge": 0.05})
    async with provider() as one, opened(one.url, tmp_path, (alone, STRONG)) as ai:
        one.on("small", hangs())
        answer = await ai.complete(QUESTION)
    assert answer.rung == "strong"
    assert answer.attempts[0].result == "hedge_lost"


async def test_one_hedge_is_enough(tmp_path: Path) -> None:
    three = Step(
        "small",
        endpoints=("one/small-a", "two/small-b", "one/small-c"),
        accept=None,
        settings={"hedge": 0.05},
    )
    async with provider() as one, opened(one.url, tmp_path, (three,)) as ai:
        for model in ("small-a", "small-b"):
            one.on(model, says(model, before=0.4))
        answer = await ai.complete(QUESTION)
    assert answer.text == "small-a"
    assert len(one.calls) <= 3


async def test_a_live_stream_takes_the_first_that_speaks(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, (PAIR,)) as ai:
        one.on("small-a", hangs())
        one.on("small-b", says(["b ", "speaks"], gap=0.02))
        async with ai.stream(QUESTION) as stream:
            assert [text async for text in stream] == ["b ", "speaks"]
        assert [attempt.result for attempt in stream.answer.attempts] == ["hedge_lost", "accepted"]


async def test_two_live_calls_never_mix(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, (PAIR,)) as ai:
        one.on("small-a", says(["a "] * 10, before=0.08, gap=0.005))
        one.on("small-b", says(["b "] * 10, before=0.03, gap=0.005))
        for _ in range(5):
            async with ai.stream(QUESTION) as stream:
                texts = [text async for text in stream]
            assert len(texts) == 10
            assert len(set(texts)) == 1


async def test_leaving_stops_both(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, (PAIR,)) as ai:
        one.on("small-a", hangs())
        one.on("small-b", hangs(head=True))
        task = asyncio.create_task(ai.complete(QUESTION))
        await until(lambda: len(one.calls) == 2)
        task.cancel()
        async with asyncio.timeout(1):
            await asyncio.gather(*(call.closed.wait() for call in one.calls))
        await until(lambda: ai.totals.by_outcome["cancelled"] == 1)
        assert ai.totals.estimated == 2

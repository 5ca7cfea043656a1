"""Many requests at a time, answers in their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cascade import Answer, CascadeError, Failed
from tests.engine.scripted import Exchange, fails, hangs, provider, says
from tests.engine.setting import STRONG, opened, until

pytestmark = pytest.mark.anyio

ALONE = (STRONG,)


async def echo(exchange: Exchange) -> None:
    """Answer with the question, the later ones sooner."""
    word = exchange.received.body["messages"][-1]["content"]
    await says(word, before=0.05 / (1 + int(word)))(exchange)


async def test_answers_come_in_the_order_of_the_questions(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", echo)
        found = [str(answer) async for answer in ai.map(map(str, range(20)), concurrency=5)]
    assert found == [str(number) for number in range(20)]


async def test_no_more_are_under_way_than_asked_for(tmp_path: Path) -> None:
    under_way = highest = 0

    async def script(exchange: Exchange) -> None:
        nonlocal under_way, highest
        under_way += 1
        highest = max(highest, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        await says()(exchange)

    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", script)
        found = [answer async for answer in ai.map(map(str, range(12)), concurrency=3)]
    assert len(found) == 12
    assert highest == 3


async def test_questions_are_taken_as_they_are_needed(tmp_path: Path) -> None:
    taken = 0

    def questions() -> Iterator[str]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield str(number)

    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        async for _ in ai.map(questions(), concurrency=4):
            break
        assert taken <= 5


async def test_an_error_ends_it_and_stops_the_others(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", fails(401, before=0.05), hangs())
        with pytest.raises(Failed):
            async for _ in ai.map(["a", "b", "c"], concurrency=3):
                pass
        await until(lambda: ai.totals.by_outcome["cancelled"] == 2)
        await until(lambda: all(call.left_early for call in one.calls[1:]))


async def test_errors_take_their_place_in_the_order_on_request(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", says("one"), fails(400), says("three"))
        found: list[Any] = [
            each async for each in ai.map(["a", "", "b", "c"], concurrency=1, return_errors=True)
        ]
    assert [isinstance(each, Answer) for each in found] == [True, False, False, True]
    assert all(isinstance(each, CascadeError) for each in found[1:3])
    assert "empty" in str(found[1])


async def test_leaving_early_stops_what_is_under_way(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", says(), hangs())
        answers = ai.map(["a", "b", "c"], concurrency=3)
        assert str(await anext(answers)) == "fine"
        await until(lambda: len(one.calls) == 3)
        await answers.aclose()
        await until(lambda: ai.totals.by_outcome["cancelled"] == 2)


async def test_cancelling_the_reader_stops_what_is_under_way(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", hangs())

        async def read() -> None:
            async for _ in ai.map(["a", "b", "c"], concurrency=2):
                pass

        task = asyncio.create_task(read())
        await until(lambda: len(one.calls) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: ai.totals.by_outcome["cancelled"] == 2)
        assert len(one.calls) == 2


async def test_an_answer_does_not_wait_for_the_next_question(tmp_path: Path) -> None:
    answered = asyncio.Event()

    async def questions() -> AsyncIterator[str]:
        yield "1"
        await answered.wait()  # what a conversation does
        yield "2"

    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", echo)
        found = []
        async for answer in ai.map(questions(), concurrency=8):
            found.append(str(answer))
            answered.set()
    assert found == ["1", "2"]


async def test_nothing_asked_is_nothing_answered(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        assert [each async for each in ai.map([])] == []
        with pytest.raises(ValueError, match="give at least 1"):
            await anext(ai.map(["a"], concurrency=0))


async def test_options_hold_for_every_question(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        async for _ in ai.map(["a", "b"], system="Be brief.", max_tokens=7):
            pass
    assert {call.body["max_tokens"] for call in one.calls} == {7}
    assert {call.body["messages"][0]["content"] for call in one.calls} == {"Be brief."}

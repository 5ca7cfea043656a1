"""What is kept, for whom it will do, and how a request says what it wants of the cache."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cascade import NotCached
from tests.engine.scripted import fails, provider, says
from tests.engine.setting import opened, read

pytestmark = pytest.mark.anyio

QUESTION = "Which rivers meet in Koblenz?"


async def test_a_request_says_what_it_wants_of_the_cache(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, cache={}) as ai:
        with pytest.raises(NotCached, match="cache='use'"):
            await ai.complete(QUESTION, cache="only")
        one.on("small", says("first"), says("second"), says("third"), says("fourth"))
        assert (await ai.complete(QUESTION, cache="off")).cache == "off"
        with pytest.raises(NotCached):
            await ai.complete(QUESTION, cache="only")
        assert str(await ai.complete(QUESTION)) == "second"
        assert str(await ai.complete(QUESTION, cache="only")) == "second"
        assert str(await ai.complete(QUESTION, cache="refresh")) == "third"
        assert str(await ai.complete(QUESTION)) == "third"
        assert str(await ai.complete(QUESTION, max_age=60)) == "third"
        await asyncio.sleep(0.02)
        assert str(await ai.complete(QUESTION, max_age=0.01)) == "fourth"
        assert len(one.calls) == 4


async def test_a_question_is_remembered_with_everything_that_shapes_its_answer(
    tmp_path: Path,
) -> None:
    variants: list[dict[str, Any]] = [
        {},
        {"system": "Be brief."},
        {"max_tokens": 50},
        {"stop": ["."]},
        {"seed": 1},
        {"response_format": {"type": "text"}},
        {"logprobs": True},
    ]
    async with provider() as one, opened(one.url, tmp_path, cache={}) as ai:
        for options in variants * 2:
            await ai.complete(QUESTION, **options)
        assert len(one.calls) == len(variants)
        await ai.complete(QUESTION, max_cost=1.0, deadline=30, tags=["a"], delivery="live")
        assert len(one.calls) == len(variants), "how an answer is had does not shape it"


async def test_an_answer_that_was_taken_unchecked_is_not_given_to_who_asks_for_more(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, cache={}) as ai:
        one.on("small", says("cheap", logprob=-3.0))
        one.on("strong", says("dear"))
        assert str(await ai.complete(QUESTION, quality="cheapest")) == "cheap"
        assert (await ai.complete(QUESTION, quality="cheapest")).cache == "exact"
        assert str(await ai.complete(QUESTION)) == "dear"
        assert (await ai.complete(QUESTION, quality="best")).cache == "exact"
        assert str(await ai.complete(QUESTION, quality="cheapest")) == "dear"
        assert len(one.calls) == 3


async def test_a_sure_answer_of_a_lower_rung_will_not_do_for_the_best(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, cache={}) as ai:
        one.on("small", says("sure"))
        one.on("strong", says("dear"))
        assert str(await ai.complete(QUESTION)) == "sure"
        assert str(await ai.complete(QUESTION, quality="best")) == "dear"


async def test_best_effort_and_sampled_answers_are_not_kept(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, cache={}) as ai:
        for _ in range(2):
            answer = await ai.complete(QUESTION, temperature=0.7)
            assert (answer.outcome, answer.cache) == ("accepted", "miss")
        one.on("small", says("perhaps", logprob=-3.0))
        one.on("strong", fails(401))
        for _ in range(2):
            answer = await ai.complete(QUESTION)
            assert (answer.outcome, answer.cache) == ("best_effort", "miss")


async def test_a_stream_and_a_whole_answer_share_an_entry(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, cache={}) as ai:
        one.on("small", says(["the ", "Rhine"]))
        streamed = await read(ai, QUESTION)
        whole = await ai.complete(QUESTION)
        assert (streamed.text, streamed.cache) == ("the Rhine", "miss")
        assert (whole.text, whole.cache) == ("the Rhine", "exact")
        assert whole.response.logprobs == streamed.response.logprobs


async def test_log_probabilities_for_our_own_evidence_come_back_from_the_cache(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, cache={}) as ai:
        one.on("small", says("sure", logprob=-0.25))
        await ai.complete(QUESTION)
        answer = await ai.complete(QUESTION)
        assert answer.cache == "exact"
        assert answer.basis == "rule"
        assert len(one.calls) == 1

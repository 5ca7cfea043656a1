"""One rung over a real model, by both protocols, whole and streamed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from cascade import AsyncCascade, Message
from cascade.client.asking import Options
from cascade.errors import UnsupportedParameter
from tests.real.ladders import (
    CHEAP,
    GREEDY,
    PROTOCOLS,
    QUESTION,
    STORY,
    Protocol,
    Step,
    ask,
    opened,
)
from tests.real.model import Model

pytestmark = [pytest.mark.real, pytest.mark.anyio]
by_either_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
whole_and_streamed = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@by_either_protocol
@whole_and_streamed
async def test_an_answer_is_cut_at_the_callers_limit_and_billed_to_the_token(
    tmp_path: Path, narrow: Model, protocol: Protocol, streamed: bool
) -> None:
    async with opened(tmp_path, Step("only", narrow, protocol)) as ai:
        answer = await ask(ai, streamed, QUESTION, GREEDY)
        assert answer.text
        assert answer.finish_reason == "length"
        assert (answer.outcome, answer.basis, answer.dropped) == ("accepted", "reference", ())
        usage = answer.usage
        assert usage is not None
        assert usage.output_tokens == GREEDY["max_tokens"]
        assert usage.input_tokens > usage.cached_tokens
        assert answer.cost == CHEAP.of(usage) == ai.totals.spent
        (attempt,) = answer.attempts
        assert (attempt.result, attempt.usage, attempt.estimated) == ("accepted", usage, False)
        assert attempt.model == "smollm2-135m"  # what the server says, not what was asked for


async def test_both_protocols_say_the_same_whole_or_streamed(tmp_path: Path, wide: Model) -> None:
    said = set()
    for protocol in PROTOCOLS:
        async with opened(tmp_path, Step("only", wide, protocol)) as ai:
            await ai.complete(QUESTION, **GREEDY)  # then the prompt is in the server's cache
            for streamed in (False, True):
                answer = await ask(ai, streamed, QUESTION, GREEDY)
                assert answer.usage is not None
                assert answer.usage.cached_tokens == answer.usage.input_tokens - 1
                said.add((answer.text, answer.usage))
    assert len(said) == 1


@by_either_protocol
@whole_and_streamed
async def test_a_stop_sequence_ends_the_answer_before_itself(
    tmp_path: Path, wide: Model, protocol: Protocol, streamed: bool
) -> None:
    async with opened(tmp_path, Step("only", wide, protocol)) as ai:
        options = Options(temperature=0.0, max_tokens=64, stop=[" "])
        answer = await ask(ai, streamed, STORY, options)
        assert answer.finish_reason == "stop"
        assert " " not in answer.text
        ended_by = {"openai": None, "anthropic": " "}[protocol]
        assert answer.response.stop_sequence == ended_by


async def test_a_seed_repeats_an_answer_and_another_one_does_not(
    tmp_path: Path, wide: Model
) -> None:
    async with opened(tmp_path, Step("only", wide)) as ai:
        texts = [
            (await ai.complete(STORY, temperature=1.5, max_tokens=24, seed=seed)).text
            for seed in (7, 7, 7, 8)
        ]
        assert texts[1] == texts[2]  # the first one read the prompt, these had it read
        assert texts[3] != texts[2]


async def test_what_the_messages_protocol_has_no_word_for_is_dropped_and_listed(
    tmp_path: Path, wide: Model
) -> None:
    async with opened(tmp_path, Step("only", wide, "anthropic")) as ai:
        answer = await ai.complete(QUESTION, **GREEDY | Options(seed=7, presence_penalty=0.1))
        assert answer.text
        assert sorted(answer.dropped) == ["presence_penalty", "seed"]


@whole_and_streamed
async def test_log_probabilities_come_with_the_answer_and_are_its_evidence(
    tmp_path: Path, wide: Model, streamed: bool
) -> None:
    async with opened(tmp_path, Step("only", wide)) as ai:
        options = GREEDY | Options(logprobs=True, top_logprobs=2)
        answer = await ask(ai, streamed, QUESTION, options)
        tokens = answer.response.logprobs
        assert tokens is not None
        assert "".join(token.token for token in tokens) == answer.text
        assert all(len(token.top) == 2 for token in tokens)
        values = [token.logprob for token in tokens]
        evidence = answer.attempts[0].evidence
        assert evidence.mean_logprob == pytest.approx(math.fsum(values) / len(values))
        assert evidence.min_logprob == min(values)
        assert evidence.output_tokens == len(values) == GREEDY["max_tokens"]
        assert evidence.first_margin is not None
        assert evidence.first_margin >= 0  # the likeliest token was taken


async def test_log_probabilities_cannot_be_had_by_the_messages_protocol(
    tmp_path: Path, wide: Model
) -> None:
    async with opened(tmp_path, Step("only", wide, "anthropic")) as ai:
        with pytest.raises(UnsupportedParameter):
            await ai.complete(QUESTION, **GREEDY | Options(logprobs=True))
        assert (await ai.complete(QUESTION, **GREEDY)).attempts[0].evidence.mean_logprob is None


async def test_a_conversation_goes_on_with_the_answer(tmp_path: Path, wide: Model) -> None:
    for protocol in PROTOCOLS:
        async with opened(tmp_path, Step("only", wide, protocol)) as ai:
            await _converse(ai)


async def _converse(ai: AsyncCascade) -> None:
    options = GREEDY | Options(system="You are brief.")
    first = await ai.complete(QUESTION, **options)
    turns = [Message("user", QUESTION), first.message, Message("user", "And a lake?")]
    second = await ai.complete(turns, **options)
    assert second.text
    assert first.usage is not None
    assert second.usage is not None
    # All of the first turn was read again, by the server's own prompt cache.
    assert second.usage.cached_tokens >= first.usage.input_tokens

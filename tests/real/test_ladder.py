"""Ladders whose rungs are real: evidence, windows, caps and the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade.client.asking import Options
from cascade.errors import CapTooLow
from cascade.tokens import count_request
from cascade.types import Decision, Message, Request
from tests.real.ladders import (
    CHEAP,
    DEAR,
    GREEDY,
    IMPOSSIBLE,
    PROTOCOLS,
    QUESTION,
    SOUND,
    TRIVIAL,
    Protocol,
    Step,
    ask,
    opened,
)
from tests.real.model import Model

pytestmark = [pytest.mark.real, pytest.mark.anyio]
whole_and_streamed = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
CACHED = "[cache]\nenabled = true"


@pytest.mark.parametrize("above", ["openai", "anthropic"])
@whole_and_streamed
async def test_a_bar_that_is_not_cleared_makes_the_ladder_climb_and_both_calls_are_billed(
    tmp_path: Path, narrow: Model, wide: Model, above: Protocol, streamed: bool
) -> None:
    steps = Step("small", narrow, accept=IMPOSSIBLE), Step("strong", wide, above, price=DEAR)
    async with opened(tmp_path, *steps) as ai:
        answer = await ask(ai, streamed, QUESTION, GREEDY)
        small, strong = answer.attempts
        assert (answer.rung, answer.basis, answer.text) == ("strong", "reference", strong.text)
        assert (small.result, strong.result) == ("short", "accepted")
        assert small.evidence.mean_logprob is not None
        assert -100 < small.evidence.mean_logprob < -0.0001
        assert small.usage is not None
        assert strong.usage is not None
        assert answer.cost == CHEAP.of(small.usage) + DEAR.of(strong.usage)


@whole_and_streamed
async def test_a_bar_that_is_cleared_keeps_the_answer_of_the_cheap_rung(
    tmp_path: Path, narrow: Model, wide: Model, streamed: bool
) -> None:
    steps = Step("small", narrow, accept=TRIVIAL), Step("strong", wide, price=DEAR)
    async with opened(tmp_path, *steps) as ai:
        answer = await ask(ai, streamed, QUESTION, GREEDY)
        assert (answer.rung, answer.basis, len(answer.attempts)) == ("small", "rule", 1)
        assert answer.usage is not None
        assert answer.saved == DEAR.of(answer.usage) - CHEAP.of(answer.usage)


async def test_a_stream_tells_what_is_decided_before_its_first_piece(
    tmp_path: Path, narrow: Model, wide: Model
) -> None:
    steps = Step("small", narrow, accept=IMPOSSIBLE), Step("strong", wide)
    async with opened(tmp_path, *steps) as ai:
        async with ai.stream(QUESTION, **GREEDY) as stream:
            told = [piece async for piece in stream.events()]
        decided = [piece for piece in told if isinstance(piece, Decision)]
        assert told[: len(decided)] == decided
        assert [(each.event, each.rung) for each in decided] == [
            ("checking", "small"),
            ("climbing", "strong"),
        ]


@pytest.mark.parametrize(("unsure", "rung"), [("climb", "strong"), ("accept", "small")])
async def test_a_rung_without_evidence_follows_when_unsure(
    tmp_path: Path, narrow: Model, wide: Model, unsure: str, rung: str
) -> None:
    small = Step("small", narrow, "anthropic", TRIVIAL, "climb" if unsure == "climb" else "accept")
    async with opened(tmp_path, small, Step("strong", wide)) as ai:
        answer = await ai.complete(QUESTION, **GREEDY)
        # By this protocol there never are log-probabilities: no call is paid only to climb.
        assert [attempt.rung for attempt in answer.attempts] == [answer.rung] == [rung]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_prompt_that_is_too_long_climbs_to_a_window_that_holds_it(
    tmp_path: Path, narrow: Model, wide: Model, protocol: Protocol
) -> None:
    """This model has few tokens for Russian: the server counts twice what we count."""
    prompt = "Река медленно течёт к морю. " * 14 + QUESTION
    counted = count_request(Request(messages=(Message("user", prompt),)))
    steps = (
        Step("small", narrow, protocol, SOUND),
        # It fits here by our count. Once the server has told its own, nobody asks.
        Step("medium", narrow, accept=SOUND, context=counted + 1),
        Step("strong", wide, protocol),
    )
    async with opened(tmp_path, *steps) as ai:
        answer = await ai.complete(prompt, **GREEDY)
        small, strong = answer.attempts
        assert (small.rung, small.kind, small.cost) == ("small", "too_long", 0)
        assert (strong.rung, strong.result) == ("strong", "accepted")
        assert strong.usage is not None
        assert strong.usage.input_tokens > counted + 1


async def test_turns_that_a_servers_template_does_not_take_climb(
    tmp_path: Path, narrow: Model, wide: Model
) -> None:
    """It answers 400 to a late system turn; the narrow server's template takes one anywhere."""
    turns = [
        {"role": "user", "content": QUESTION},
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "And a lake?"},
    ]
    async with opened(tmp_path, Step("small", wide), Step("strong", narrow)) as ai:
        answer = await ai.complete(turns, **GREEDY)
        small, strong = answer.attempts
        assert (small.kind, small.cost, strong.result) == ("unsupported", 0, "accepted")


async def test_a_cap_is_kept_to_the_unit_or_nothing_is_asked(
    tmp_path: Path, narrow: Model, wide: Model
) -> None:
    steps = Step("small", narrow, accept=IMPOSSIBLE), Step("strong", wide, price=DEAR)
    async with opened(tmp_path, *steps) as ai:
        answer = await ai.complete(QUESTION, **GREEDY | Options(max_cost=0.00005))
        # It pays for the small rung alone, whose answer is below its bar.
        assert (answer.rung, answer.outcome) == ("small", "best_effort")
        assert answer.cost is not None
        assert answer.cost <= 50_000_000
        with pytest.raises(CapTooLow):
            await ai.complete(QUESTION, **GREEDY | Options(max_cost=0.000001))
        assert ai.totals.calls == 1


async def test_an_accepted_answer_comes_from_the_cache_the_second_time(
    tmp_path: Path, wide: Model
) -> None:
    # A limit of the caller's own makes an answer that may not be kept, so this one has to end.
    options = Options(temperature=0.0, max_tokens=64, stop=["."])
    async with opened(tmp_path, Step("only", wide), more=CACHED) as ai:
        first = await ai.complete(QUESTION, **options)
        assert (first.cache, first.finish_reason) == ("miss", "stop")
        second = await ask(ai, True, QUESTION, options)
        assert (second.cache, second.text, second.cost) == ("exact", first.text, 0)
        cut = [await ai.complete(QUESTION, **GREEDY) for _ in range(2)]
        assert [answer.cache for answer in cut] == ["miss", "miss"]
        assert ai.totals.calls == 3

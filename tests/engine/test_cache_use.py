"""What is kept, for whom it will do, and how a request says what it wants of the cache."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from cascade import AsyncCascade, Message, NotCached, tokens
from cascade.engine import engine
from cascade.policy.complexity import VERSION
from cascade.policy.model import Accept, Choice, GiveUp, View
from cascade.policy.rules import Threshold
from cascade.types import Request
from tests.engine.scripted import fails, provider, says
from tests.engine.setting import STRONG, Step, opened, read, tables

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


def _three(*names: str) -> tuple[Step, ...]:
    """A ladder of three models under these names. What it accepts, it accepts unchecked."""
    return tuple(
        Step(name, endpoints=(f"one/{model}",), accept=None)
        for name, model in zip(names, ("little", "middle", "great"), strict=True)
    )


CHEAP = {"preset": "cheap"}


async def test_after_rungs_are_renamed_an_answer_still_counts_as_its_models(tmp_path: Path) -> None:
    async with provider() as one:
        for model in ("little", "middle", "great"):
            one.on(model, says(f"of the {model} one"))
        async with opened(one.url, tmp_path, _three("a", "b", "c"), decide=CHEAP, cache={}) as ai:
            assert (await ai.complete(QUESTION)).text == "of the little one"
        renamed = _three("b", "c", "a")  # the name of the strongest is now the weakest's, and so on
        async with opened(one.url, tmp_path, renamed, decide=CHEAP, cache={}) as ai:
            again = await ai.complete(QUESTION)
            best = await ai.complete(QUESTION, quality="best")
    assert (again.text, again.cache, again.rung) == ("of the little one", "exact", "b")
    assert (best.text, best.cache, best.rung) == ("of the great one", "miss", "a")


async def test_after_pinned_rungs_are_renamed_a_pin_gets_its_own_models_answer(
    tmp_path: Path,
) -> None:
    async with provider() as one:
        for model in ("little", "middle", "great"):
            one.on(model, says(f"of the {model} one"))
        async with opened(one.url, tmp_path, _three("a", "b", "c"), cache={}) as ai:
            assert (await ai.complete(QUESTION, rung="a")).text == "of the little one"
            assert (await ai.complete(QUESTION, rung="a")).cache == "exact"
        async with opened(one.url, tmp_path, _three("b", "c", "a"), cache={}) as ai:
            assert (await ai.complete(QUESTION, rung="a")).text == "of the great one"


async def test_a_stored_answer_still_says_which_parameters_were_left_out(tmp_path: Path) -> None:
    steps = (Step("small", model={"lacks": ["seed"]}), STRONG)
    async with provider() as one, opened(one.url, tmp_path, steps, cache={}) as ai:
        for cache in ("miss", "exact"):
            answer = await ai.complete(QUESTION, seed=3)
            assert (answer.cache, answer.dropped) == (cache, ("seed",))


class Stricter(Threshold):
    """Takes what the ladder takes, and from the cheap rung only what is very sure."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, view: View, moves: tuple[Choice, ...]) -> Choice:
        self.asked += 1
        choice = super().__call__(view, moves)
        if isinstance(choice, Accept):
            answer = next(each for each in view.answers if each.ref == choice.ref)
            if answer.option == 0 and (answer.evidence.mean_logprob or -9) < -0.2:
                return moves[-2] if len(moves) > 2 else GiveUp()
        return choice


async def test_a_rule_of_ones_own_judges_stored_answers_too(tmp_path: Path) -> None:
    async with provider() as one:
        one.on("small", says("fairly sure", logprob=-0.4))
        one.on("strong", says("dear"))
        read_as = tables(one.url, tmp_path, cache={})
        async with AsyncCascade(tables=read_as, data_dir=tmp_path) as ai:
            assert (await ai.complete(QUESTION)).text == "fairly sure"
        async with AsyncCascade(tables=read_as, data_dir=tmp_path, rule=Stricter()) as ai:
            assert (await ai.complete(QUESTION)).text == "dear"
            assert (await ai.complete(QUESTION)).cache == "exact", "the reference's will do"


async def test_what_a_rule_of_ones_own_accepts_is_found_again(tmp_path: Path) -> None:
    async with provider() as one:
        one.on("small", says("very sure", logprob=-0.1))
        rule = Stricter()
        read_as = tables(one.url, tmp_path, cache={})
        async with AsyncCascade(tables=read_as, data_dir=tmp_path, rule=rule) as ai:
            assert (await ai.complete(QUESTION)).text == "very sure"
            asked = rule.asked
            assert (await ai.complete(QUESTION)).cache == "exact"
            assert rule.asked == asked + 1


async def test_a_rule_that_fails_over_a_stored_answer_makes_a_miss(tmp_path: Path) -> None:
    def broken(view: View, moves: tuple[Choice, ...]) -> Choice:
        raise ZeroDivisionError

    async with provider() as one:
        read_as = tables(one.url, tmp_path, cache={})
        async with AsyncCascade(tables=read_as, data_dir=tmp_path) as ai:
            await ai.complete(QUESTION)
            request = Request(messages=(Message("user", QUESTION),))
            assert (await ai.open()).recall(request) is not None
        async with AsyncCascade(tables=read_as, data_dir=tmp_path, rule=broken) as ai:
            assert (await ai.open()).recall(request) is None


async def test_looking_up_never_counts_tokens_and_counting_leaves_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def counting(request: Request) -> int:
        threads.append(threading.current_thread().name)
        return 900

    monkeypatch.setattr(tokens, "count_request", counting)
    steps = (
        Step("small", model={"context": 100_000}),
        Step("strong", accept=None, model={"context": 1_000}),
    )
    async with provider() as one, opened(one.url, tmp_path, steps, cache={}) as ai:
        long = QUESTION + " one two three" * 100
        answers = await asyncio.gather(*(ai.complete(long) for _ in range(3)))
        assert sorted(answer.cache for answer in answers) == ["collapsed", "collapsed", "miss"]
        assert len(one.calls) == 1
        assert len(threads) == 3
        assert threading.current_thread().name not in threads
        threads.clear()
        assert (await ai.complete(long)).cache == "exact"
        assert not threads


async def test_an_answer_whose_level_an_older_classifier_gave_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with provider() as one:
        async with opened(one.url, tmp_path, cache={}) as ai:
            await ai.complete(QUESTION)
            assert (await ai.complete(QUESTION)).cache == "exact"
        monkeypatch.setattr(engine, "_LEVELS", (VERSION + 1).to_bytes(2, "big"))
        async with opened(one.url, tmp_path, cache={}) as ai:
            assert (await ai.complete(QUESTION)).cache == "miss"

"""An answer tells where it is from, why it was taken, and what it cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from cascade import Answer, AsyncCascade, Message
from cascade.config.read import load
from cascade.emulator import Emulator
from cascade.errors import ParseError, UnsupportedParameter
from cascade.learning.trace import RecordedAnswer, Recording, Row
from tests.engine.scripted import dies, fails, provider, says
from tests.engine.setting import LADDER, SMALL, STRONG, Step, opened, tables
from tests.serving import running

pytestmark = pytest.mark.anyio

QUESTION = "Which rivers meet in Koblenz?"


class Invoice(BaseModel):
    total: float


async def test_an_answer_carries_everything_that_is_known_of_it(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        answer = await ai.complete(QUESTION)
        other = await ai.complete(QUESTION)
    assert str(answer) == answer.text == answer.message.text == "fine"
    assert answer.message.role == "assistant"
    assert answer.finish_reason == "stop"
    assert (answer.rung, answer.model, answer.endpoint) == ("small", "small", "one/small")
    assert (answer.outcome, answer.basis, answer.cache) == ("accepted", "rule", "off")
    assert answer.confidence is None
    assert answer.age_s is None
    assert answer.tool_calls == ()
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 2)
    assert answer.cost_usd == 14e-6
    assert answer.level == "simple"
    assert answer.reasons
    assert 0 < answer.latency_s < 5
    assert answer.id.startswith("ans_")
    assert answer.id != other.id
    (attempt,) = answer.attempts
    assert (attempt.purpose, attempt.result, attempt.cost_usd) == ("answer", "accepted", 14e-6)
    assert attempt.evidence.mean_logprob == -0.01
    assert attempt.evidence.output_tokens == 2
    assert not attempt.estimated


async def test_what_was_saved_is_modelled_on_the_reference(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        answer = await ai.complete(QUESTION)
        one.on("small", says("perhaps", logprob=-3.0))
        dear = await ai.complete(QUESTION)
    assert answer.saved == 140_000_000 - 14_000_000
    assert answer.saved_basis == "modelled"
    assert dear.saved == -14_000_000, "a climb costs more than going there at once"
    assert "more than the strongest model alone" in dear.story()


async def test_a_hit_costs_nothing_and_tells_its_age(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, cache={}) as ai:
        first = await ai.complete(QUESTION)
        answer = await ai.complete(QUESTION)
    assert answer.cache == "exact"
    assert answer.cost == 0
    assert answer.saved == 140_000_000
    assert answer.age_s is not None
    assert answer.age_s >= 0
    assert answer.attempts == ()
    assert answer.usage == first.usage
    assert (answer.rung, answer.basis, answer.level) == (first.rung, first.basis, first.level)
    assert answer.id != first.id
    assert answer.story().startswith(
        "From the cache (0 s old), first answered by small; it cost $0"
    )


async def test_the_story_tells_who_answered_and_after_whom(tmp_path: Path) -> None:
    steps = (Step("small", settings={"calls": 1}), Step("medium"), STRONG)
    async with provider() as one, opened(one.url, tmp_path, steps) as ai:
        one.on("small", dies())
        one.on("medium", says("perhaps", logprob=-3.0))
        answer = await ai.complete(QUESTION)
        one.on("medium", says("  "))
        refuted = await ai.complete(QUESTION)
    told = answer.story()
    assert told.startswith(
        "strong answered after small failed (broken) and medium fell short:"
        " it is the strongest model open to this request; it cost $"
    )
    assert "medium was refuted" in refuted.story()


async def test_an_uncalibrated_rule_says_so(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        told = (await ai.complete(QUESTION)).story()
    assert told == (
        "small answered: it cleared the rung's bar for a simple request; it cost $0.0000140"
        " and saved $0.000126 against the strongest model (modelled); not calibrated."
    )


async def test_the_story_of_a_best_effort_says_why_it_is_no_more(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says("perhaps", logprob=-3.0))
        one.on("strong", fails(401))
        answer = await ai.complete(QUESTION)
    assert answer.why == "no rung is left"
    assert answer.story().startswith(
        "small gave the best answer in hand, below its bar (no rung is left)"
    )


async def test_what_a_model_does_not_take_is_dropped_and_listed(tmp_path: Path) -> None:
    steps = (Step("small", accept=None, model={"lacks": ["temperature", "seed"]}),)
    async with provider() as one, opened(one.url, tmp_path, steps) as ai:
        answer = await ai.complete(QUESTION, temperature=0.0, seed=1, top_p=0.5)
    assert sorted(answer.dropped) == ["seed", "temperature"]
    assert "seed" not in one.calls[0].body
    assert one.calls[0].body["top_p"] == 0.5


async def test_a_rung_without_a_binding_parameter_is_no_option(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "look"}}
    steps = (Step("small", model={"lacks": ["tools"]}), STRONG)
    async with provider() as one, opened(one.url, tmp_path, steps) as ai:
        answer = await ai.complete(QUESTION, tools=[tool])
        assert [call.model for call in one.calls] == ["strong"]
        assert answer.rung == "strong"
    (tmp_path / "other").mkdir()
    lone = (Step("small", accept=None, model={"lacks": ["tools"]}),)
    async with opened("http://127.0.0.1:9/v1", tmp_path / "other", lone) as ai:
        with pytest.raises(UnsupportedParameter, match="tools"):
            await ai.complete(QUESTION, tools=[tool])


async def parsed(ai: AsyncCascade) -> Answer:
    return await ai.complete("What is the total?", response_format=Invoice)


async def test_an_answer_is_parsed_into_the_model_that_was_asked_for(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says('{"total": 12.5}'))
        answer = await parsed(ai)
    assert answer.parse(Invoice) == Invoice(total=12.5)
    sent = one.calls[0].body["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["name"] == "Invoice"


async def test_an_answer_that_does_not_fit_says_so_when_it_is_parsed(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says('```json\n{"total": 3}\n```'))
        answer = await ai.complete("What is the total?")
        assert answer.parse(Invoice).total == 3
        one.on("small", says("three"))
        with pytest.raises(ParseError, match="does not fit Invoice"):
            (await ai.complete("What is the total?")).parse(Invoice)


async def test_an_answer_continues_a_conversation(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        question = Message("user", QUESTION)
        answer = await ai.complete([question])
        await ai.complete([question, answer.message, Message("user", "And in Passau?")])
    assert one.calls[1].body["messages"][1] == {"role": "assistant", "content": "fine"}


async def test_a_refusal_is_never_accepted_nor_stored(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, (SMALL, STRONG), cache={}) as ai:
        for model in ("small", "strong"):
            one.on(model, says("", finish="content_filter"))
        for _ in range(2):
            answer = await ai.complete(QUESTION)
            assert answer.outcome == "best_effort"
            assert answer.finish_reason == "content_filter"
            assert answer.cache == "miss"
    assert len(one.calls) == 2 * len(LADDER)


async def test_what_a_protocol_had_no_place_for_is_named_in_the_answer(tmp_path: Path) -> None:
    row = Row("How long is the Rhine?", {"strong": RecordedAnswer("1,230 km.")})
    steps = (Step("strong", accept=None, model={"lacks": []}),)
    with running(Emulator(Recording([row]), speed=0)) as url:
        tables(f"{url}/v1", tmp_path, steps)
        file = tmp_path / "config.toml"
        named = '[providers.one]\nprotocol = "anthropic"'
        file.write_text(file.read_text().replace("[providers.one]", named))
        async with AsyncCascade(tables=load(file, {}), data_dir=tmp_path) as ai:
            answer = await ai.complete(row.prompt, seed=7, temperature=0.2, reasoning_budget=2_000)
    assert sorted(answer.dropped) == ["seed", "temperature"]

"""Tool calls that a real model writes.

Worked examples before the question make even this small one call; what it calls with is its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cascade import AsyncCascade
from cascade.client.asking import Options
from cascade.errors import Broken, Failed
from tests.real.ladders import DEAR, PROTOCOLS, SOUND, Protocol, Step, ask, opened
from tests.real.model import Model

pytestmark = [pytest.mark.real, pytest.mark.anyio]
by_either_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


def tool(**more: Any) -> dict[str, Any]:
    """A tool whose arguments have one town, and what else the schema says."""
    town = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}
    function = {"name": "weather", "description": "Tells the weather.", "parameters": town | more}
    return {"type": "function", "function": function}


def conversation(said: str | None = None) -> list[dict[str, Any]]:
    """Three calls and their results, and the question. ``said`` stands before each call."""
    turns: list[dict[str, Any]] = []
    for number, town in enumerate(("Rome", "Oslo", "Bonn")):
        arguments = json.dumps({"town": town})
        call = {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": "weather", "arguments": arguments},
        }
        turns += [
            {"role": "user", "content": f"Weather in {town}?"},
            {"role": "assistant", "content": said, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": "sunny"},
        ]
    return [*turns, {"role": "user", "content": "What is the weather in Paris?"}]


def calling(max_tokens: int = 64, choice: str = "required", **more: Any) -> Options:
    return Options(temperature=0.0, max_tokens=max_tokens, tools=[tool(**more)], tool_choice=choice)


@by_either_protocol
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_call_arrives_whole_and_fits_its_schema(
    tmp_path: Path, wide: Model, protocol: Protocol, streamed: bool
) -> None:
    async with opened(tmp_path, Step("only", wide, protocol)) as ai:
        answer = await ask(ai, streamed, conversation(), calling())
        (call,) = answer.tool_calls
        assert answer.finish_reason == "tool_calls"
        assert call.name == "weather"
        assert call.id
        assert isinstance(json.loads(call.arguments)["town"], str)
        await _go_on(ai, answer.message, call.id)


async def _go_on(ai: AsyncCascade, message: Any, call: str) -> None:
    """The next turn takes the call and its result."""
    result = {"role": "tool", "tool_call_id": call, "content": "rainy"}
    turns = [*conversation(), message, result, {"role": "user", "content": "Weather in Kiel?"}]
    answer = await ai.complete(turns, **calling())
    assert answer.tool_calls


@by_either_protocol
async def test_an_answer_without_the_call_that_was_required_climbs(
    tmp_path: Path, narrow: Model, wide: Model, protocol: Protocol
) -> None:
    """The narrow server's template knows no tools, and drops them without a word."""
    steps = Step("small", narrow, protocol, SOUND), Step("strong", wide, protocol, price=DEAR)
    async with opened(tmp_path, *steps) as ai:
        answer = await ai.complete(conversation("Let me see."), **calling())
        small, strong = answer.attempts
        assert (small.rung, small.result) == ("small", "refuted")
        assert small.why is not None
        assert small.why.startswith("calls no tool, though one is required")
        assert small.cost
        assert (strong.rung, len(answer.tool_calls)) == ("strong", 1)


@by_either_protocol
async def test_arguments_that_do_not_fit_their_schema_climb(
    tmp_path: Path, wide: Model, protocol: Protocol
) -> None:
    """The server's grammar knows no ``dependentRequired``."""
    steps = Step("small", wide, protocol, SOUND), Step("strong", wide, protocol)
    async with opened(tmp_path, *steps) as ai:
        with pytest.raises(Failed) as failed:
            await ai.complete(conversation(), **calling(dependentRequired={"town": ["day"]}))
        assert [attempt.rung for attempt in failed.value.attempts] == ["small", "strong"]
        for attempt in failed.value.attempts:
            assert attempt.result == "refuted"
            assert attempt.why is not None
            assert "does not match the schema of weather" in attempt.why


@by_either_protocol
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_call_cut_off_at_its_limit_is_never_an_answer(
    tmp_path: Path, wide: Model, protocol: Protocol, streamed: bool
) -> None:
    """By the Messages protocol this server writes what is left of its arguments as ``{}``."""
    async with opened(tmp_path, Step("only", wide, protocol)) as ai:
        with pytest.raises(Broken if streamed else Failed) as failed:
            await ask(ai, streamed, conversation(), calling(max_tokens=16, required=[]))
        assert isinstance(failed.value, Broken | Failed)
        (attempt,) = failed.value.attempts
        assert attempt.result == "refuted"
        assert attempt.why is not None
        assert "cut off at its output limit" in attempt.why


async def test_a_call_though_none_may_be_made_is_refuted(tmp_path: Path, wide: Model) -> None:
    """By the Messages protocol this server does not keep to ``none``."""
    async with opened(tmp_path, Step("only", wide, "anthropic")) as ai:
        with pytest.raises(Failed) as failed:
            await ai.complete(conversation(), **calling(choice="none"))
        assert failed.value.attempts[0].why == "calls a tool, though none may be called"

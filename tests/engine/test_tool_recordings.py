"""Recordings of tool calls and of long reasoning, through the emulator and the engine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cascade import AsyncCascade, Broken, Failed
from cascade.config.read import load
from cascade.emulator import Emulator
from cascade.learning.trace import read_trace
from tests.serving import running

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("protocol", ["openai", "anthropic", "gemini"]),
    pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"]),
]

# As the Berkeley Function-Calling Leaderboard has its functions: "dict" for an object.
AREA = {
    "name": "triangle.area",
    "description": "The area of a triangle.",
    "parameters": {
        "type": "dict",
        "properties": {"base": {"type": "integer"}, "height": {"type": "integer"}},
        "required": ["base", "height"],
    },
}
OFFERED = [
    {
        "type": "function",
        "function": {**AREA, "parameters": {**AREA["parameters"], "type": "object"}},  # type: ignore[dict-item]
    }
]
ROWS: list[dict[str, Any]] = [
    {
        "prompt": "What is the area of a triangle with base 10 and height 5?",
        "tools": [AREA],
        "answers": {
            "small": {"text": "", "tool_calls": [{"triangle.area": {"base": "ten"}}]},
            "strong": {"text": "", "tool_calls": [{"triangle.area": {"base": 10, "height": 5}}]},
        },
    },
    {
        "prompt": "And of two, 10 by 5 and 4 by 6?",
        "tools": [AREA],
        "answers": {
            "small": {
                "text": "",
                "tool_calls": [
                    {"triangle.area": {"base": 10, "height": 5}},
                    {"triangle.area": {"base": 4, "height": 6}},
                ],
            },
            "strong": {"text": "unasked"},
        },
    },
    {
        "prompt": "Call something that does not exist.",
        "tools": [AREA],
        "answers": {
            "small": {"text": "", "tool_calls": [{"circle.area": {"radius": 1}}]},
            "strong": {"text": "", "tool_calls": [{"square.area": {"side": 1}}]},
        },
    },
    {
        "messages": [
            {"role": "user", "content": "What is the area, 10 by 5?"},
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {
                            "name": "triangle.area",
                            "arguments": '{"base": 10, "height": 5}',
                        },
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "25"},
        ],
        "tools": [AREA],
        "answers": {"small": {"text": "It is 25."}, "strong": {"text": "25"}},
    },
    {
        "prompt": "Think long.",
        "answers": {
            "small": {"text": "no"},
            "strong": {
                "text": "Forty-two.",
                "reasoning": " ".join(f"step {number}" for number in range(3_000)),
                "input_tokens": 12,
                "output_tokens": 6_004,
                "reasoning_tokens": 6_000,
                "latency_s": 1.0,
            },
        },
    },
]

CONFIG = """
[ladders]
default = ["small", "strong"]

[rungs.small]
endpoints = ["test/small"]
accept = "output_tokens >= 0"
when_unsure = "accept"

[rungs.strong]
endpoints = ["test/strong"]
timeout = { first_token = 0.7, idle = 0.7, total = 20 }

[decide]
start = { simple = "small", moderate = "small", complex = "small" }

[cache]
enabled = false

[providers.test]
protocol = "PROTOCOL"
base_url = "URL"
key = "none"

[models."test/small"]
price = "free"
max_output = 20_000
lacks = []

[models."test/strong"]
price = { input = 1, output = 2 }
max_output = 20_000
lacks = []
"""


@pytest.fixture
async def ai(protocol: str, tmp_path: Path) -> AsyncIterator[AsyncCascade]:
    file = tmp_path / "recording.jsonl"
    file.write_text("\n".join(map(json.dumps, ROWS)))
    with running(Emulator(read_trace(file))) as url:
        base = url + ("/v1beta" if protocol == "gemini" else "/v1")
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.replace("PROTOCOL", protocol).replace("URL", base))
        async with AsyncCascade(tables=load(config, {}), data_dir=tmp_path) as ai:
            yield ai


async def ask(ai: AsyncCascade, prompt: Any, streamed: bool, **options: Any) -> Any:
    """The answer, whole or at the end of a stream."""
    if not streamed:
        return await ai.complete(prompt, **options)
    async with ai.stream(prompt, **options) as stream:
        async for _ in stream:
            pass
    return stream.answer


async def test_arguments_of_the_wrong_type_climb(ai: AsyncCascade, streamed: bool) -> None:
    answer = await ask(ai, ROWS[0]["prompt"], streamed, tools=OFFERED)
    assert answer.rung == "strong"
    assert json.loads(answer.tool_calls[0].arguments) == {"base": 10, "height": 5}
    assert "does not match the schema of triangle.area" in answer.attempts[0].why


async def test_parallel_calls_are_taken_from_the_cheapest_rung(
    ai: AsyncCascade, streamed: bool
) -> None:
    answer = await ask(ai, ROWS[1]["prompt"], streamed, tools=OFFERED)
    assert answer.rung == "small"
    assert [json.loads(call.arguments)["base"] for call in answer.tool_calls] == [10, 4]
    assert len({call.id for call in answer.tool_calls}) == 2
    assert answer.finish_reason == "tool_calls"


async def test_a_tool_that_was_not_offered_is_called_by_nobody(
    ai: AsyncCascade, streamed: bool
) -> None:
    # The strongest rung streams live: what is refuted at its end was a broken stream.
    with pytest.raises(Broken if streamed else Failed) as caught:
        await ask(ai, ROWS[2]["prompt"], streamed, tools=OFFERED)
    error = caught.value
    assert isinstance(error, Broken | Failed)
    told = [attempt.why for attempt in error.attempts]
    assert told == [
        "calls 'circle.area', which was not offered",
        "calls 'square.area', which was not offered",
    ]


async def test_the_turn_after_a_tools_result_is_found_in_every_protocol(
    ai: AsyncCascade, streamed: bool
) -> None:
    answer = await ask(ai, ROWS[3]["messages"], streamed, tools=OFFERED)
    assert (answer.rung, answer.text) == ("small", "It is 25.")


async def test_long_reasoning_keeps_the_clocks_quiet_and_is_billed(
    ai: AsyncCascade, streamed: bool
) -> None:
    """It thinks for longer than both of the rung's clocks allow for silence."""
    answer = await ask(ai, "Think long.", streamed, rung="strong", max_tokens=10_000)
    assert answer.text == "Forty-two."
    assert answer.usage.output_tokens == 6_004
    assert answer.cost == 12 * 1_000_000 + 6_004 * 2_000_000
    assert answer.response.reasoning.startswith("step 0 step 1")


async def test_reasoning_streams_apart_from_the_text(ai: AsyncCascade, streamed: bool) -> None:
    if not streamed:
        answer = await ai.complete("Think long.", rung="strong")
        assert "step" not in answer.text
        return
    async with ai.stream("Think long.", rung="strong") as stream:
        pieces = [piece async for piece in stream.deltas()]
    assert "".join(piece.text for piece in pieces) == "Forty-two."
    assert len([piece for piece in pieces if piece.reasoning]) > 5

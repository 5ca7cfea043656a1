"""Tools that only the strongest rung may call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cascade import Failed
from tests.engine.scripted import Script, completion, fails, provider, says
from tests.engine.setting import SMALL, STRONG, Step, opened

pytestmark = pytest.mark.anyio

THREE = (SMALL, Step("medium", price=(5.0, 10.0)), STRONG)
CAREFUL = {"strong_for_tools": ["refund"]}


def tool(name: str, **function: Any) -> dict[str, Any]:
    """A tool as a client writes it."""
    return {"type": "function", "function": {"name": name, **function}}


TOOLS = [tool("refund"), tool("look_up")]


def calls(tool: str) -> Script:
    """An answer that calls a tool."""

    async def script(exchange: Any) -> None:
        function = {"name": tool, "arguments": "{}"}
        called = [{"id": "call_1", "type": "function", "function": function}]
        exchange.whole(
            completion(exchange.received.model, "", finish="tool_calls", tool_calls=called)
        )

    return script


def streams_call(tool: str) -> Script:
    """A stream that calls a tool."""

    async def script(exchange: Any) -> None:
        function = {"name": tool, "arguments": "{}"}
        exchange.head()
        exchange.piece("", tool_calls=[{"index": 0, "id": "call_1", "function": function}])
        exchange.end(finish="tool_calls")

    return script


async def test_a_weak_rung_that_wants_to_refund_sends_the_request_to_the_strongest(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, THREE, decide=CAREFUL) as ai:
        one.on("small", calls("refund"))
        one.on("strong", calls("refund"))
        answer = await ai.complete("I want my money back.", tools=TOOLS)
    assert [call.model for call in one.calls] == ["small", "strong"]
    assert (answer.rung, answer.tool_calls[0].name) == ("strong", "refund")
    first = answer.attempts[0]
    assert (first.result, first.why) == (
        "refuted",
        "calls refund, which is reserved for the ladder's last rung",
    )


async def test_a_harmless_tool_may_be_called_by_any_rung(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, THREE, decide=CAREFUL) as ai:
        one.on("small", calls("look_up"))
        answer = await ai.complete("Where is my parcel?", tools=TOOLS)
    assert (answer.rung, answer.tool_calls[0].name) == ("small", "look_up")


async def test_a_weak_rungs_refund_is_never_the_best_effort(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, THREE, decide=CAREFUL) as ai:
        one.on("small", calls("refund"))
        one.on("strong", fails(401))
        with pytest.raises(Failed, match="reserved for the ladder's last rung"):
            await ai.complete("I want my money back.", tools=TOOLS)
    assert [call.model for call in one.calls] == ["small", "strong"]


async def test_whoever_pins_a_weak_rung_gets_no_rights_by_that(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, THREE, decide=CAREFUL) as ai:
        one.on("small", calls("refund"))
        with pytest.raises(Failed, match="reserved for the ladder's last rung"):
            await ai.complete("I want my money back.", tools=TOOLS, rung="small")


async def test_whoever_pins_the_strongest_has_it_called(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, THREE, decide=CAREFUL) as ai:
        one.on("strong", calls("refund"))
        answer = await ai.complete("I want my money back.", tools=TOOLS, rung="strong")
    assert answer.tool_calls[0].name == "refund"


async def test_arguments_that_do_not_fit_their_schema_climb(tmp_path: Path) -> None:
    schema = {"type": "object", "required": ["city"]}
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", calls("weather"))
        one.on("strong", says("It rains."))
        answer = await ai.complete("Weather?", tools=[tool("weather", parameters=schema)])
    assert answer.rung == "strong"
    assert "does not match the schema of weather" in (answer.attempts[0].why or "")


async def test_no_piece_of_a_pinned_weak_rungs_refund_reaches_a_stream(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, THREE, decide=CAREFUL) as ai:
        one.on("small", streams_call("refund"))
        pieces = []
        async with ai.stream("Money back!", tools=TOOLS, rung="small") as stream:
            with pytest.raises(Failed, match="reserved for the ladder's last rung"):
                pieces.extend([piece async for piece in stream.deltas()])
    assert pieces == []


async def test_a_stored_refund_of_a_weak_rung_is_not_served_once_it_is_reserved(
    tmp_path: Path,
) -> None:
    kept = {"tool_calls": True}
    async with provider() as one:
        one.on("small", calls("refund"))
        one.on("strong", says("No."))
        async with opened(one.url, tmp_path, THREE, cache=kept) as ai:
            first = await ai.complete("Money back!", tools=TOOLS)
        async with opened(one.url, tmp_path, THREE, cache=kept, decide=CAREFUL) as ai:
            second = await ai.complete("Money back!", tools=TOOLS)
    assert (first.rung, first.tool_calls[0].name) == ("small", "refund")
    assert (second.rung, second.tool_calls) == ("strong", ())


async def test_where_the_last_rung_cannot_take_the_prompt_nobody_refunds(tmp_path: Path) -> None:
    narrow = Step("strong", accept=None, price=(10.0, 20.0), model={"context": 50})
    steps = (*THREE[:2], narrow)
    async with provider() as one, opened(one.url, tmp_path, steps, decide=CAREFUL) as ai:
        one.on("small", calls("refund"))
        one.on("medium", calls("refund"))
        with pytest.raises(Failed, match="reserved for the ladder's last rung"):
            await ai.complete("I want my money back. " * 30, tools=TOOLS)

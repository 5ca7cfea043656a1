"""Which requests are taken, which are refused, and how a refusal reads."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.errors import RequestError, UnsupportedParameter
from cascade.types import Image, Message, Request, Text, Thought, ToolCall
from cascade.wire.anthropic import decode_request

HI: dict[str, Any] = {
    "model": "auto",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hi"}],
}
MARK = {"type": "ephemeral"}


def sent(**fields: Any) -> bytes:
    return json.dumps(HI | fields).encode()


def blocks(*given: dict[str, Any], role: str = "user") -> bytes:
    return sent(messages=[HI["messages"][0], {"role": role, "content": list(given)}])


def read(body: bytes) -> Request:
    return decode_request(body).request


def refusal(body: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        decode_request(body)
    return caught.value


@pytest.mark.parametrize("name", ["n", "max_token", "output_format", "cascade_ladder"])
def test_an_unknown_parameter_is_an_error_that_names_it(name: str) -> None:
    error = refusal(sent(**{name: 3}))
    assert isinstance(error, UnsupportedParameter)
    assert (error.place, error.value) == (name, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("container", {"skills": []}),
        ("inference_geo", "eu"),
        ("mcp_servers", [{"type": "url", "url": "https://e.org", "name": "m"}]),
        ("user_profile_id", "u"),
        ("workspace_id", "w"),
    ],
)
def test_what_would_change_the_answer_and_is_not_supported_is_refused_by_name(
    name: str, value: object
) -> None:
    error = refusal(sent(**{name: value}))
    assert isinstance(error, UnsupportedParameter)
    assert error.place.startswith(name)
    assert error.mend
    assert read(sent(**{name: None})) == read(sent())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("service_tier", "standard_only"),
        ("speed", "fast"),
        ("diagnostics", {"previous_message_id": None}),
        ("context_management", {"edits": []}),
        ("metadata", {}),
    ],
)
def test_bookkeeping_that_changes_no_answer_is_taken_and_dropped(name: str, value: object) -> None:
    taken = read(sent(**{name: value}))
    assert msgspec.structs.replace(taken, ignored=()) == read(sent())


def test_what_nobody_is_sent_is_named() -> None:
    given = {
        "service_tier": "standard_only",
        "speed": "fast",
        "diagnostics": {"previous_message_id": None},
        "context_management": {"edits": []},
    }
    usual = {"stream": True, "metadata": {"user_id": "u"}}
    assert read(sent(**given, **usual)).ignored == tuple(given)
    assert read(sent(**dict.fromkeys(given), **usual)).ignored == ()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (blocks({"type": "document", "source": {}}), "messages[1].content[0].type"),
        (blocks({"type": "search_result"}), "messages[1].content[0].type"),
        (blocks({"type": "container_upload"}), "messages[1].content[0].type"),
        (
            blocks({"type": "server_tool_use", "id": "s"}, role="assistant"),
            "messages[1].content[0].type",
        ),
        (
            blocks({"type": "image", "source": {"type": "file", "file_id": "f"}}),
            "messages[1].content[0].source.type",
        ),
        (
            blocks({"type": "text", "text": "a", "citations": [{"type": "char_location"}]}),
            "messages[1].content[0].citations",
        ),
        (
            blocks({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "document"}]}),
            "messages[1].content[0].content[0].type",
        ),
        (
            blocks(
                {
                    "type": "tool_use",
                    "id": "a",
                    "name": "f",
                    "input": {},
                    "caller": {"type": "code_execution", "tool_id": "t"},
                },
                role="assistant",
            ),
            "messages[1].content[0].caller.type",
        ),
        (sent(tools=[{"type": "web_search_20260318", "name": "web_search"}]), "tools[0].type"),
        (
            sent(tools=[{"name": "f", "input_schema": {}, "defer_loading": True}]),
            "tools[0].defer_loading",
        ),
        (
            sent(tools=[{"name": "f", "input_schema": {}, "input_examples": [{}]}]),
            "tools[0].input_examples",
        ),
        (
            sent(
                tools=[
                    {
                        "name": "f",
                        "input_schema": {},
                        "allowed_callers": ["code_execution_20250825"],
                    }
                ]
            ),
            "tools[0].allowed_callers[0]",
        ),
        (sent(thinking={"type": "between_tools"}), "thinking.type"),
        (blocks({"type": "thinking", "thinking": "a"}), "messages[1].content[0].type"),
        (blocks({"type": "tool_use", "id": "a", "name": "f", "input": {}}), "messages[1].content"),
        (
            blocks({"type": "tool_result", "tool_use_id": "a"}, role="assistant"),
            "messages[1].content[0].type",
        ),
        (
            blocks({"type": "image", "source": {"type": "url", "url": "x"}}, role="system"),
            "messages[1].content[0].type",
        ),
    ],
)
def test_what_the_protocol_knows_and_cascade_does_not_is_refused_by_its_place(
    body: bytes, place: str
) -> None:
    error = refusal(body)
    assert isinstance(error, UnsupportedParameter)
    assert error.place.startswith(place)
    assert error.mend


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b"hello", "body"),
        (b'{"model": "\xff"}', "body"),
        (b"[" * 100_000, "body"),
        (sent().replace(b"100", b"NaN"), "max_tokens"),
        (json.dumps(HI | {"model": None}).encode(), "model"),
        (b'{"model":"m","messages":[{"role":"user","content":"x"}]}', "max_tokens"),
        (sent(max_tokens=0), "max_tokens"),
        (sent(messages=[]), "messages"),
        (sent(messages=[{"role": "tool", "content": "x"}]), "messages[0].role"),
        (sent(messages=[{"role": "user"}]), "messages[0].content"),
        (blocks(), "messages[1].content"),
        (blocks({"type": "text", "text": 3}), "messages[1].content[0].text"),
        (blocks({"text": "a"}), "messages[1].content[0].type"),
        (
            blocks({"type": "image", "source": {"type": "url", "url": "file:///etc"}}),
            "messages[1].content[0].source.url",
        ),
        (
            blocks(
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/tiff", "data": ""},
                }
            ),
            "messages[1].content[0].source.media_type",
        ),
        (
            blocks({"type": "tool_use", "id": "a", "name": "f", "input": "x"}, role="assistant"),
            "messages[1].content[0].input",
        ),
        (
            blocks({"type": "text", "text": "a", "cache_control": MARK | {"ttl": "1d"}}),
            "messages[1].content[0].cache_control.ttl",
        ),
        (sent(temperature=1.5), "temperature"),
        (sent(top_p=-0.1), "top_p"),
        (sent(thinking={"type": "enabled", "budget_tokens": 10}), "thinking.budget_tokens"),
        (sent(output_config={"effort": "huge"}), "output_config.effort"),
        (sent(tool_choice={"type": "tool"}), "tool_choice.name"),
        (sent(system=[{"type": "text"}]), "system[0].text"),
        (sent(cascade={"max_cost": -1}), "cascade.max_cost"),
        (sent(cascade={"quality": "great"}), "cascade.quality"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_its_mend(body: bytes, place: str) -> None:
    error = refusal(body)
    assert error.place == place
    assert error.mend


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_bytes_that_are_no_request_are_never_more_than_a_request_error(body: bytes) -> None:
    refusal(body)


def test_each_tools_result_is_a_message_of_its_own_and_the_rest_follows() -> None:
    request = read(
        blocks(
            {"type": "text", "text": "first"},
            {"type": "tool_result", "tool_use_id": "a"},
            {
                "type": "tool_result",
                "tool_use_id": "b",
                "is_error": True,
                "content": "broken",
                "cache_control": MARK,
            },
            {"type": "image", "source": {"type": "url", "url": "https://e.org/a.png"}},
        )
    )
    assert request.messages[1:] == (
        Message("user", (Text("first"),)),
        Message("tool", "", tool_call_id="a"),
        Message("tool", "broken", tool_call_id="b", is_error=True, mark="5m"),
        Message("user", (Image("https://e.org/a.png"),)),
    )


def test_reasoning_between_texts_keeps_its_place_and_calls_stay_together() -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    call = {"type": "tool_use", "name": "f", "input": {}}
    request = read(
        blocks(
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "One."},
            thinking,
            call | {"id": "a"},
            thinking,
            call | {"id": "b"},
            role="assistant",
        )
    )
    thought = Thought("Hm.", "s")
    assert request.messages[1:] == (
        Message("assistant", "One.", thoughts=(Thought(redacted="d"),)),
        Message(
            "assistant",
            tool_calls=(ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")),
            thoughts=(thought, thought),
        ),
    )


def test_a_calls_input_keeps_its_bytes() -> None:
    body = (
        b'{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":'
        b'"tool_use","id":"a","name":"f","input":{"b": 1.0, "a":"\\u00e9"}}]}]}'
    )
    (message,) = read(body).messages
    assert message.tool_calls[0].arguments == '{"b": 1.0, "a":"\\u00e9"}'


@pytest.mark.parametrize(
    ("turn", "marked"),
    [
        ({"role": "user", "content": "a"}, Message("user", (Text("a", "5m"),))),
        (
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
            Message("tool", "", tool_call_id="a", mark="5m"),
        ),
        (
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}],
            },
            Message("assistant", tool_calls=(ToolCall("a", "f", "{}", mark="5m"),)),
        ),
    ],
)
def test_a_mark_for_the_whole_request_marks_its_last_block(
    turn: dict[str, Any], marked: Message
) -> None:
    assert read(sent(messages=[turn], cache_control=MARK)).messages == (marked,)


@pytest.mark.parametrize(
    ("fields", "effort", "budget"),
    [
        ({}, None, None),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, "high", None),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, "low", None),
        ({"thinking": {"type": "disabled"}}, "none", None),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, "low", 0),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, None, 2000),
        ({"output_config": {"effort": "max"}}, "max", None),
    ],
)
def test_thinking_and_effort_are_read_together(
    fields: dict[str, Any], effort: str | None, budget: int | None
) -> None:
    request = read(sent(**fields))
    assert (request.reasoning_effort, request.reasoning_budget) == (effort, budget)


def test_the_cascade_object_says_how_to_decide() -> None:
    options = {"max_cost": 0.5, "ladder": "batch", "session": "s", "events": True, "tags": ["a"]}
    incoming = decode_request(sent(cascade=options))
    request = incoming.request
    assert (request.max_cost, request.ladder, request.session) == (0.5, "batch", "s")
    assert request.tags == ("a",)
    assert incoming.events

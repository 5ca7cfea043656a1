"""How a request is written for the provider: what has a form there and what has none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cascade.errors import RequestError, UnsupportedParameter
from cascade.types import (
    Image,
    Message,
    Request,
    ResponseFormat,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
)
from cascade.wire.anthropic import address, encode_request
from cascade.wire.codec import Asking
from cascade.wire.seals import GOOGLES

USER = Message("user", "hi")
CALL = ToolCall("t1", "f", '{"b": 1, "a": 2}')
TOOL = Tool("f")
DISABLED = {"type": "disabled"}
ADAPTIVE = {"type": "adaptive", "display": "summarized"}


def asked(*messages: Message, lacks: frozenset[str] = frozenset(), **fields: Any) -> dict[str, Any]:
    options = {name: fields.pop(name) for name in ("max_output",) if name in fields}
    request = Request(messages or (USER,), **fields)
    found: dict[str, Any] = json.loads(encode_request(request, Asking("m", lacks=lacks, **options)))
    return found


def enabled(budget: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": budget, "display": "summarized"}


def test_the_address_is_the_base_urls() -> None:
    assert address("https://e.org/v1/", "m", True) == "https://e.org/v1/messages"


def test_the_smallest_request_says_a_limit_and_nothing_more() -> None:
    assert asked() == {
        "model": "m",
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": "hi"}],
    }


def test_the_machines_limit_goes_before_the_callers_and_that_before_the_models() -> None:
    request = Request((USER,), max_tokens=200)
    for asking, limit in (
        (Asking("m", max_tokens=100, max_output=300), 100),
        (Asking("m", max_output=300), 200),
    ):
        assert json.loads(encode_request(request, asking))["max_tokens"] == limit
    assert asked(max_output=300)["max_tokens"] == 300


def test_system_messages_at_the_start_are_the_system_prompt() -> None:
    body = asked(Message("system", "One."), Message("developer", (Text("Two.", "1h"),)), USER)
    assert body["system"] == [
        {"type": "text", "text": "One."},
        {
            "type": "text",
            "text": "Two.",
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
    ]
    assert asked(Message("system", "One."), USER)["system"] == "One."


@pytest.mark.parametrize(
    ("after", "known", "role"),
    [
        ((), True, "system"),
        ((Message("assistant", "ok"),), True, "system"),
        ((USER,), True, "user"),
        ((), False, "user"),
    ],
)
def test_a_later_system_message_stands_where_the_protocol_and_the_model_allow_it(
    after: tuple[Message, ...], known: bool, role: str
) -> None:
    lacks = frozenset() if known else frozenset({"system_turns"})
    body = asked(USER, Message("system", "Hurry."), *after, lacks=lacks)
    assert body["messages"][1] == {"role": role, "content": "Hurry."}


def test_a_system_message_after_an_assistants_is_a_users() -> None:
    body = asked(USER, Message("assistant", "ok"), Message("system", "Hurry."), USER)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user", "user"]


def test_nothing_but_a_system_message_is_a_users_turn() -> None:
    body = asked(Message("system", "Say hello."))
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": "Say hello."}]


def test_tools_results_are_one_turn_with_what_the_user_sends_beside_them() -> None:
    body = asked(
        USER,
        Message(
            "assistant",
            "Look.",
            tool_calls=(CALL,),
            thoughts=(Thought("Hm.", "s"), Thought("No"), Thought("Not its own", GOOGLES + "s")),
        ),
        Message("tool", "one", tool_call_id="t1"),
        Message("tool", (Text("two"),), tool_call_id="t2", is_error=True, mark="5m"),
        Message("user", (Text("Go on."),)),
        Message("user", "Now."),
    )
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "text", "text": "Look."},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": 2}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
                {
                    "type": "tool_result",
                    "tool_use_id": "t2",
                    "content": [{"type": "text", "text": "two"}],
                    "is_error": True,
                    "cache_control": {"type": "ephemeral"},
                },
                {"type": "text", "text": "Go on."},
            ],
        },
        {"role": "user", "content": "Now."},
    ]


def test_a_calls_arguments_are_the_models_own_bytes() -> None:
    request = Request((USER, Message("assistant", tool_calls=(CALL,))))
    assert b'"input":{"b": 1, "a": 2}' in encode_request(request, Asking("m"))


def test_a_call_without_arguments_has_an_empty_input() -> None:
    body = asked(USER, Message("assistant", tool_calls=(ToolCall("t", "f", ""),)))
    assert body["messages"][1]["content"][0]["input"] == {}


@pytest.mark.parametrize("arguments", ["[1]", '"a"', '{"a":', "{} {}", "a", '{"a": NaN}'])
def test_arguments_that_are_no_object_are_an_error_with_their_place(arguments: str) -> None:
    with pytest.raises(RequestError) as caught:
        asked(USER, Message("assistant", tool_calls=(CALL, ToolCall("t", "f", arguments))))
    assert caught.value.place == "messages[1].tool_calls[1].function.arguments"
    assert caught.value.value == arguments


def test_empty_texts_are_left_out_and_a_refusal_is_a_text() -> None:
    body = asked(
        Message("user", (Text(""), Text("hi"))),
        Message("assistant", "", refusal="No."),
        Message("user", ""),
        USER,
    )
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "hi"},
    ]


def test_messages_without_any_content_are_an_error() -> None:
    with pytest.raises(RequestError, match="no message has any content"):
        asked(Message("user", ""))


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://e.org/a", {"type": "url", "url": "https://e.org/a"}),
        (
            "data:image/JPG;base64,AA==",
            {"type": "base64", "media_type": "image/jpeg", "data": "AA=="},
        ),
    ],
)
def test_an_image_is_a_source(url: str, source: dict[str, str]) -> None:
    body = asked(Message("user", (Image(url, "low"),)))
    assert body["messages"][0]["content"] == [{"type": "image", "source": source}]


@pytest.mark.parametrize("url", ["data:image/svg+xml;base64,AA==", "data:image/png,AA", "data:"])
def test_an_image_that_the_protocol_does_not_have_is_an_error(url: str) -> None:
    with pytest.raises(RequestError) as caught:
        asked(Message("user", (Text("a"), Image(url))))
    assert caught.value.place == "messages[0].content[1]"


def test_tools_have_an_object_schema_and_their_choice_a_flag_against_parallel_calls() -> None:
    schema = b'{"properties":{}}'
    body = asked(
        tools=(TOOL, Tool("g", "Do it", schema, True, "5m")),
        tool_choice=ToolChoice("function", "g"),
        parallel_tool_calls=False,
    )
    assert body["tools"] == [
        {"name": "f", "input_schema": {"type": "object"}},
        {
            "name": "g",
            "description": "Do it",
            "input_schema": {"type": "object", "properties": {}},
            "strict": True,
            "cache_control": {"type": "ephemeral"},
        },
    ]
    assert body["tool_choice"] == {
        "type": "tool",
        "name": "g",
        "disable_parallel_tool_use": True,
    }


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, None),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"tool_choice": ToolChoice("required")}, {"type": "any"}),
        ({"tool_choice": ToolChoice("none"), "parallel_tool_calls": False}, {"type": "none"}),
    ],
)
def test_which_tools_may_be_called(fields: dict[str, Any], choice: object) -> None:
    assert asked(tools=(TOOL,), **fields).get("tool_choice") == choice
    assert "tool_choice" not in asked(**fields)


@pytest.mark.parametrize(
    ("fields", "lacks", "thinking", "effort"),
    [
        ({}, (), None, None),
        ({"reasoning_effort": "minimal"}, (), ADAPTIVE, "low"),
        ({"reasoning_effort": "xhigh"}, (), ADAPTIVE, "xhigh"),
        ({"reasoning_effort": "none"}, (), DISABLED, None),
        ({"reasoning_effort": "low", "reasoning_budget": 0}, (), DISABLED, "low"),
        ({"reasoning_effort": "low"}, ("reasoning_effort",), None, None),
        ({"reasoning_budget": 2000}, (), enabled(2000), None),
        ({"reasoning_budget": 10}, (), enabled(1024), None),
        ({"reasoning_budget": -1}, (), ADAPTIVE, None),
        ({"reasoning_budget": 2000, "max_tokens": 1500}, (), enabled(1499), None),
        ({"reasoning_budget": 2000, "max_tokens": 1000}, (), None, None),
        ({"reasoning_budget": 2000}, ("reasoning_budget",), ADAPTIVE, None),
        ({"reasoning_budget": 2000}, ("reasoning_budget", "reasoning_effort"), None, None),
        (
            {"reasoning_effort": "low", "tools": (TOOL,), "tool_choice": ToolChoice("required")},
            (),
            None,
            "low",
        ),
    ],
)
def test_how_hard_to_think(
    fields: dict[str, Any], lacks: tuple[str, ...], thinking: object, effort: str | None
) -> None:
    body = asked(lacks=frozenset(lacks), **fields)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort


def test_a_budget_waits_while_the_model_goes_on_from_another_models_calls() -> None:
    result = Message("tool", "4", tool_call_id="t1")
    strange = Message("assistant", tool_calls=(CALL,))
    own = Message("assistant", tool_calls=(CALL,), thoughts=(Thought("Hm.", "s"),))
    assert "thinking" not in asked(USER, strange, result, reasoning_budget=2000)
    assert asked(USER, own, result, reasoning_budget=2000)["thinking"] == enabled(2000)


def test_a_model_that_thinks_is_not_told_how_to_sample() -> None:
    sampling: dict[str, Any] = {"temperature": 0.5, "top_p": 0.9, "top_k": 5}
    assert not sampling.keys() & asked(reasoning_effort="low", **sampling).keys()
    assert sampling.items() <= asked(reasoning_effort="none", **sampling).items()


def test_sampling_is_left_out_where_the_model_lacks_it_and_kept_in_its_bounds() -> None:
    sampling: dict[str, Any] = {"temperature": 1.7, "top_p": 1.0, "top_k": 5}
    body = asked(**sampling)
    assert (body["temperature"], body["top_p"], body["top_k"]) == (1, 1, 5)
    assert not sampling.keys() & asked(lacks=frozenset(sampling), **sampling).keys()
    with pytest.raises(RequestError, match="it is not finite"):
        asked(temperature=float("inf"))


def test_what_is_advisory_and_has_no_form_is_left_out() -> None:
    extras: dict[str, Any] = {"seed": 1, "presence_penalty": 1.0, "frequency_penalty": 1.0}
    assert asked(logit_bias=(("1", 2.0),), **extras) == asked()


def test_marks_and_user_are_left_out_where_the_model_lacks_them() -> None:
    lacks = frozenset({"cache_marks", "user"})
    fields: dict[str, Any] = {"tools": (Tool("f", mark="1h"),), "user": "u"}
    marked = Message("user", (Text("a", "5m"),))
    assert asked(marked, **fields)["metadata"] == {"user_id": "u"}
    body = asked(marked, lacks=lacks, **fields)
    assert "metadata" not in body
    assert "cache_control" not in json.dumps(body)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"response_format": ResponseFormat("json_object")}, "response_format.type"),
        ({"response_format": ResponseFormat("json_schema", "s")}, "response_format.type"),
        ({"logprobs": True}, "logprobs"),
        ({"reasoning_effort": "vast"}, "reasoning_effort"),
    ],
)
def test_what_binds_and_has_no_form_is_an_error_that_names_it(
    fields: dict[str, Any], place: str
) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        asked(**fields)
    assert caught.value.place == place


def test_half_of_a_surrogate_pair_is_an_error() -> None:
    with pytest.raises(RequestError, match="surrogate"):
        asked(Message("user", "\ud83d"))
    with pytest.raises(RequestError, match="no JSON object"):
        asked(USER, Message("assistant", tool_calls=(ToolCall("t", "f", '{"a":"\ud83d"}'),)))

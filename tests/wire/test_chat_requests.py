"""Which requests are taken, which are refused, and how a refusal reads."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.errors import RequestError, UnsupportedParameter
from cascade.types import Image, Message, Request, Text, Tool, ToolCall, ToolChoice
from cascade.wire.codec import Asking
from cascade.wire.openai_chat import decode_request, encode_request

HI: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


def sent(**fields: Any) -> bytes:
    return json.dumps(HI | fields).encode()


def turn(**fields: Any) -> bytes:
    return sent(messages=[HI["messages"][0], fields])


def refusal(body: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        decode_request(body)
    return caught.value


def asked(request: Request, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode_request(request, Asking("m", **options)))
    return found


@pytest.mark.parametrize("name", ["top_a", "max_token", "temprature", "cascade_ladder"])
def test_an_unknown_parameter_is_an_error_that_names_it(name: str) -> None:
    error = refusal(sent(**{name: 3}))
    assert isinstance(error, UnsupportedParameter)
    assert (error.place, error.value) == (name, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("audio", {"voice": "alloy", "format": "wav"}),
        ("modalities", ["text", "audio"]),
        ("functions", [{"name": "f"}]),
        ("function_call", "auto"),
        ("moderation", {"model": "m"}),
        ("prediction", {"type": "content", "content": "x"}),
        ("verbosity", "low"),
        ("web_search_options", {}),
    ],
)
def test_what_would_change_the_answer_and_is_not_supported_is_refused_by_name(
    name: str, value: object
) -> None:
    error = refusal(sent(**{name: value}))
    assert isinstance(error, UnsupportedParameter)
    assert error.place.startswith(name)
    assert error.mend
    assert decode_request(sent(**{name: None})).request == decode_request(sent()).request


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metadata", {"trace": "1"}),
        ("store", True),
        ("service_tier", "flex"),
        ("prompt_cache_key", "k"),
        ("prompt_cache_options", {"mode": "explicit"}),
        ("prompt_cache_retention", "24h"),
        ("safety_identifier", "u"),
        ("stream_options", {"include_obfuscation": False}),
        ("n", 1),
        ("modalities", ["text"]),
    ],
)
def test_bookkeeping_that_changes_no_answer_is_taken_and_dropped(name: str, value: object) -> None:
    taken = decode_request(sent(**{name: value})).request
    assert msgspec.structs.replace(taken, ignored=()) == decode_request(sent()).request


def test_what_nobody_is_sent_is_named() -> None:
    given = {
        "metadata": {"trace": "1"},
        "store": False,
        "service_tier": "flex",
        "prompt_cache_key": "k",
        "prompt_cache_options": {"mode": "explicit"},
        "prompt_cache_retention": "24h",
        "safety_identifier": "u",
    }
    usual = {"stream": True, "stream_options": {"include_usage": True}, "n": 1, "user": "u"}
    assert decode_request(sent(**given, **usual)).request.ignored == tuple(given)
    assert decode_request(sent(**dict.fromkeys(given), **usual)).request.ignored == ()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b"hello", "body"),
        (b'{"model": "\xff"}', "body"),
        (b"[" * 100_000, "body"),
        (b'{"model":"a","messages":[{"role":"user","content":"x"}],"top_p":NaN}', "top_p"),
        (b'{"model":"a","messages":[{"role":"user","content":"x"}],"top_p":-Infinity}', "top_p"),
        (b'{"model":"a","messages":[{"role":"user","content":"x"}],"top_p":1e999}', "top_p"),
        (json.dumps({"messages": HI["messages"]}).encode(), "model"),
        (json.dumps({"model": "m"}).encode(), "messages"),
        (sent(model=None), "model"),
        (sent(model=""), "model"),
        (sent(messages="hi"), "messages"),
        (sent(messages=[]), "messages"),
        (turn(role="user"), "messages[1].content"),
        (turn(role="user", content=None), "messages[1].content"),
        (turn(role="user", content=[]), "messages[1].content"),
        (turn(role="user", content=[{"text": "a"}]), "messages[1].content[0].type"),
        (turn(role="user", content=[{"type": "file"}]), "messages[1].content[0].type"),
        (turn(role="user", content=[{"type": "text", "text": 3}]), "messages[1].content[0].text"),
        (
            turn(role="user", content=[{"type": "image_url", "image_url": {"url": "file:///etc"}}]),
            "messages[1].content[0].image_url.url",
        ),
        (turn(role="function", content="a"), "messages[1].role"),
        (turn(role="user", content="a", colour="red"), "messages[1].colour"),
        (turn(role="user", content="a", refusal="no"), "messages[1].refusal"),
        (turn(role="assistant"), "messages[1].content"),
        (turn(role="tool", content="4"), "messages[1].tool_call_id"),
        (
            turn(role="assistant", tool_calls=[{"id": "a", "function": {"name": "f"}}]),
            "messages[1].tool_calls[0].function.arguments",
        ),
        (sent(tools=[{"type": "custom", "custom": {"name": "f"}}]), "tools[0].type"),
        (sent(tools=[{"type": "function"}]), "tools[0].function"),
        (sent(tool_choice="maybe"), "tool_choice"),
        (sent(tool_choice={"type": "allowed_tools"}), "tool_choice.type"),
        (sent(response_format={"type": "xml"}), "response_format.type"),
        (sent(response_format={"type": "json_schema"}), "response_format.json_schema"),
        (sent(temperature=3), "temperature"),
        (sent(temperature="warm"), "temperature"),
        (sent(temperature=True), "temperature"),
        (sent(max_tokens=0), "max_tokens"),
        (sent(max_tokens=1, max_completion_tokens=2), "max_tokens"),
        (sent(top_logprobs=3), "top_logprobs"),
        (sent(logprobs=True, top_logprobs=21), "top_logprobs"),
        (sent(cascade={"max_cost": -1}), "cascade.max_cost"),
        (sent(cascade={"deadline": 0}), "cascade.deadline"),
        (sent(cascade={"quality": "good"}), "cascade.quality"),
        (sent(cascade={"colour": "red"}), "cascade.colour"),
    ],
)
def test_a_mistake_is_answered_with_its_place_and_its_mend(body: bytes, place: str) -> None:
    error = refusal(body)
    assert error.place == place
    assert error.problem
    assert error.mend


def test_an_error_shows_the_value_that_stands_there() -> None:
    error = refusal(sent(temperature=3))
    assert str(error) == "temperature = 3: it does not fit. Send a number <= 2.0"
    error = refusal(turn(role="bot", content="a"))
    assert error.value == "bot"
    assert "system, developer, user, assistant, tool" in error.mend


@given(st.binary() | st.text(st.sampled_from('{}[]",:model messages12.eNa')).map(str.encode))
def test_no_bytes_raise_anything_but_a_request_error(body: bytes) -> None:
    with pytest.raises(RequestError):
        decode_request(body)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_both_names_of_the_output_limit_mean_the_same(name: str) -> None:
    assert decode_request(sent(**{name: 7})).request.max_tokens == 7
    both = decode_request(sent(max_tokens=7, max_completion_tokens=7))
    assert both.request.max_tokens == 7


def test_the_cascade_object_is_read_into_the_deciding_half() -> None:
    options = {
        "max_cost": 0.01,
        "deadline": 20,
        "ladder": "batch",
        "quality": "best",
        "cache": "refresh",
        "delivery": "live",
        "tags": ["a", "b"],
    }
    request = decode_request(sent(cascade=options)).request
    assert (request.max_cost, request.deadline, request.ladder) == (0.01, 20.0, "batch")
    assert (request.quality, request.cache, request.delivery) == ("best", "refresh", "live")
    assert request.tags == ("a", "b")


def test_what_decides_is_never_sent_to_a_provider() -> None:
    request = decode_request(
        sent(cascade={"max_cost": 1, "deadline": 9, "ladder": "l", "tags": ["t"]})
    ).request
    assert set(asked(request)) == {"model", "messages"}


def test_stop_may_be_one_text_or_several() -> None:
    assert decode_request(sent(stop="END")).request.stop == ("END",)
    assert decode_request(sent(stop=["a", "b"])).request.stop == ("a", "b")


def test_schemas_become_the_same_bytes_in_whatever_order_their_keys_came() -> None:
    one = {"type": "object", "properties": {"b": {}, "a": {}}}
    two = {"properties": {"a": {}, "b": {}}, "type": "object"}
    tools = [
        decode_request(
            sent(tools=[{"type": "function", "function": {"name": "f", "parameters": each}}])
        ).request.tools
        for each in (one, two)
    ]
    assert (
        tools[0]
        == tools[1]
        == (Tool("f", parameters=json.dumps(two, separators=(",", ":")).encode()),)
    )


def test_an_image_may_be_a_text_or_an_object() -> None:
    for image in ("https://e.org/a.png", {"url": "https://e.org/a.png"}):
        part = {"type": "image_url", "image_url": image}
        request = decode_request(turn(role="user", content=[part])).request
        assert request.messages[1].content == (Image("https://e.org/a.png"),)


def test_a_refusal_part_becomes_the_messages_refusal() -> None:
    parts = [{"type": "text", "text": "Sorry."}, {"type": "refusal", "refusal": "I will not."}]
    message = decode_request(turn(role="assistant", content=parts)).request.messages[1]
    assert message == Message("assistant", (Text("Sorry."),), refusal="I will not.")


def test_an_assistants_message_copied_from_an_answer_is_taken() -> None:
    copied: dict[str, Any] = {"content": "4", "refusal": None, "annotations": [], "audio": None}
    copied |= {"function_call": None, "tool_calls": None, "reasoning_content": "2+2"}
    message = decode_request(turn(role="assistant", **copied)).request.messages[1]
    assert message == Message("assistant", "4")


def test_the_machines_limit_takes_the_place_of_the_requests() -> None:
    request = Request((Message("user", "hi"),), max_tokens=500)
    assert asked(request)["max_tokens"] == 500
    assert asked(request, max_tokens=100)["max_tokens"] == 100
    named = asked(request, limit_parameter="max_completion_tokens")
    assert named["max_completion_tokens"] == 500
    assert "max_tokens" not in named


def test_log_probabilities_of_our_own_ask_for_a_rival_and_never_for_less_than_the_caller() -> None:
    plain = Request((Message("user", "hi"),))
    caller = Request((Message("user", "hi"),), logprobs=True, top_logprobs=5)
    assert asked(plain, logprobs=True)["top_logprobs"] == 2
    assert asked(caller, logprobs=True)["top_logprobs"] == 5
    assert asked(caller)["top_logprobs"] == 5
    assert "logprobs" not in asked(plain)


def test_what_the_model_lacks_is_left_out_where_it_is_advice_only() -> None:
    tool = Tool("f")
    request = Request(
        (Message("user", "hi"),), temperature=0.5, seed=1, user="u", tools=(tool,), stop=("x",)
    )
    lacks = frozenset(
        {"temperature", "seed", "user", "tools", "stop", "logprobs", "stream_options"}
    )
    body = asked(request, lacks=lacks, logprobs=True, stream=True)
    assert set(body) == {"model", "messages", "tools", "stop", "stream"}


def test_log_probabilities_that_the_caller_asked_for_are_never_dropped() -> None:
    request = Request((Message("user", "hi"),), logprobs=True)
    assert asked(request, lacks=frozenset({"logprobs"}), logprobs=True)["logprobs"] is True


def test_a_streamed_call_asks_for_its_usage() -> None:
    body = asked(Request((Message("user", "hi"),)), stream=True)
    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused_before_it_is_sent(value: float) -> None:
    with pytest.raises(RequestError, match="temperature"):
        encode_request(Request((Message("user", "hi"),), temperature=value), Asking("m"))


def test_half_a_surrogate_pair_is_refused_before_it_is_sent() -> None:
    with pytest.raises(RequestError, match="surrogate"):
        encode_request(Request((Message("user", "\ud83e"),)), Asking("m"))


def test_a_named_tool_choice_is_kept() -> None:
    choice = {"type": "function", "function": {"name": "f"}}
    assert decode_request(sent(tool_choice=choice)).request.tool_choice == ToolChoice(
        "function", "f"
    )


def test_images_in_a_tools_result_follow_as_the_users() -> None:
    picture = Image("https://example.org/cat.png")
    request = Request(
        (
            Message(
                "assistant", tool_calls=(ToolCall("c1", "look", "{}"), ToolCall("c2", "see", "{}"))
            ),
            Message("tool", (Text("a cat"), picture), tool_call_id="c1"),
            Message("tool", (picture,), tool_call_id="c2"),
            Message("assistant", "A cat."),
        )
    )
    turns = json.loads(encode_request(request, Asking("m")))["messages"]
    assert [turn["role"] for turn in turns] == ["assistant", "tool", "tool", "user", "assistant"]
    assert [turn["content"] for turn in turns[1:3]] == ["a cat", "(an image, which follows)"]
    assert [part["image_url"]["url"] for part in turns[3]["content"]] == [picture.url] * 2

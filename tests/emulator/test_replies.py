"""Recorded thoughts, tool calls and log-probabilities leave in pieces, one a token."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.emulator import Emulator
from cascade.emulator.lookup import NotRecordedError, find
from cascade.emulator.replies import Reply, reply_to, whole
from cascade.learning.trace import RecordedAnswer, Recording, Row
from cascade.types import (
    Message,
    ProtocolName,
    Request,
    Response,
    TokenLogprob,
    Tool,
    ToolCall,
    TopLogprob,
)
from tests.emulator.asking import PROTOCOLS, ask, delivered, request
from tests.serving import running

ASKED = Request((Message("user", "p"),))
CALLS = (ToolCall("", "f", '{"a":"' + "x" * 90 + '"}'), ToolCall("own", "g", "{}"))


def said(reply: Reply) -> Response:
    return whole(reply, id="i", created=1, model="m")


def test_thoughts_come_first_then_text_then_calls_and_every_token_is_a_piece() -> None:
    answer = RecordedAnswer(
        "Text.", reasoning="Thoughts.", reasoning_tokens=7, output_tokens=40, input_tokens=1,
        tool_calls=CALLS,
    )  # fmt: skip
    reply = reply_to(ASKED, answer, "call_9")
    kinds = "".join(
        "r" if p.reasoning else "t" if p.text else "c" if p.tool_calls else "."
        for p in reply.pieces
    )
    assert len(reply.pieces) == 40
    assert "".join(dict.fromkeys(kinds)) == "rtc"
    assert kinds.count("r") == 7
    response = said(reply)
    assert (response.reasoning, response.message.text) == ("Thoughts.", "Text.")
    assert [(c.id, c.name, c.arguments) for c in response.message.tool_calls] == [
        ("call_9_0", "f", CALLS[0].arguments),
        ("own", "g", "{}"),
    ]
    assert response.finish_reason == "tool_calls"
    assert response.usage is not None
    assert (response.usage.output_tokens, response.usage.reasoning_tokens) == (40, 7)


def test_thoughts_that_the_provider_hides_take_time_and_tokens_all_the_same() -> None:
    answer = RecordedAnswer("B", reasoning_tokens=99, output_tokens=100, input_tokens=1)
    reply = reply_to(ASKED, answer)
    assert [bool(piece.text) for piece in reply.pieces] == [False] * 99 + [True]
    assert said(reply).reasoning == ""


@given(
    text=st.text(max_size=40),
    reasoning=st.text(max_size=40),
    arguments=st.lists(st.text(max_size=40), max_size=3),
    tokens=st.none() | st.integers(0, 60),
    thought=st.none() | st.integers(0, 60),
    limit=st.none() | st.integers(1, 60),
)
def test_nothing_is_lost_and_nothing_is_counted_twice(
    text: str,
    reasoning: str,
    arguments: list[str],
    tokens: int | None,
    thought: int | None,
    limit: int | None,
) -> None:
    answer = RecordedAnswer(
        text,
        reasoning=reasoning,
        input_tokens=3,
        output_tokens=tokens,
        reasoning_tokens=None if thought is None or tokens is None else min(thought, tokens),
        tool_calls=tuple(ToolCall(f"c{n}", "f", each) for n, each in enumerate(arguments)),
    )
    reply = reply_to(Request(ASKED.messages, max_tokens=limit), answer)
    response = said(reply)
    cut = tokens is not None and limit is not None and 0 < limit < tokens
    counted = [reply.tokens(n + 1) - reply.tokens(n) for n in range(len(reply.pieces))]
    if tokens is not None and reply.pieces:
        assert sum(counted) == (limit if cut else tokens)
    if cut:
        assert reply.finish_reason == "length"
        assert (reasoning + text).startswith(response.reasoning + response.message.text)
        return
    assert (response.reasoning, response.message.text) == (reasoning, text)
    assert [call.arguments for call in response.message.tool_calls] == arguments


def test_a_limit_cuts_thoughts_first_and_text_after_them() -> None:
    answer = RecordedAnswer(
        "Answer.", reasoning="x" * 90, reasoning_tokens=90, output_tokens=97, input_tokens=1,
        latency_s=9.7,
    )  # fmt: skip
    in_thought = reply_to(Request(ASKED.messages, max_tokens=30), answer)
    assert said(in_thought).reasoning == "x" * 30
    assert said(in_thought).message.text == ""
    assert in_thought.usage is not None
    assert (in_thought.usage.output_tokens, in_thought.usage.reasoning_tokens) == (30, 30)
    assert in_thought.duration == pytest.approx(3.0)
    in_text = reply_to(Request(ASKED.messages, max_tokens=93), answer)
    assert (said(in_text).message.text, in_text.finish_reason) == ("Ans", "length")


RECORDED = (
    TokenLogprob("Rh", -0.1, (TopLogprob("Rh", -0.1), TopLogprob("Mo", -2.5))),
    TokenLogprob("ine", -0.7),
)


def test_recorded_log_probabilities_and_rivals_are_sent_as_they_are() -> None:
    answer = RecordedAnswer(
        "Rhine", input_tokens=1, output_tokens=3, mean_logprob=-9.0, logprobs=RECORDED
    )
    reply = reply_to(Request(ASKED.messages, logprobs=True, top_logprobs=2), answer)
    assert len(reply.pieces) == 3  # the third is the end of the turn, which was counted
    first, second = said(reply).logprobs or ()
    assert first == RECORDED[0]
    assert (second.logprob, second.top) == (-0.7, (TopLogprob("ine", -0.7),))
    plain = reply_to(Request(ASKED.messages, logprobs=True), answer)
    assert [each.top for each in said(plain).logprobs or ()] == [(), ()]
    assert said(reply_to(ASKED, answer)).logprobs is None


def test_tokens_that_do_not_spell_the_text_keep_their_names_and_the_text_its_letters() -> None:
    half = (TokenLogprob("\\xc3", -1.0), TokenLogprob("\\xa4", -2.0))
    answer = RecordedAnswer("ä", input_tokens=1, output_tokens=2, logprobs=half)
    response = said(reply_to(Request(ASKED.messages, logprobs=True), answer))
    assert response.message.text == "ä"
    assert response.logprobs == half


# --- over the wire

LONG = "Let me see. " * 2000
THINKER = Recording(
    [
        Row(
            "p",
            {
                "m": RecordedAnswer(
                    "42", reasoning=LONG, reasoning_tokens=6000, input_tokens=9, output_tokens=6002
                )
            },
        )
    ]
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_long_thoughts_arrive_whole_in_every_protocol(protocol: ProtocolName, stream: bool) -> None:
    with running(Emulator(THINKER, 0)) as url:
        path, body = request(protocol, stream, "m", "p")
        if protocol == "anthropic":
            body["max_tokens"] = 10_000
        response = ask(url, path, body).response(protocol, stream)
        assert delivered(url)["output_tokens"] == 6002
    assert (response.reasoning, response.message.text) == (LONG, "42")
    assert response.finish_reason == "stop"


def test_thoughts_have_their_share_of_the_latency() -> None:
    answer = RecordedAnswer(
        "42", reasoning="x" * 60, reasoning_tokens=60_000, input_tokens=9, output_tokens=60_002,
        latency_s=600,
    )  # fmt: skip
    emulator = Emulator(Recording([Row("p", {"m": answer})]))
    with running(emulator) as url:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        body = {"model": "m", "messages": [{"role": "user", "content": "p"}], "stream": True}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        response = connection.getresponse()
        response.read(1)
        assert emulator.delivered.total.output_tokens < 60_000
        response.close()
        connection.close()


# --- which row


def rows(*tools: tuple[str, ...]) -> Recording:
    return Recording(
        Row("p", {"m": RecordedAnswer(" ".join(names))}, tools=tuple(map(Tool, names)))
        for names in tools
    )


def text(recording: Recording, *offered: str) -> str:
    return find(recording, "m", Request(ASKED.messages, tools=tuple(map(Tool, offered)))).text


def test_rows_of_one_conversation_are_told_apart_by_the_tools_they_offered() -> None:
    recording = rows(("a", "b"), ("a",), ())
    assert text(recording, "b", "a") == "a b"
    assert text(recording, "a") == "a"
    assert text(recording) == ""
    with pytest.raises(NotRecordedError) as caught:
        text(recording, "c")
    assert (caught.value.code, caught.value.place) == ("not_recorded", "tools")
    assert "with other tools than c; it has it with a; a, b; none" in caught.value.message


def test_a_conversation_recorded_once_is_found_whatever_tools_are_offered() -> None:
    recording = rows(("geometry.area",))
    assert text(recording) == text(recording, "other") == "geometry.area"


def test_dots_in_names_are_the_underscores_that_clients_must_send() -> None:
    recording = rows(("geometry.area",), ("geometry.side",))
    assert text(recording, "geometry_side") == "geometry.side"


def test_models_of_one_conversation_may_stand_in_rows_of_their_own() -> None:
    recording = Recording(Row("p", {model: RecordedAnswer(model)}) for model in ("m", "n"))
    assert text(recording) == "m"
    assert find(recording, "n", ASKED).text == "n"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_tool_s_turn_goes_on_in_every_protocol(protocol: ProtocolName) -> None:
    talk: tuple[Message, ...] = (
        Message("user", "p"),
        Message("assistant", None, (ToolCall("c1", "f", '{"a": 1}'),)),
        Message("tool", "sunny", tool_call_id="c1"),
    )
    recording = Recording([Row("p", {"m": RecordedAnswer("It is sunny.")}, messages=talk)])
    bodies: dict[ProtocolName, dict[str, Any]] = {
        "openai": {
            "model": "m",
            "messages": [
                {"role": "user", "content": "p"},
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": "x",
                            "type": "function",
                            "function": {"name": "f", "arguments": '{"a":1}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "x", "content": "sunny"},
            ],
        },
        "anthropic": {
            "model": "m",
            "max_tokens": 9,
            "messages": [
                {"role": "user", "content": "p"},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "x", "name": "f", "input": {"a": 1}}],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "x", "content": "sunny"}],
                },
            ],
        },
        "gemini": {
            "contents": [
                {"role": "user", "parts": [{"text": "p"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]},
                {
                    "role": "user",
                    "parts": [{"functionResponse": {"name": "f", "response": {"result": "sunny"}}}],
                },
            ]
        },
    }
    path, _ = request(protocol, stream=False, model="m")
    with running(Emulator(recording, 0)) as url:
        heard = ask(url, path, bodies[protocol])
    assert heard.response(protocol, stream=False).message.text == "It is sunny.", heard.body

"""What of an answer and of a stream is read, what is refused, and in what order it is written."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.types import (
    Delta,
    Kind,
    Message,
    Response,
    Thought,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from cascade.wire.anthropic import decode_response, encode_error, encode_response
from cascade.wire.anthropic.stream import StreamReader
from cascade.wire.failures import CallFailure, Malformed
from cascade.wire.sse import SseReader
from tests.wire.anthropic.streams import read_stream, write_deltas

START = {"type": "message_start", "message": {"id": "msg_1", "model": "m"}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
TEXT = {"type": "text", "text": ""}


def fed(*events: dict[str, Any]) -> StreamReader:
    reader = StreamReader()
    for event in events:
        reader.feed(json.dumps(event).encode())
    return reader


def begin(block: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def events_of(*deltas: Delta) -> list[dict[str, Any]]:
    """The events of a stream, without its opening and its end."""
    written = SseReader().feed(write_deltas(deltas))
    return [json.loads(event.data) for event in written[1:-2]]


def call(index: int, arguments: str = "", name: str | None = None) -> Delta:
    id_ = None if name is None else f"t{index}"
    return Delta(tool_calls=(ToolCallDelta(index, id_, name, arguments),))


def kinds(events: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(event["type"].removeprefix("content_block_"), event["index"]) for event in events]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"content":null}',
        b'{"content":"x"}',
        b'{"content":[{"type":"tool_use","id":"a"}]}',
        b'{"content":[{"type":"text","text":3}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_response(body)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_are_a_failed_call(body: bytes) -> None:
    with contextlib.suppress(CallFailure):
        decode_response(body)
    with contextlib.suppress(CallFailure):
        StreamReader().feed(body)


def test_a_usage_of_nothing_is_no_usage() -> None:
    body = b'{"content":[],"stop_reason":"end_turn","usage":{"input_tokens":0,"output_tokens":0}}'
    assert decode_response(body).usage is None


def test_a_call_that_is_no_object_is_marked_so_that_no_tool_runs_on_half_of_it() -> None:
    message = Message("assistant", tool_calls=(ToolCall("t", "f", '{"city": "Kob'),))
    body = json.loads(encode_response(Response(message, "length", "m")))
    assert body["content"][0]["input"] == {"INVALID_JSON": '{"city": "Kob'}


def test_reasoning_without_a_seal_is_shown_and_has_nothing_to_send_back() -> None:
    response = Response(Message("assistant", "4"), "stop", "m", reasoning="Hm.")
    body = encode_response(response)
    assert json.loads(body)["content"][0] == {
        "type": "thinking",
        "thinking": "Hm.",
        "signature": "",
    }
    assert decode_response(body).message.thoughts == ()


def test_a_refusal_of_another_protocol_ends_as_one_here() -> None:
    response = Response(Message("assistant", refusal="No."), "stop", "m")
    body = json.loads(encode_response(response))
    assert (body["stop_reason"], body["content"][0]["text"]) == ("refusal", "No.")
    written = write_deltas([Delta(refusal="No."), Delta(finish_reason="stop")])
    assert read_stream(written).response().message.refusal == "No."


def test_the_usage_of_a_stream_is_the_last_word_on_each_of_its_counts() -> None:
    opening = START["message"] | {"usage": {"input_tokens": 9, "output_tokens": 1}}  # type: ignore[operator]
    reader = fed({"type": "message_start", "message": opening})
    assert reader.partial().usage == Usage(9, 1)
    news = {"input_tokens": 0, "output_tokens": 7, "cache_read_input_tokens": 5}
    delta = reader.feed(json.dumps(END | {"usage": news}).encode())
    assert reader.complete
    assert delta == Delta(finish_reason="stop", usage=Usage(14, 7, 5))


@pytest.mark.parametrize("texts", [["I ", "will not."], []])
def test_a_second_closing_event_leaves_a_refusal_as_it_was(texts: list[str]) -> None:
    reason = {"stop_reason": "refusal", "stop_details": {"explanation": "I will not."}}
    closing = {"type": "message_delta", "delta": reason}
    pieces = [
        {"type": "content_block_delta", "index": 0, "delta": {"text": text}} for text in texts
    ]
    stop = {"type": "content_block_stop", "index": 0}
    reader = fed(START, begin(TEXT), *pieces, stop, closing, closing)
    assert reader.response().message == Message("assistant", refusal="I will not.")


def test_an_end_that_is_not_understood_is_told_as_an_answer_that_may_not_be_whole() -> None:
    body = json.loads(encode_response(Response(Message("assistant", "a"), "unknown", "m")))
    assert body["stop_reason"] == "max_tokens"
    assert b'"max_tokens"' in write_deltas([Delta(text="a", finish_reason="unknown")])


def test_an_error_inside_a_200_keeps_the_usage_that_stands_beside_it() -> None:
    counted = {"input_tokens": 9, "output_tokens": 3}
    error = {"type": "error", "error": {"type": "api_error", "message": "hm"}, "usage": counted}
    with pytest.raises(CallFailure) as caught:
        decode_response(json.dumps(error).encode())
    assert caught.value.response is not None
    assert caught.value.response.usage == Usage(9, 3)


def test_a_stop_reason_while_a_block_is_open_is_no_end() -> None:
    reader = fed(START, begin(TEXT), END, {"type": "message_stop"})
    assert reader.done
    assert not reader.complete
    with pytest.raises(CallFailure) as caught:
        reader.response()
    assert caught.value.kind is Kind.BROKEN


def test_a_call_whose_arguments_come_at_its_start_keeps_them() -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    reader = fed(START, begin(block), {"type": "content_block_stop", "index": 0}, END)
    assert reader.response().message.tool_calls == (ToolCall("t", "f", '{"a": 1}'),)


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "message_start"}],
        [begin(TEXT), begin(TEXT)],
        [{"type": "content_block_start", "content_block": TEXT}],
        [{"type": "content_block_start", "index": 0}],
        [{"type": "content_block_delta", "index": 0, "delta": {"text": "a"}}],
        [{"type": "content_block_stop", "index": 0}],
        [{"type": "content_block_stop"}],
    ],
)
def test_events_out_of_order_are_malformed(events: list[dict[str, Any]]) -> None:
    with pytest.raises(Malformed):
        fed(*events)


@pytest.mark.parametrize(
    "data",
    [b"", b" ", b"[DONE]", b'{"type":"ping"}', b'{"type":"from_the_future","index":"a"}'[:0]],
)
def test_what_says_nothing_is_skipped(data: bytes) -> None:
    assert StreamReader().feed(data) is None


def test_what_follows_the_last_word_is_skipped() -> None:
    reader = fed(START, END, {"type": "message_stop"})
    assert reader.feed(b"no event at all") is None


def test_blocks_follow_each_other_and_each_is_closed_before_the_next() -> None:
    events = events_of(
        Delta(reasoning="H"),
        Delta(reasoning="m."),
        Delta(thought=Thought("Hm.", "s")),
        Delta(thought=Thought(redacted="d")),
        Delta(text="a"),
        Delta(text="b"),
        call(0, name="f"),
        call(0, '{"x":'),
        call(0, "1}"),
        call(1, "{}", name="g"),
        Delta(finish_reason="tool_calls"),
    )
    assert kinds(events) == [
        ("start", 0),
        ("delta", 0),
        ("delta", 0),
        ("delta", 0),
        ("stop", 0),
        ("start", 1),
        ("stop", 1),
        ("start", 2),
        ("delta", 2),
        ("delta", 2),
        ("stop", 2),
        ("start", 3),
        ("delta", 3),
        ("delta", 3),
        ("stop", 3),
        ("start", 4),
        ("delta", 4),
        ("stop", 4),
    ]
    assert events[3]["delta"] == {"type": "signature_delta", "signature": "s"}
    assert events[5]["content_block"] == {"type": "redacted_thinking", "data": "d"}


def test_a_call_is_written_as_it_comes_and_closed_when_the_next_begins() -> None:
    writer_events = events_of(call(0, '{"a":1}', name="f"), call(1, "{", name="g"), call(1, "}"))
    assert kinds(writer_events)[:4] == [("start", 0), ("delta", 0), ("stop", 0), ("start", 1)]


def test_pieces_of_calls_that_come_in_turns_wait_for_their_block() -> None:
    deltas = (
        call(0, "[", name="f"),
        call(1, '{"b":', name="g"),
        Delta(text="And"),
        call(0, "]"),
        call(1, "2}"),
        Delta(text=" so."),
    )
    events = events_of(*deltas)
    assert [index for _, index in kinds(events)] == sorted(index for _, index in kinds(events))
    message = read_stream(write_deltas([*deltas, Delta(finish_reason="tool_calls")])).response()
    assert message.message == Message(
        "assistant",
        "And so.",
        tool_calls=(ToolCall("t0", "f", "[]"), ToolCall("t1", "g", '{"b":2}')),
    )


def test_a_call_whose_name_comes_late_is_opened_when_it_is_known() -> None:
    events = events_of(call(0, "{"), call(0, "}", name="f"))
    assert kinds(events) == [("start", 0), ("delta", 0), ("delta", 0), ("stop", 0)]
    assert events[0]["content_block"]["name"] == "f"


def test_a_stream_without_content_still_has_its_opening_and_its_end() -> None:
    names = [event.event for event in SseReader().feed(write_deltas([]))]
    assert names == ["message_start", "message_delta", "message_stop"]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_an_errors_word_follows_from_its_status(status: int, word: str) -> None:
    body = json.loads(encode_error("no", status=status, type="t", extra={"attempts": []}))
    assert body == {
        "type": "error",
        "error": {"type": word, "message": "no"},
        "request_id": None,
        "cascade": {"attempts": []},
    }

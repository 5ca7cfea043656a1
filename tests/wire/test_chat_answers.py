"""Answers of providers, whole and streamed: what is taken, and what is a failure."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.types import Delta, Kind, Message, Response, TokenLogprob, ToolCall, TopLogprob, Usage
from cascade.wire.failures import CallFailure, CutOff
from cascade.wire.openai_chat import decode_response, encode_error, encode_response
from cascade.wire.openai_chat.stream import StreamReader
from cascade.wire.openai_chat.stream_writer import StreamWriter


def whole(message: dict[str, Any], **fields: Any) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return json.dumps({"id": "c", "model": "m", "choices": [choice], **fields}).encode()


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return json.dumps({"id": "c", "model": "m", "choices": [choice], **fields}).encode()


def read(*chunks: bytes) -> StreamReader:
    reader = StreamReader()
    for each in chunks:
        reader.feed(each)
    return reader


def usage(**fields: Any) -> Usage | None:
    return decode_response(whole({"content": "a"}, usage=fields)).usage


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", Kind.MALFORMED),
        (b"<html>", Kind.MALFORMED),
        (b"{}", Kind.MALFORMED),
        (b'{"choices": []}', Kind.MALFORMED),
        (b'{"choices": [{"finish_reason": "stop"}]}', Kind.MALFORMED),
        (b'{"choices": [{"message": {"content": 3}}]}', Kind.MALFORMED),
        (b'{"choices": [{"index": 1, "message": {"content": "a"}}]}', Kind.MALFORMED),
        (b'{"choices": [{"message": {}}, {"index": 1, "message": {}}]}', Kind.MALFORMED),
        (b'{"choices": [{"message": {"tool_calls": [{"id": "a"}]}}]}', Kind.MALFORMED),
        (b'{"error": {"message": "hm"}}', Kind.MALFORMED),
        (b'{"error": {"message": "busy", "type": "overloaded_error"}}', Kind.OVERLOADED),
        (b'{"choices": [{"finish_reason": "error", "message": {"content": "a"}}]}', Kind.BROKEN),
    ],
)
def test_a_200_that_is_no_answer_is_a_failure_of_its_kind(body: bytes, kind: Kind) -> None:
    with pytest.raises(CallFailure) as caught:
        decode_response(body)
    assert caught.value.kind is kind


@given(st.binary())
def test_no_bytes_raise_anything_but_a_call_failure(body: bytes) -> None:
    with pytest.raises(CallFailure):
        decode_response(body)
    with suppress(CallFailure):  # an object without choices is an empty chunk
        assert StreamReader().feed(body) is None


def test_a_whole_answer_that_does_not_say_it_ended_was_broken_off_and_keeps_its_usage() -> None:
    usage = b'"usage": {"prompt_tokens": 9, "completion_tokens": 3}'
    with pytest.raises(CutOff) as caught:
        decode_response(b'{"choices": [{"message": {"content": "a"}}], %b}' % usage)
    assert caught.value.kind is Kind.BROKEN
    assert caught.value.response.usage == Usage(9, 3)


@pytest.mark.parametrize(
    "said",
    [
        {"error": {"message": "hm"}},
        {"choices": [{"finish_reason": "error", "message": {"content": "a"}}]},
    ],
)
def test_a_failure_inside_a_200_keeps_the_usage_that_stands_beside_it(said: Any) -> None:
    counted = {"usage": {"prompt_tokens": 9, "completion_tokens": 3}}
    with pytest.raises(CallFailure) as caught:
        decode_response(json.dumps(said | counted).encode())
    assert caught.value.response is not None
    assert caught.value.response.usage == Usage(9, 3)


@pytest.mark.parametrize(
    "said",
    [
        {"error": {"message": "hm"}},
        {"choices": [{"delta": {"content": "b"}, "finish_reason": "error"}]},
    ],
)
def test_a_failure_in_mid_stream_keeps_the_usage_that_comes_with_it(said: Any) -> None:
    counted = {"usage": {"prompt_tokens": 9, "completion_tokens": 3}}
    reader = read(chunk({"content": "a"}))
    with pytest.raises(CallFailure) as caught:
        reader.feed(json.dumps(said | counted).encode())
    assert caught.value.response == reader.partial()
    assert reader.partial().usage == Usage(9, 3)
    running = read(chunk({"content": "a"}, usage=counted["usage"]))
    with pytest.raises(CallFailure) as caught:
        running.feed(json.dumps(said).encode())
    assert caught.value.response is None  # the count may be one of half the answer
    assert running.partial().usage == Usage(9, 3)


def test_an_end_that_is_not_understood_is_told_as_an_answer_that_may_not_be_whole() -> None:
    body = json.loads(encode_response(Response(Message("assistant", "a"), "unknown", "m")))
    assert body["choices"][0]["finish_reason"] == "length"
    writer = StreamWriter("c", 1, "m", include_usage=True)
    written = writer.write(Delta(finish_reason="unknown")) + writer.end(None)
    assert b'"finish_reason":"length"' in written


@pytest.mark.parametrize("include_usage", [True, False])
def test_a_finish_reason_that_comes_before_the_last_piece_is_written_behind_it(
    include_usage: bool,
) -> None:
    writer = StreamWriter("c", 1, "m", include_usage)
    written = writer.start() + writer.write(Delta("Half of ", finish_reason="stop"))
    written += writer.write(Delta("it.")) + writer.end(Usage(3, 1))
    assert written.index(b"Half of ") < written.index(b"it.") < written.index(b'"stop"')


def test_what_a_provider_does_not_send_stays_absent() -> None:
    body = b'{"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}'
    response = decode_response(body)
    assert response == Response(Message("assistant", "a"), "stop", "")
    assert response.usage is None
    assert response.logprobs is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}, Usage(9, 4)),
        ({"prompt_tokens": 9, "completion_tokens": 4}, Usage(9, 4)),
        ({"prompt_tokens": 9, "total_tokens": 13}, Usage(9, 4)),
        ({}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": 9}, None),
        ({"completion_tokens": 4}, None),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
            Usage(100, 50, 60, 30, 20),
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 5, "prompt_cache_hit_tokens": 64},
            Usage(100, 5, 64),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": None,
                "completion_tokens_details": {"reasoning_tokens": None},
            },
            Usage(10, 5),
        ),
        # Reasoning that is billed, and counted in the total only.
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 45}, Usage(10, 35)),
        # More cached tokens than tokens: never less than nothing at the full price.
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 80, "cache_write_tokens": 3},
            },
            Usage(10, 5, 10),
        ),
    ],
)
def test_usage_is_normalised_and_never_invented(
    fields: dict[str, Any], expected: Usage | None
) -> None:
    assert usage(**fields) == expected


def test_a_usage_of_the_wrong_type_is_malformed() -> None:
    with pytest.raises(CallFailure, match="prompt_tokens"):
        usage(prompt_tokens="nine")


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart_from_the_text(name: str) -> None:
    response = decode_response(whole({"content": "4", name: "2 and 2"}))
    assert (response.message.content, response.reasoning) == ("4", "2 and 2")
    reader = read(chunk({name: "2 and"}), chunk({name: " 2"}), chunk({"content": "4"}, "stop"))
    assert reader.response().reasoning == "2 and 2"
    assert reader.response().message.content == "4"


def test_a_content_in_pieces_becomes_text_and_reasoning() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "2 and 2"}]}
    content = [thinking, {"type": "text", "text": "4"}]
    response = decode_response(whole({"content": content}))
    assert (response.message.content, response.reasoning) == ("4", "2 and 2")
    assert read(chunk({"content": content}, "stop")).response().reasoning == "2 and 2"


def test_arguments_sent_as_an_object_become_their_json_text() -> None:
    call = {"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}
    response = decode_response(whole({"content": None, "tool_calls": [call]}))
    assert response.message.tool_calls == (ToolCall("a", "f", '{"x":1}'),)


def test_unlikely_log_probabilities_are_the_sentinel_and_never_missing() -> None:
    tokens = [
        {"token": "a", "logprob": -9999.0, "top_logprobs": []},
        {"token": "b", "logprob": None},
        {"token": "c", "logprob": -3.4e38, "top_logprobs": [{"token": "d", "logprob": None}]},
    ]
    body = json.loads(whole({"content": "abc"}))
    body["choices"][0]["logprobs"] = {"content": tokens}
    assert decode_response(json.dumps(body).encode()).logprobs == (
        TokenLogprob("a", -9999.0),
        TokenLogprob("b", -9999.0),
        TokenLogprob("c", -9999.0, (TopLogprob("d", -9999.0),)),
    )


def test_a_stream_that_ends_early_is_broken_however_clean_its_connection_closed() -> None:
    for reader in (read(chunk({"content": "a"})), read(chunk({"content": "a"}), b"[DONE]"), read()):
        assert not reader.complete
        with pytest.raises(CallFailure) as caught:
            reader.response()
        assert caught.value.kind is Kind.BROKEN


def test_a_finish_reason_ends_a_stream_even_without_done() -> None:
    reader = read(chunk({"content": "a"}), chunk(finish="stop"))
    assert reader.complete
    assert not reader.done
    assert reader.response().message.content == "a"


def test_what_follows_done_is_skipped() -> None:
    reader = read(chunk({"content": "a"}, "stop"), b"[DONE]", chunk({"content": "b"}), b"junk")
    assert reader.response().message.content == "a"


def test_empty_data_is_skipped() -> None:
    assert StreamReader().feed(b" ") is None


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"choices": [{"del', Kind.MALFORMED),
        (b'{"choices": [{"index": 1, "delta": {"content": "b"}}]}', Kind.MALFORMED),
        (b'{"choices": [{"delta": {}}, {"index": 1, "delta": {}}]}', Kind.MALFORMED),
        (b'{"error": {"message": "hm"}}', Kind.BROKEN),
        (b'{"error": {"message": "hm", "type": "server_error"}}', Kind.UNAVAILABLE),
        (b'{"error": {"message": "hm", "code": 429}}', Kind.LIMITED),
        (b'{"choices": [{"delta": {}, "finish_reason": "error"}]}', Kind.BROKEN),
    ],
)
def test_a_failure_in_mid_stream_tells_its_kind(data: bytes, kind: Kind) -> None:
    reader = read(chunk({"content": "a"}))
    with pytest.raises(CallFailure) as caught:
        reader.feed(data)
    assert caught.value.kind is kind
    assert reader.partial().message.content == "a"


def test_a_chunk_without_choices_carries_the_usage() -> None:
    reader = read(chunk({"content": "a"}, "stop"))
    counted = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    delta = reader.feed(json.dumps({"choices": [], "usage": counted}).encode())
    assert delta == Delta(usage=Usage(3, 1))
    assert reader.response().usage == Usage(3, 1)
    assert reader.feed(b'{"choices": [], "prompt_filter_results": []}') is None


def piece(arguments: str | None, name: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"function": {"name": name, "arguments": arguments}, **fields}]}


def test_parallel_calls_in_mixed_pieces_are_put_together_by_index() -> None:
    reader = read(
        chunk(piece("", "f", index=0, id="a", type="function")),
        chunk(piece("", "g", index=1, id="b", type="function")),
        chunk(piece('{"x":', index=0)),
        chunk(piece("{}", index=1)),
        chunk(piece("1}", index=0), "tool_calls"),
    )
    expected = (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"))
    assert reader.response().message.tool_calls == expected


@pytest.mark.parametrize("index", [{}, {"index": 0}])
def test_calls_are_told_apart_by_id_where_the_index_does_not(index: dict[str, int]) -> None:
    reader = read(
        chunk(piece("{}", "f", id="a", **index)),
        chunk(piece("{}", "f", id="b", **index), "tool_calls"),
    )
    assert reader.response().message.tool_calls == (
        ToolCall("a", "f", "{}"),
        ToolCall("b", "f", "{}"),
    )


def test_an_id_and_a_name_that_are_repeated_in_every_piece_begin_no_new_call() -> None:
    reader = read(
        chunk(piece('{"x":', "f", id="a", index=0)),
        chunk(piece("1}", "f", id="a", index=0), "tool_calls"),
    )
    assert reader.response().message.tool_calls == (ToolCall("a", "f", '{"x":1}'),)


def test_a_call_that_never_got_a_name_is_malformed() -> None:
    reader = read(chunk(piece("{}", index=0), "tool_calls"))
    with pytest.raises(CallFailure) as caught:
        reader.response()
    assert caught.value.kind is Kind.MALFORMED


def test_the_extra_facts_stand_beside_the_usage_and_inside_it() -> None:
    response = Response(Message("assistant", "a"), "stop", "m", usage=Usage(3, 1))
    body = json.loads(encode_response(response, model="auto", extra={"cost_usd": 0.1}))
    assert body["model"] == "auto"
    assert body["cascade"] == body["usage"]["cascade"] == {"cost_usd": 0.1}
    end = StreamWriter("c", 1, "m", include_usage=True).end(Usage(3, 1), {"cost_usd": 0.1})
    last = json.loads(end.split(b"\n\n")[0].removeprefix(b"data: "))
    assert last["choices"] == []
    assert last["cascade"] == last["usage"]["cascade"] == {"cost_usd": 0.1}


def test_a_stream_without_a_wish_for_usage_has_the_extra_facts_beside_the_finish() -> None:
    writer = StreamWriter("c", 1, "m", include_usage=False)
    assert writer.write(Delta(finish_reason="stop")) == b""
    last, done, rest = writer.end(Usage(3, 1), {"cost_usd": 0.1}).split(b"\n\n")
    body = json.loads(last.removeprefix(b"data: "))
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["cascade"] == {"cost_usd": 0.1}
    assert "usage" not in body
    assert (done, rest) == (b"data: [DONE]", b"")


def test_a_stream_without_a_wish_for_usage_and_without_extra_facts_ends_plainly() -> None:
    writer = StreamWriter("c", 1, "m", include_usage=False)
    writer.write(Delta(finish_reason="stop"))
    last, done, _ = writer.end(Usage(3, 1)).split(b"\n\n")
    body = json.loads(last.removeprefix(b"data: "))
    assert body["choices"][0]["finish_reason"] == "stop"
    assert set(body) == {"id", "object", "created", "model", "choices"}
    assert done == b"data: [DONE]"


def test_an_error_body_has_the_protocols_four_fields() -> None:
    body = json.loads(encode_error("no", type="t", code="c", param="p", extra={"attempts": []}))
    assert body == {
        "error": {"message": "no", "type": "t", "param": "p", "code": "c"},
        "cascade": {"attempts": []},
    }

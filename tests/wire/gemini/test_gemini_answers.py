"""Answers beyond the plain ones: what Google may send, and what a client gets to see."""

from __future__ import annotations

import contextlib
import json
from typing import Any, get_args

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from cascade.types import (
    Delta,
    FinishReason,
    Kind,
    Message,
    Response,
    Thought,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from cascade.wire.failures import CallFailure, Malformed
from cascade.wire.gemini import (
    decode_response,
    encode_error,
    encode_error_event,
    encode_response,
    reader,
    writer,
)

NO_ANSWER = {
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
}
FILTERED = {
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
}
SAYS_NOTHING = {
    "FINISH_REASON_UNSPECIFIED",
    "LANGUAGE",
    "OTHER",
    "IMAGE_OTHER",
    "NO_IMAGE",
    "ESCALATION",
    "PUP_LIMITED_DISABLED",
    "CONTINUATION",
}


def answer(**fields: Any) -> bytes:
    candidate = {"content": {"parts": [{"text": "4"}], "role": "model"}, "finishReason": "STOP"}
    return json.dumps({"candidates": [candidate | fields]}).encode()


def usage(**counts: int) -> Usage | None:
    body = {"candidates": [{"finishReason": "STOP"}], "usageMetadata": counts}
    return decode_response(json.dumps(body).encode()).usage


def said(text: str | None = None, finish: FinishReason = "stop", **fields: Any) -> Response:
    return Response(Message("assistant", text, **fields), finish, "m", "r")


def chunks(*deltas: Delta, extra: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    writing = writer("r", 1, "m", include_usage=False)
    written = writing.start() + b"".join(map(writing.write, deltas)) + writing.end(None, extra)
    assert written.endswith(b"\n\n")
    return [json.loads(each.removeprefix(b"data: ")) for each in written.split(b"\n\n")[:-1]]


def parts(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chunk["candidates"][0]["content"]["parts"]
    return found


@pytest.mark.parametrize("reason", [each.value for each in types.FinishReason])
def test_every_finish_reason_that_google_knows_has_its_meaning(reason: str) -> None:
    body = answer(finishReason=reason)
    if reason in NO_ANSWER:
        with pytest.raises(Malformed, match=reason):
            decode_response(body)
        with pytest.raises(Malformed, match=reason):
            reader().feed(body)
        return
    known = {"STOP": "stop", "MAX_TOKENS": "length"}
    known |= dict.fromkeys(FILTERED, "content_filter") | dict.fromkeys(SAYS_NOTHING, "unknown")
    assert decode_response(body).finish_reason == known[reason]


@pytest.mark.parametrize("finish", get_args(FinishReason))
def test_every_finish_reason_of_ours_is_one_that_google_knows(finish: FinishReason) -> None:
    written = json.loads(encode_response(said("4", finish)))["candidates"][0]["finishReason"]
    assert types.FinishReason(written).value == written
    assert chunks(Delta(finish_reason=finish))[-1]["candidates"][0]["finishReason"] == written


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", Kind.MALFORMED),
        (b"[]", Kind.MALFORMED),
        (b"<html>", Kind.MALFORMED),
        (b"{}", Kind.MALFORMED),
        (b'{"candidates":[]}', Kind.MALFORMED),
        (b'{"candidates":[{},{}]}', Kind.MALFORMED),
        (b'{"candidates":[{"index":1}]}', Kind.MALFORMED),
        (b'{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}', Kind.MALFORMED),
        (b'{"candidates":[{"content":{"parts":[{"text":4}]}}]}', Kind.MALFORMED),
        (b'{"promptFeedback":{"blockReason":"SAFETY"}}', Kind.FILTERED),
        (b'{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}', Kind.OVERLOADED),
        (b"[" * 100_000, Kind.MALFORMED),
    ],
)
def test_what_is_no_answer_is_a_failure_of_its_kind(body: bytes, kind: Kind) -> None:
    with pytest.raises(CallFailure) as caught:
        decode_response(body)
    assert caught.value.kind is kind


BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}}
NO_CALL = {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}
ERROR = {"error": {"code": 503, "message": "busy"}}
COUNTED = {"usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 12}}


@pytest.mark.parametrize("said", [BLOCKED, NO_CALL, ERROR])
def test_a_failure_keeps_the_usage_that_comes_with_it(said: dict[str, Any]) -> None:
    streamed = reader()
    for read in (decode_response, streamed.feed):
        with pytest.raises(CallFailure) as caught:
            read(json.dumps(said | COUNTED).encode())
        assert caught.value.response is not None
        assert caught.value.response.usage == Usage(9, 3)
    assert streamed.partial().usage == Usage(9, 3)


def test_a_usage_before_a_failure_is_a_running_count() -> None:
    streamed = reader()
    streamed.feed(chunk("Half of ", None, 2))
    with pytest.raises(CallFailure) as caught:
        streamed.feed(json.dumps(NO_CALL).encode())
    assert caught.value.response is None
    assert streamed.partial().usage == Usage(9, 2)


@pytest.mark.parametrize("reason", sorted(NO_ANSWER))
def test_google_is_not_blamed_for_what_its_model_wrote(reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        decode_response(answer(finishReason=reason))
    assert not caught.value.blames


def chunk(text: str | None, finish: str | None, written: int | None = None) -> bytes:
    """A chunk; ``written`` is the count of its usage, 0 for one that holds the prompt alone."""
    candidate: dict[str, Any] = {"finishReason": finish}
    if text is not None:
        candidate["content"] = {"parts": [{"text": text}], "role": "model"}
    body: dict[str, Any] = {"candidates": [candidate]}
    if written is not None:
        body["usageMetadata"] = {"promptTokenCount": 9, "totalTokenCount": 9 + written}
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("chunks", "complete"),
    [
        ([chunk("Half of ", "STOP"), chunk("it.", "STOP")], True),
        ([chunk("Half of ", "STOP"), chunk("it.", None)], False),
        ([chunk("Half of ", None), chunk("it.", None), chunk(None, "STOP")], True),
        ([chunk("Half of ", "STOP"), chunk(None, None)], True),
        ([chunk("Half of ", None, 2), chunk("it.", "STOP")], False),
        ([chunk("Half of ", None, 2), chunk("it.", "STOP", 4)], True),
        ([chunk("Half of ", None, 2), chunk("it.", "STOP"), chunk(None, None, 4)], True),
        ([chunk("Half of ", "STOP", 0)], False),
        ([chunk("Half of ", "STOP", 0), chunk("it.", "STOP", 4)], True),
        ([chunk(None, "SAFETY", 0)], True),
    ],
)
def test_a_stream_is_whole_once_its_finish_and_its_usage_follow_its_last_content(
    chunks: list[bytes], complete: bool
) -> None:
    streamed = reader()
    for each in chunks:
        streamed.feed(each)
    assert streamed.complete is complete
    if complete:
        streamed.response()
    else:
        with pytest.raises(CallFailure) as caught:
            streamed.response()
        assert caught.value.kind is Kind.BROKEN


def test_a_finish_in_every_chunk_is_told_once() -> None:
    streamed = reader()
    deltas = [streamed.feed(chunk(text, "STOP")) for text in ("Half ", "of ", "it.")]
    assert [delta and delta.finish_reason for delta in deltas] == ["stop", None, None]


@given(st.binary() | st.text(st.sampled_from('{}[]",:candidates parts0e')).map(str.encode))
def test_no_bytes_raise_anything_but_a_call_failure(body: bytes) -> None:
    for read in (decode_response, reader().feed):
        with contextlib.suppress(CallFailure):
            read(body)


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        ({"promptTokenCount": 9, "candidatesTokenCount": 2, "totalTokenCount": 11}, Usage(9, 2)),
        ({"promptTokenCount": 9, "totalTokenCount": 12}, Usage(9, 3)),
        ({"promptTokenCount": 9, "candidatesTokenCount": 2}, Usage(9, 2)),
        (
            {"promptTokenCount": 9, "candidatesTokenCount": 2, "thoughtsTokenCount": 5},
            Usage(9, 7, reasoning_tokens=5),
        ),
        (
            {"promptTokenCount": 9, "toolUsePromptTokenCount": 4, "totalTokenCount": 15},
            Usage(13, 2),
        ),
        (
            {"promptTokenCount": 9, "cachedContentTokenCount": 99, "totalTokenCount": 10},
            Usage(9, 1, 9),
        ),
        ({"promptTokenCount": 9}, None),
        ({"candidatesTokenCount": 2}, None),
        ({}, None),
    ],
)
def test_usage_is_normalised_and_never_invented(
    counts: dict[str, int], wanted: Usage | None
) -> None:
    assert usage(**counts) == wanted


def test_made_up_ids_are_never_one_that_another_call_has() -> None:
    calls = [{"functionCall": {"name": "f", **each}} for each in ({"id": "call_1"}, {}, {})]
    message = decode_response(answer(content={"parts": calls})).message
    assert [call.id for call in message.tool_calls] == ["call_1", "call_2", "call_3"]


def test_parts_that_we_did_not_ask_for_are_passed_over() -> None:
    body = answer(content={"parts": [{"executableCode": {"code": "1"}}, {"text": "4"}, {}]})
    assert decode_response(body).message == Message("assistant", "4")


def test_a_refusal_is_told_as_text() -> None:
    response = said(refusal="I will not.")
    assert decode_response(encode_response(response)).message.content == "I will not."
    assert parts(chunks(Delta(refusal="I will not."))[0]) == [{"text": "I will not."}]


def test_the_name_of_the_model_may_be_another_and_the_extra_has_its_place() -> None:
    body = json.loads(encode_response(said("4"), model="auto", extra={"rung": "small"}))
    assert (body["modelVersion"], body["cascade"]) == ("auto", {"rung": "small"})
    assert chunks(extra={"rung": "small"})[-1]["cascade"] == {"rung": "small"}


def test_a_call_whose_arguments_are_no_object_is_told_as_a_malformed_one() -> None:
    bad = ToolCall("c", "f", "{")
    good = ToolCall("d", "f", "")
    response = said("4", "tool_calls", tool_calls=(bad, good))
    delta = Delta(
        tool_calls=(ToolCallDelta(0, "c", "f", "{"), ToolCallDelta(1, "d", "f")),
        finish_reason="tool_calls",
    )
    for body in (json.loads(encode_response(response)), chunks(delta)[-1]):
        assert body["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"
        assert parts(body)[-1] == {"functionCall": {"id": "d", "name": "f", "args": {}}}


def test_a_streamed_call_is_held_until_it_is_whole() -> None:
    written = chunks(
        Delta(text="Look."),
        Delta(tool_calls=(ToolCallDelta(0, "c", "f"),)),
        Delta(tool_calls=(ToolCallDelta(1, "d", "g", "{}"), ToolCallDelta(0, None, None, '{"x":'))),
        Delta(tool_calls=(ToolCallDelta(0, arguments="1}", signature="gemini:AAAA"),)),
        Delta(finish_reason="tool_calls"),
    )
    assert [parts(chunk) for chunk in written] == [
        [{"text": "Look."}],
        [
            {
                "functionCall": {"id": "c", "name": "f", "args": {"x": 1}},
                "thoughtSignature": "AAAA",
            },
            {"functionCall": {"id": "d", "name": "g", "args": {}}},
        ],
    ]


def test_only_the_last_chunk_says_why_the_model_stopped_and_what_was_used() -> None:
    writing = writer("r", 1, "m", include_usage=True)
    written = writing.write(Delta(text="4", finish_reason="length"))
    assert b"finishReason" not in written
    assert b"usageMetadata" not in written
    body = json.loads(writing.end(Usage(9, 2)).removeprefix(b"data: "))
    assert body["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert body["usageMetadata"]["totalTokenCount"] == 11


def test_a_thought_is_signed_behind_its_text_and_an_answer_beside_it() -> None:
    written = chunks(
        Delta(reasoning="Hm."),
        Delta(thought=Thought("Hm.", "gemini:AAAA")),
        Delta(text="4", thought=Thought(signature="gemini:BBBB")),
    )
    assert [parts(chunk) for chunk in written[:-1]] == [
        [{"text": "Hm.", "thought": True}],
        [{"text": "", "thought": True, "thoughtSignature": "AAAA"}],
        [{"text": "4", "thoughtSignature": "BBBB"}],
    ]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (402, "RESOURCE_EXHAUSTED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (418, "INVALID_ARGUMENT"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
        (599, "INTERNAL"),
    ],
)
def test_an_error_has_googles_word_for_its_status(status: int, word: str) -> None:
    error = json.loads(encode_error("No.", status=status, type="api_error"))["error"]
    assert error == {"code": status, "message": "No.", "status": word}


def test_an_errors_code_and_parameter_stand_in_its_details() -> None:
    body = encode_error(
        "No.", status=402, type="x", code="budget_exceeded", param="max_cost", extra={"a": 1}
    )
    assert body.startswith(b'{"error":')
    read = json.loads(body)
    assert read["cascade"] == {"a": 1}
    assert read["error"]["details"][0]["reason"] == "BUDGET_EXCEEDED"
    assert read["error"]["details"][0]["metadata"] == {"param": "max_cost"}
    assert encode_error_event(body) == b"data: " + body + b"\n\n"

"""What Google sends, as its documents show it, and what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade.types import (
    Delta,
    FinishReason,
    Kind,
    Message,
    Response,
    Thought,
    TokenLogprob,
    ToolCall,
    TopLogprob,
    Usage,
)
from cascade.wire.failures import CallFailure
from cascade.wire.gemini import decode_response, encode_response
from cascade.wire.gemini.stream import StreamReader
from cascade.wire.sse import SseReader
from tests.wire.gemini.streams import read_stream

GOLDEN = Path(__file__).parents[1] / "golden" / "gemini"
SIGNED = (Thought(signature="gemini:CiQBcsjafFVQ"),)
SEAL = "gemini:CsoBAdHtim9x+Yk/Q2Q="


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def read(name: str) -> Response:
    if name.endswith(".sse"):
        return read_stream(golden(name)).response()
    return decode_response(golden(name))


def deltas(name: str) -> list[Delta]:
    reader = StreamReader()
    events = SseReader().feed(golden(name))
    return [delta for event in events if (delta := reader.feed(event.data)) is not None]


def said(
    text: str | None, calls: tuple[ToolCall, ...] = (), thoughts: tuple[Thought, ...] = ()
) -> Message:
    return Message("assistant", text, tool_calls=calls, thoughts=thoughts)


THREE = (
    ToolCall("call_0", "weather", '{"city":"Koblenz","unit":"C"}', SEAL),
    ToolCall("call_1", "weather", '{"city":"Trier","unit":"C"}'),
    ToolCall("call_2", "now", "{}"),
)
ANSWERS: list[tuple[str, Message, FinishReason, Usage | None, str]] = [
    (
        "answer-plain.json",
        said("Rhine and Moselle."),
        "stop",
        Usage(1212, 40, 1024, reasoning_tokens=32),
        "",
    ),
    (
        "answer-parallel-calls.json",
        said(None, THREE),
        "tool_calls",
        Usage(92, 157, reasoning_tokens=120),
        "**Looking up the weather**\n\nTwo cities, two calls.",
    ),
    (
        "answer-signed-text.json",
        said("4", thoughts=SIGNED),
        "stop",
        Usage(10, 20, reasoning_tokens=19),
        "Two and two.",
    ),
    ("answer-safety.json", said(None), "content_filter", Usage(21, 0), ""),
    ("answer-all-thought.json", said(None), "length", Usage(14, 97, reasoning_tokens=97), ""),
    ("answer-logprobs.json", said("Yes!"), "length", Usage(9, 2), ""),
    ("answer-average-logprob-only.json", said("Hi."), "stop", Usage(3, 2), ""),
    (
        "stream-thinking.sse",
        said("The answer is 4.", thoughts=SIGNED),
        "stop",
        Usage(10, 25, reasoning_tokens=19),
        "**Adding**\n\nTwo and two.",
    ),
    (
        "stream-parallel-calls.sse",
        said(
            None,
            (
                ToolCall("fc_1", "weather", '{"city":"Koblenz"}', SEAL),
                ToolCall("fc_2", "weather", '{"city":"Trier"}'),
                ToolCall("call_2", "now", "{}"),
            ),
        ),
        "tool_calls",
        Usage(82, 37),
        "",
    ),
    ("stream-finish-in-every-chunk.sse", said("Rhine and Moselle."), "stop", Usage(12, 6), ""),
    ("stream-stopped-by-safety.sse", said("Take one"), "content_filter", Usage(21, 2), ""),
]


@pytest.mark.parametrize(
    ("name", "message", "finish", "usage", "reasoning"), ANSWERS, ids=[each[0] for each in ANSWERS]
)
def test_googles_answer_is_read_for_what_it_is(
    name: str, message: Message, finish: FinishReason, usage: Usage | None, reasoning: str
) -> None:
    response = read(name)
    assert response.message == message
    assert response.finish_reason == finish
    assert response.usage == usage
    assert response.reasoning == reasoning
    assert response.model.startswith("gemini-")


@pytest.mark.parametrize("name", [each[0] for each in ANSWERS])
def test_every_golden_answer_survives_being_written_again(name: str) -> None:
    response = read(name)
    assert decode_response(encode_response(response)) == response


def test_log_probabilities_come_with_their_rivals_and_their_sentinel() -> None:
    assert read("answer-logprobs.json").logprobs == (
        TokenLogprob("Yes", -0.125, (TopLogprob("Yes", -0.125), TopLogprob("No", -2.25))),
        TokenLogprob("!", -9999.0, (TopLogprob("!", -9999.0),)),
    )


def test_an_average_alone_is_no_log_probability_of_any_token() -> None:
    assert read("answer-average-logprob-only.json").logprobs is None


def test_a_blocked_prompt_is_filtered_not_answered() -> None:
    with pytest.raises(CallFailure, match="PROHIBITED_CONTENT") as caught:
        read("answer-blocked-prompt.json")
    assert caught.value.kind is Kind.FILTERED
    with pytest.raises(CallFailure) as caught:
        StreamReader().feed(golden("answer-blocked-prompt.json"))
    assert caught.value.kind is Kind.FILTERED


def test_a_malformed_call_is_no_answer() -> None:
    with pytest.raises(CallFailure, match="MALFORMED_FUNCTION_CALL") as caught:
        read("answer-malformed-call.json")
    assert caught.value.kind is Kind.MALFORMED


def test_an_error_in_mid_stream_is_what_it_says_and_leaves_what_came() -> None:
    events = SseReader().feed(golden("stream-overloaded.sse"))
    reader = StreamReader()
    reader.feed(events[0].data)
    with pytest.raises(CallFailure, match="overloaded") as caught:
        reader.feed(events[1].data)
    assert caught.value.kind is Kind.OVERLOADED
    assert not reader.complete
    assert reader.partial().message.text == "Rhine"
    assert reader.partial().usage == Usage(12, 1)


def test_usage_that_grows_from_chunk_to_chunk_is_told_once_at_the_end() -> None:
    told = [delta.usage for delta in deltas("stream-thinking.sse") if delta.usage]
    assert told == [Usage(10, 25, reasoning_tokens=19)]


def test_a_finish_reason_in_every_chunk_ends_nothing_and_is_told_once() -> None:
    found = deltas("stream-finish-in-every-chunk.sse")
    assert [delta.finish_reason for delta in found] == ["stop", None]
    assert "".join(delta.text for delta in found) == "Rhine and Moselle."


def test_a_signature_that_comes_behind_the_text_is_told_too() -> None:
    assert deltas("stream-thinking.sse")[-1].thought == SIGNED[0]

"""What the provider sends, as its documentation shows it, and what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade.types import FinishReason, Kind, Message, Response, Thought, ToolCall, Usage
from cascade.wire.anthropic import decode_response, encode_response
from cascade.wire.anthropic.stream import StreamReader
from cascade.wire.failures import CallFailure
from cascade.wire.sse import SseReader
from tests.wire.anthropic.streams import read_stream, write_stream

GOLDEN = Path(__file__).parents[1] / "golden" / "anthropic"
BOTH = (
    ToolCall("toolu_01A", "weather", '{"city": "Koblenz"}'),
    ToolCall("toolu_01B", "weather", '{"city": "Trier"}'),
)
SEALED = Thought("Two and two.", "EqoBCkgIBBABGAIiQL8=")
HIDDEN = Thought(redacted="EmwKAhgBEgy3va3pzix=")
UNSEEN = Thought("", "EqoBCkgIBBABGAIiQL8=")
RIVERS = "Rhine and Moselle."
REFUSAL = "I can't help with that."
EXPLAINED = "The request could enable harm."


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def read(name: str) -> Response:
    if name.endswith(".json"):
        return decode_response(golden(name))
    reader = read_stream(golden(name))
    assert reader.done
    return reader.response()


def said(
    text: str | None,
    calls: tuple[ToolCall, ...] = (),
    refusal: str | None = None,
    thoughts: tuple[Thought, ...] = (),
) -> Message:
    return Message("assistant", text, tool_calls=calls, refusal=refusal, thoughts=thoughts)


ANSWERS: list[tuple[str, Message, FinishReason, Usage]] = [
    ("plain.json", said(RIVERS), "stop", Usage(25, 8)),
    ("stream.sse", said(RIVERS), "stop", Usage(25, 8)),
    ("cache.json", said(RIVERS), "stop", Usage(1384, 8, 1024, 300, 0, 200)),
    ("stream-cache.sse", said(RIVERS), "stop", Usage(1384, 8, 1024, 300, 0, 200)),
    ("thinking.json", said("4", thoughts=(SEALED, HIDDEN)), "stop", Usage(44, 77, 0, 0, 64)),
    ("stream-thinking.sse", said("4", thoughts=(SEALED, HIDDEN)), "stop", Usage(44, 77, 0, 0, 64)),
    ("thinking-omitted.json", said("4", thoughts=(UNSEEN,)), "stop", Usage(44, 77)),
    ("refusal.json", said(None, refusal=REFUSAL), "content_filter", Usage(31, 9)),
    ("stream-refusal.sse", said(None, refusal=REFUSAL), "content_filter", Usage(31, 9)),
    ("refusal-silent.json", said(None, refusal=EXPLAINED), "content_filter", Usage(31, 1)),
    ("stream-refusal-silent.sse", said(None, refusal=EXPLAINED), "content_filter", Usage(31, 1)),
    ("length.json", said("Once upon"), "length", Usage(12, 2)),
    ("window.json", said("Once upon"), "length", Usage(199_998, 2)),
    ("server-tools.json", said("I'll look. Rhine."), "unknown", Usage(500, 40)),
    ("stream-server-tools.sse", said("I'll look. Rhine."), "unknown", Usage(500, 40)),
    ("stop-sequence.json", said("One, two, "), "stop", Usage(12, 6)),
    ("stream-stop-sequence.sse", said("One, two, "), "stop", Usage(12, 6)),
    ("tools.json", said("Both at once.", BOTH), "tool_calls", Usage(472, 118)),
    (
        "stream-tools.sse",
        said("Both at once.", (*BOTH, ToolCall("toolu_01C", "today", "{}"))),
        "tool_calls",
        Usage(472, 118),
    ),
]


@pytest.mark.parametrize(
    ("name", "message", "finish", "usage"), ANSWERS, ids=[each[0] for each in ANSWERS]
)
def test_a_providers_answer_is_read_for_what_it_is(
    name: str, message: Message, finish: FinishReason, usage: Usage
) -> None:
    response = read(name)
    assert response.message == message
    assert response.finish_reason == finish
    assert response.usage == usage
    assert response.id
    assert response.model == "claude-sonnet-5-20260512"
    assert response.reasoning == "".join(thought.text for thought in message.thoughts)


@pytest.mark.parametrize("name", ["stop-sequence.json", "stream-stop-sequence.sse"])
def test_the_sequence_that_ended_an_answer_is_kept(name: str) -> None:
    assert read(name).stop_sequence == "three"


@pytest.mark.parametrize("name", [each[0] for each in ANSWERS if "server-tools" not in each[0]])
def test_every_answer_survives_being_written_again(name: str) -> None:
    response = read(name)
    assert decode_response(encode_response(response)) == response
    assert read_stream(write_stream(response)).response() == response


def test_an_error_inside_a_200_says_what_it_is() -> None:
    with pytest.raises(CallFailure, match="Overloaded") as caught:
        decode_response(golden("error.json"))
    assert caught.value.kind is Kind.OVERLOADED


def test_an_error_event_ends_the_stream_with_what_came_before_in_hand() -> None:
    reader = StreamReader()
    *events, error = SseReader().feed(golden("stream-error.sse"))
    for event in events:
        reader.feed(event.data)
    with pytest.raises(CallFailure) as caught:
        reader.feed(error.data)
    assert caught.value.kind is Kind.OVERLOADED
    assert not reader.complete
    assert reader.partial().message.text == "Rhine"
    assert reader.partial().usage == Usage(25, 1)

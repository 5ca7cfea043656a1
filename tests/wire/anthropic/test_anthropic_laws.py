"""What is written is read back as it was: requests, answers, streams."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cascade.types import Delta, Request, Response
from cascade.wire.anthropic import (
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from cascade.wire.anthropic.stream import StreamReader
from cascade.wire.codec import Asking, Incoming
from cascade.wire.replay import deltas_of
from cascade.wire.sse import SseReader
from tests.wire.anthropic.strategies import requests, responses
from tests.wire.anthropic.streams import read_stream, write_deltas, write_stream


@given(requests(), st.booleans())
def test_a_request_is_read_back_as_it_was_written(request: Request, stream: bool) -> None:
    body = encode_request(request, Asking("m", stream=stream))
    assert decode_request(body) == Incoming(request, "m", stream, include_usage=True)


@given(responses())
def test_an_answer_is_read_back_as_it_was_written(response: Response) -> None:
    assert decode_response(encode_response(response, extra={"rung": "a"})) == response


@given(responses())
def test_an_answer_replayed_as_a_stream_adds_up_to_itself(response: Response) -> None:
    reader = read_stream(write_stream(response))
    assert reader.done
    assert reader.complete
    assert reader.response() == response


@given(responses())
def test_the_readers_deltas_carry_the_whole_answer(response: Response) -> None:
    reader = StreamReader()
    events = SseReader().feed(write_stream(response))
    deltas = [delta for event in events if (delta := reader.feed(event.data)) is not None]
    again = read_stream(write_deltas(deltas, reader.partial().usage)).response()
    assert again.message == response.message
    assert (again.finish_reason, again.stop_sequence) == (
        response.finish_reason,
        response.stop_sequence,
    )
    assert (again.usage, again.reasoning) == (response.usage, response.reasoning)
    ends = [number for number, delta in enumerate(deltas) if delta.finish_reason]
    assert ends == [len(deltas) - 1]
    assert deltas[-1].usage == response.usage


@given(responses(), st.lists(st.integers(0, 8000), max_size=12))
def test_a_stream_cut_anywhere_reads_the_same(response: Response, cuts: list[int]) -> None:
    written = write_stream(response)
    events, reader = SseReader(), StreamReader()
    places = [0, *sorted(cut % (len(written) + 1) for cut in cuts), len(written)]
    for start, end in pairwise(places):
        for event in events.feed(written[start:end]):
            reader.feed(event.data)
    assert reader.response() == response


@given(responses(), st.integers(0, 8000))
def test_a_stream_that_stops_before_its_stop_reason_is_never_complete(
    response: Response, cut: int
) -> None:
    written = write_stream(response)
    finish = written.index(b"event: message_delta")
    reader = read_stream(written[: cut % finish])
    assert not reader.complete
    assert reader.partial().finish_reason == "unknown"


@given(responses())
def test_calls_whose_pieces_come_interleaved_are_told_apart(response: Response) -> None:
    deltas = list(deltas_of(response))
    end = next(number for number, delta in enumerate(deltas) if delta.finish_reason)
    before = [delta for delta in deltas[:end] if not delta.tool_calls]
    # The first piece of every call, then the second of every call, and so on.
    seen: Counter[int] = Counter()
    turns: list[tuple[int, int, Delta]] = []
    for delta in deltas[:end]:
        for call in delta.tool_calls:
            turns.append((seen[call.index], call.index, delta))
            seen[call.index] += 1
    mixed = [delta for _, _, delta in sorted(turns, key=lambda turn: turn[:2])]
    written = write_deltas([*before, *mixed, *deltas[end:]], response.usage)
    assert read_stream(written).response().message == response.message

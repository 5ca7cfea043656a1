"""What is written is read back as it was: requests, answers, streams."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cascade.types import Request, Response
from cascade.wire.codec import Asking, Incoming
from cascade.wire.gemini import (
    address,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from cascade.wire.gemini.results import result_of, text_of
from cascade.wire.gemini.stream import StreamReader
from cascade.wire.gemini.stream_writer import StreamWriter
from cascade.wire.sse import SseReader
from tests.wire.gemini.strategies import outputs, requests, responses
from tests.wire.gemini.streams import read_stream, write_stream


@given(requests(), st.booleans())
def test_a_request_is_read_back_as_it_was_written(request: Request, stream: bool) -> None:
    body = encode_request(request, Asking("m", stream=stream))
    path = address("https://example.org/v1beta", "m", stream)
    assert decode_request(body, path) == Incoming(request, "m", stream, include_usage=stream)


@given(outputs, st.booleans())
def test_a_tools_result_is_read_back_as_it_was_written(text: str, is_error: bool) -> None:
    assert text_of(result_of(text, is_error)) == (text, is_error)


@given(responses())
def test_an_answer_is_read_back_as_it_was_written(response: Response) -> None:
    assert decode_response(encode_response(response, extra={"rung": "a"})) == response


@given(responses())
def test_an_answer_replayed_as_a_stream_adds_up_to_itself(response: Response) -> None:
    reader = read_stream(write_stream(response, cost_usd=0.25))
    assert reader.complete
    assert not reader.done
    assert reader.response() == response


@given(responses())
def test_the_readers_deltas_carry_the_whole_answer(response: Response) -> None:
    reader = StreamReader()
    writer = StreamWriter("again", 1, "m", include_usage=True)
    again = writer.start()
    for event in SseReader().feed(write_stream(response)):
        if (delta := reader.feed(event.data)) is not None:
            again += writer.write(delta)
    again += writer.end(reader.partial().usage)
    expected = msgspec.structs.replace(response, id="again", model="m")
    assert read_stream(again).response() == expected


@given(responses(), st.lists(st.integers(0, 4000), max_size=12))
def test_a_stream_cut_anywhere_reads_the_same(response: Response, cuts: list[int]) -> None:
    written = write_stream(response)
    events, reader = SseReader(), StreamReader()
    places = [0, *sorted(cut % (len(written) + 1) for cut in cuts), len(written)]
    for start, end in pairwise(places):
        for event in events.feed(written[start:end]):
            reader.feed(event.data)
    assert reader.response() == response


@given(responses(), st.integers(0, 4000))
def test_a_stream_that_stops_before_its_finish_reason_is_never_complete(
    response: Response, cut: int
) -> None:
    written = write_stream(response)
    finish = written.index(b'"finishReason":"')
    reader = read_stream(written[: cut % finish])
    assert not reader.complete
    assert reader.partial().finish_reason == "unknown"

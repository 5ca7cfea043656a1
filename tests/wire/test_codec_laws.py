"""What is written is read back as it was: requests, answers, streams."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cascade.types import Request, Response
from cascade.wire.codec import Asking, Incoming
from cascade.wire.openai_chat import (
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from cascade.wire.openai_chat.stream import StreamReader
from cascade.wire.openai_chat.stream_writer import StreamWriter
from cascade.wire.replay import deltas_of
from cascade.wire.sse import SseReader
from tests.wire.strategies import requests, responses


def read_stream(written: bytes) -> StreamReader:
    events, reader = SseReader(), StreamReader()
    for event in events.feed(written):
        reader.feed(event.data)
    return reader


def write_stream(response: Response) -> bytes:
    writer = StreamWriter(response.id, response.created, response.model, include_usage=True)
    deltas = b"".join(map(writer.write, deltas_of(response)))
    return writer.start() + deltas + writer.end(response.usage)


@given(requests(), st.booleans(), st.sampled_from(["max_tokens", "max_completion_tokens"]))
def test_a_request_is_read_back_as_it_was_written(
    request: Request, stream: bool, limit_parameter: str
) -> None:
    body = encode_request(request, Asking("m", stream=stream, limit_parameter=limit_parameter))
    assert decode_request(body) == Incoming(request, "m", stream, include_usage=stream)


@given(responses())
def test_an_answer_is_read_back_as_it_was_written(response: Response) -> None:
    assert decode_response(encode_response(response)) == response


@given(responses(streamed=True))
def test_an_answer_replayed_as_a_stream_adds_up_to_itself(response: Response) -> None:
    reader = read_stream(write_stream(response))
    assert reader.done
    assert reader.complete
    assert reader.response() == response


@given(responses(streamed=True))
def test_the_readers_deltas_carry_the_whole_answer(response: Response) -> None:
    reader = StreamReader()
    writer = StreamWriter("again", 1, "m", include_usage=True)
    again = writer.start()
    for event in SseReader().feed(write_stream(response)):
        if (delta := reader.feed(event.data)) is not None:
            again += writer.write(delta)
    again += writer.end(reader.partial().usage)
    expected = msgspec.structs.replace(response, id="again", created=1, model="m")
    assert read_stream(again).response() == expected


@given(responses(streamed=True), st.lists(st.integers(0, 4000), max_size=12))
def test_a_stream_cut_anywhere_reads_the_same(response: Response, cuts: list[int]) -> None:
    written = write_stream(response)
    events, reader = SseReader(), StreamReader()
    places = [0, *sorted(cut % (len(written) + 1) for cut in cuts), len(written)]
    for start, end in pairwise(places):
        for event in events.feed(written[start:end]):
            reader.feed(event.data)
    assert reader.response() == response


@given(responses(streamed=True), st.integers(0, 4000))
def test_a_stream_that_stops_before_its_finish_reason_is_never_complete(
    response: Response, cut: int
) -> None:
    written = write_stream(response)
    finish = written.index(b'"finish_reason":"')
    reader = read_stream(written[: cut % finish])
    assert not reader.complete
    assert reader.partial().finish_reason == "unknown"

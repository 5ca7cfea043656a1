"""Server-sent events, however their bytes arrive."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cascade.wire.failures import CallFailure
from cascade.wire.sse import SseEvent, SseReader

LINES = [b"data: a", b"data:b", b"data:  c", b"data", b"event: x", b": keep-alive", b"id: 1"]
ENDS = [b"\n", b"\n\n", b"\r\n", b"\r", b"\r\n\r\n", b"\xef\xbb\xbf", b"\xc3\xa9"]
streams = st.lists(st.sampled_from([*LINES, *ENDS]), max_size=14).map(b"".join)


def events(*chunks: bytes) -> list[SseEvent]:
    reader = SseReader()
    found = [event for chunk in chunks for event in reader.feed(chunk)]
    return found + reader.end()


@given(streams, st.lists(st.integers(0, 200), max_size=10))
@example(b"\xef\xbb\xbfdata: a\r\n\r\ndata: b\r\r", [1, 2, 11, 12, 13])
def test_the_cuts_change_nothing(stream: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    cut = [stream[start:end] for start, end in pairwise(places)]
    assert events(*cut) == events(stream)


@given(streams)
@example(b"data: a\r\ndata: b\r\n\r\n")
def test_byte_by_byte_is_the_same_as_at_once(stream: bytes) -> None:
    assert events(*(bytes([each]) for each in stream)) == events(stream)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", [SseEvent(None, b"a")]),
        (b"data:a\r\n\r\ndata: b\r\n\r\n", [SseEvent(None, b"a"), SseEvent(None, b"b")]),
        (b"data: a\rdata: b\r\r", [SseEvent(None, b"a\nb")]),
        (b"event: error\ndata: x\n\n", [SseEvent("error", b"x")]),
        (b": keep-alive\n\n\n\ndata: a\n\n", [SseEvent(None, b"a")]),
        (b"data:  a\n\n", [SseEvent(None, b" a")]),
        (b"data\n\n", [SseEvent(None, b"")]),
        (b"event: x\nid: 3\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [SseEvent(None, b"a")]),
        ("data: é\n\n".encode(), [SseEvent(None, "é".encode())]),
    ],
)
def test_events_are_read_as_the_standard_has_them(stream: bytes, expected: list[SseEvent]) -> None:
    assert events(stream) == expected


def test_a_last_event_without_its_blank_line_counts() -> None:
    assert events(b"data: a\n\ndata: b\n") == [SseEvent(None, b"a"), SseEvent(None, b"b")]


def test_a_line_that_was_cut_off_does_not_count() -> None:
    assert events(b'data: a\n\ndata: {"half') == [SseEvent(None, b"a")]


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: " + b"x" * 100],
        [b"data: " + b"x" * 100 + b"\n\n"],
        [b"data: ", b"x" * 50, b"x" * 50],
        [b"data: ", b"x" * 50, b"x" * 50 + b"\n\n"],
    ],
)
def test_an_event_above_the_limit_is_refused_instead_of_kept(
    chunks: list[bytes],
) -> None:
    def read() -> None:
        reader = SseReader(limit=64)
        for chunk in chunks:
            reader.feed(chunk)

    with pytest.raises(CallFailure, match="larger than 64 bytes") as caught:
        read()
    assert caught.value.kind == "malformed"

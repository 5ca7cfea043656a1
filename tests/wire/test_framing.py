"""Events keep their meaning in either form of a body."""

from __future__ import annotations

import json

import pytest

from cascade.wire.framing import JsonArray, ServerSentEvents, asks_for_events

ONE, TWO, THREE = (b'data: {"a": %d}\n\n' % number for number in (1, 2, 3))


@pytest.mark.parametrize("last", [False, True])
def test_a_list_is_json_however_its_events_come(last: bool) -> None:
    array = JsonArray()
    packed = array.pack(b"") + array.pack(ONE + TWO) + array.pack(THREE, last)
    packed += b"" if last else array.pack(b"", last=True)
    assert json.loads(packed) == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert json.loads(JsonArray().pack(b"", last=True)) == []


def test_a_sign_of_life_between_any_two_pieces_changes_no_list() -> None:
    array = JsonArray()
    pieces = [array.pack(ONE), array.pack(TWO), array.pack(b"", last=True)]
    sign = array.keep_alive
    assert json.loads(sign + sign.join(pieces)) == [{"a": 1}, {"a": 2}]


def test_an_element_is_an_events_data_whatever_else_stands_in_the_event() -> None:
    packed = JsonArray().pack(b': a comment\n\nevent: x\ndata: {"a":\ndata: 1}\n\n', last=True)
    assert json.loads(packed) == [{"a": 1}]


def test_server_sent_events_stay_as_they_were_written() -> None:
    assert ServerSentEvents().pack(ONE + TWO, last=True) == ONE + TWO


@pytest.mark.parametrize(
    ("query", "asks"),
    [(b"alt=sse", True), (b"key=x&alt=sse", True), (b"", False), (b"alt=json", False),
     (b"salt=sse", False), (b"alt=sse2", False)],
)  # fmt: skip
def test_events_are_asked_for_by_a_whole_parameter(query: bytes, asks: bool) -> None:
    assert asks_for_events(query) is asks

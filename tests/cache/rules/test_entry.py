"""Entries and their bytes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.cache.rules.entry import Codec, DamagedEntry, Entry
from cascade.types import Message, Response
from tests.cache.entries import SECRET, entry_of, full_entry, key_of
from tests.wire.strategies import responses, texts

CODEC = Codec(SECRET)
KEY = key_of(1)
DATA = CODEC.encode(KEY, full_entry())


@pytest.mark.parametrize("entry", [entry_of(), full_entry()])
def test_what_is_kept_comes_back_whole(entry: Entry) -> None:
    assert CODEC.decode(KEY, CODEC.encode(KEY, entry)) == entry


@given(st.text(st.characters(codec="utf-8")), st.floats(allow_nan=False), st.integers(0, 2**62))
def test_any_text_number_and_cost_come_back(text: str, number: float, cost: int) -> None:
    entry = entry_of(text, confidence=number, cost=cost)
    assert CODEC.decode(KEY, CODEC.encode(KEY, entry)) == entry


@given(responses(), st.lists(texts).map(tuple))
def test_every_answer_comes_back_whole(response: Response, tags: tuple[str, ...]) -> None:
    """With tool calls, reasoning, log-probabilities, refusals and usage."""
    entry = entry_of(response=response, tags=tags)
    assert CODEC.decode(KEY, CODEC.encode(KEY, entry)) == entry


@given(st.text(st.characters(codec="utf-8")))
def test_under_any_other_key_it_is_damage(key: str) -> None:
    if key != KEY:
        with pytest.raises(DamagedEntry):
            CODEC.decode(key, DATA)


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_one_changed_byte_anywhere_is_damage(offset: int, change: int) -> None:
    damaged = bytearray(DATA)
    damaged[offset] ^= change
    with pytest.raises(DamagedEntry):
        CODEC.decode(KEY, bytes(damaged))


@given(st.integers(0, len(DATA) - 1))
def test_a_cut_entry_is_damage(length: int) -> None:
    with pytest.raises(DamagedEntry):
        CODEC.decode(KEY, DATA[:length])


@given(st.binary(max_size=200))
def test_anything_else_is_damage(data: bytes) -> None:
    for junk in (data, DATA[:4] + data, DATA[:20] + data, DATA + data + b"\0"):
        with pytest.raises(DamagedEntry):
            CODEC.decode(KEY, junk)


def test_an_entry_moved_to_another_key_is_damage() -> None:
    with pytest.raises(DamagedEntry):
        CODEC.decode(key_of(2), DATA)


def test_an_entry_made_with_another_secret_is_damage() -> None:
    with pytest.raises(DamagedEntry):
        Codec(b"other").decode(KEY, DATA)


def test_an_entry_of_another_version_is_damage() -> None:
    with pytest.raises(DamagedEntry, match="version"):
        CODEC.decode(KEY, DATA[:3] + bytes([DATA[3] + 1]) + DATA[4:])


def test_bytes_that_are_signed_but_are_no_entry_are_damage() -> None:
    class Other(msgspec.Struct):
        rung: int = 3

    forged = CODEC.encode(KEY, Other())  # type: ignore[arg-type]
    with pytest.raises(DamagedEntry, match="content"):
        CODEC.decode(KEY, forged)


def test_half_a_surrogate_pair_cannot_be_kept() -> None:
    response = Response(Message("assistant", "\udc00"), "stop", "m")
    with pytest.raises(UnicodeEncodeError):
        CODEC.encode(KEY, entry_of(response=response))

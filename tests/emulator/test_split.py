"""A text is cut into as many pieces as it had tokens, and nothing of it is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cascade.emulator.replies import split


@given(st.text(), st.integers(1, 200))
def test_the_pieces_are_as_many_as_the_tokens_and_joined_are_the_text(
    text: str, tokens: int
) -> None:
    pieces = list(split(text, tokens))
    assert len(pieces) == tokens
    assert "".join(pieces) == text


@given(st.text(), st.integers(1, 200))
def test_the_pieces_are_even_and_the_first_is_never_empty(text: str, tokens: int) -> None:
    pieces = list(split(text, tokens))
    sizes = {len(piece) for piece in pieces}
    assert max(sizes) - min(sizes) <= 1
    assert bool(pieces[0]) == bool(text)


@given(st.text())
def test_without_a_number_the_pieces_are_words_and_joined_are_the_text(text: str) -> None:
    pieces = list(split(text, None))
    assert "".join(pieces) == text
    assert all(pieces)


def test_a_number_of_0_for_a_text_that_is_there_is_no_number() -> None:
    assert list(split("two words", 0)) == ["two", " words"]
    assert list(split("", 0)) == []

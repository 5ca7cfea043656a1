"""A loop is found, and honest repetition is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.checks.repetition import repeats
from cascade.learning.trace import read_trace
from tests.recorded import recording

TABLE = "| name | price |\n|------|-------|\n" + "\n".join(
    f"| item {i} | {i * 3} |" for i in range(200)
)
LIST = "\n".join(f"- Add {i} grams of flour and stir." for i in range(80))
CODE = "def f(x):\n" + "\n".join(f"    if x == {i}:\n        return {i}" for i in range(60))
POEM = "Row, row, row your boat,\nGently down the stream.\n" * 4 + "Life is but a dream."
BRACES = "function f() {\n" + "  if (x) {\n" * 30 + "  }\n" * 30 + "}"
ZEROS = "[" + ", ".join("0" for _ in range(300)) + "]"
RULER = "The end.\n" + "=" * 400
VERSES = "Jingle bells, jingle bells, jingle all the way.\n" * 6


@pytest.mark.parametrize(
    "text", [TABLE, LIST, CODE, POEM, BRACES, ZEROS, RULER, VERSES, "", "no", "ha" * 20]
)
def test_honest_repetition_is_left_alone(text: str) -> None:
    assert repeats(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "the " * 60,
        "The answer is: the the the" + " the" * 80,
        "So x = 3. Let me check this again. " * 15,
        "lalala" * 40,
        "我不知道。" * 80,
        "Fine.\n" + "(1, 2, 3), " * 300,
    ],
)
def test_a_loop_at_the_end_is_found(text: str) -> None:
    assert "times at its end" in (repeats(text) or "")


def test_a_long_passage_that_says_nothing_new_is_found_though_it_counts_on() -> None:
    steps = "".join(
        f"{i} and now I will go on to look at it once more, as before. " for i in range(60)
    )
    lines = "We go on and on and on. We go on and on. On we go and on. " * 30
    assert repeats(steps) is None
    assert repeats(lines + "Or do we go on?") is not None


def test_marks_of_an_answers_end_are_padding_and_no_loop() -> None:
    assert repeats('{"answer": "42"}\n```' + "</s>" * 200) is None
    assert repeats("Yes." + "<|eot_id|> " * 100) is None
    assert repeats("no no " * 50 + "</s>" * 100) is not None


@given(st.text(min_size=1, max_size=60), st.integers(1, 7))
def test_fewer_than_eight_rounds_are_never_a_loop_of_that_unit(unit: str, times: int) -> None:
    found = repeats(unit * times)
    assert found is None or len(unit * times) >= 100


@given(st.text())
def test_any_text_can_be_judged(text: str) -> None:
    repeats(text)


@pytest.mark.parametrize("text", [" " * 100_000, "</s>" * 30_000, "ab" * 100_000, "a" * 200_000])
def test_long_uniform_texts_are_judged_at_once(text: str) -> None:
    repeats(text)


@pytest.mark.parametrize("name", ["qa", "gsm8k-short", "gsm8k-cot", "code-mbpp", "samples-date"])
def test_no_recorded_answer_that_was_right_is_called_a_loop(name: str) -> None:
    path: Path = recording(f"traces/{name}.jsonl.gz")
    answers = [answer for row in read_trace(path).rows for answer in row.answers.values()]
    flagged = [answer for answer in answers if repeats(answer.text)]
    assert [answer.text for answer in flagged if answer.score] == []
    assert len(flagged) < len(answers) / 500

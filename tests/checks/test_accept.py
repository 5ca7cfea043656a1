"""Acceptance rules are parsed, and a wrong one is answered with place, finding and mend."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.checks.accept import parse_rule
from cascade.types import EVIDENCE_NAMES, Bar, Comparison, Operator

# Six digits: as many as a bar shows.
values = st.integers(-999_999, 999_999).map(lambda digits: digits / 1000)
comparisons = st.builds(
    Comparison, st.sampled_from(EVIDENCE_NAMES), st.sampled_from(get_args(Operator)), values
)


def outcome(text: str) -> str:
    """What the parser says of a text."""
    try:
        parse_rule(text)
    except ValueError as error:
        return str(error)
    return "read"


@given(st.lists(comparisons, min_size=1, max_size=5).map(tuple))
def test_a_bar_that_is_written_and_read_is_the_same(rule: tuple[Comparison, ...]) -> None:
    assert parse_rule(str(Bar(rule=rule))) == rule


@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_a_value_error_that_says_how_to_mend_it(text: str) -> None:
    assert outcome(text).endswith(("read", "."))


@given(
    st.lists(
        st.sampled_from(["mean_logprob", ">=", "<", "-0.15", "and", "or", "1e999", "(", ""]),
        max_size=9,
    )
)
def test_any_row_of_tokens_is_a_rule_or_a_value_error(tokens: list[str]) -> None:
    said = outcome(" ".join(tokens))
    assert said == "read" or "at character" in said or "empty" in said


@pytest.mark.parametrize(
    ("digits", "value"),
    [
        ("-0.15", -0.15),
        ("-.15", -0.15),
        ("+1", 1.0),
        ("1.", 1.0),
        ("1e-3", 0.001),
        ("-2.5E+1", -25.0),
        ("4_000", 4000.0),
    ],
)
def test_numbers_may_be_written_in_the_usual_ways(digits: str, value: float) -> None:
    assert parse_rule(f"output_tokens<={digits}") == (Comparison("output_tokens", "<=", value),)


def test_comparisons_are_joined_by_and() -> None:
    assert parse_rule("mean_logprob >= -0.15 and  first_margin>1") == (
        Comparison("mean_logprob", ">=", -0.15),
        Comparison("first_margin", ">", 1.0),
    )


@pytest.mark.parametrize(
    ("rule", "position", "mend"),
    [
        ("mean_logprop >= -0.15", 1, "Did you mean mean_logprob?"),
        ("Mean_Logprob >= -0.15", 1, "Did you mean mean_logprob?"),
        ("mean_logprob => -0.15", 14, "Write >=."),
        ("mean_logprob ≥ -0.15", 14, "Write >=."),
        ("mean_logprob == -0.15", 14, "never exactly"),
        ("mean_logprob", 13, "Write >=, >, <= or <."),
        ("mean_logprob >= ", 17, "Write it like -0.15"),
        ("mean_logprob >= high", 17, "Write it like -0.15"),
        ("mean_logprob >= 1e999", 17, "smaller"),
        ("mean_logprob >= nan", 17, "Write it like"),
        ("mean_logprob >= 0,15", 18, "Write 'and'"),
        ("mean_logprob >= -0.1 or output_tokens < 9", 22, "no 'or'"),
        ("mean_logprob >= -0.1 AND output_tokens < 9", 22, "Write 'and'"),
        ("mean_logprob >= -0.1 and", 25, "Names are"),
        ("-0.15 <= mean_logprob", 1, "name first"),
        ("-1 < mean_logprob < 0", 1, "name first"),
        ("mean_logprob > -1 < 0", 19, "Write each comparison by itself"),
        ("__import__('os').system('x')", 1, "Names are"),
    ],
)
def test_a_mistake_names_its_position_and_its_mend(rule: str, position: int, mend: str) -> None:
    with pytest.raises(ValueError, match=f"^at character {position},") as caught:
        parse_rule(rule)
    assert mend in str(caught.value)


@pytest.mark.parametrize("rule", ["", "   "])
def test_an_empty_rule_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        parse_rule(rule)

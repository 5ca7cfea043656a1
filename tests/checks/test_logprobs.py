"""Evidence is what the provider reported: what it did not report stays absent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.checks.logprobs import evidence
from cascade.types import Evidence, Message, Response, TokenLogprob, TopLogprob, Usage

logprobs = st.floats(-50, 0)


def answer(*tokens: TokenLogprob, usage: Usage | None = None) -> Response:
    return Response(Message("assistant", "x"), "stop", "m", usage=usage, logprobs=tokens)


def token(
    value: float, text: str = "a", rivals: tuple[tuple[str, float], ...] = ()
) -> TokenLogprob:
    return TokenLogprob(text, value, tuple(TopLogprob(*rival) for rival in rivals))


def test_nothing_reported_is_nothing_known() -> None:
    silent = Response(Message("assistant", "x"), "stop", "m")
    assert evidence(silent) == Evidence()
    assert evidence(answer()) == Evidence()


def test_the_output_tokens_are_the_providers_count() -> None:
    assert evidence(answer(usage=Usage(10, 7))) == Evidence(output_tokens=7.0)


@given(logprobs, st.integers(1, 3000))
def test_a_flat_sequence_has_its_value_as_its_mean(value: float, count: int) -> None:
    seen = evidence(answer(*[token(value, "")] * count))
    assert seen.mean_logprob == pytest.approx(value, abs=1e-9)
    assert seen.min_logprob == seen.p10_logprob == value
    assert seen.first_margin is None


@given(st.lists(logprobs, min_size=1, max_size=60), st.randoms())
def test_the_p10_is_the_smallest_value_that_a_tenth_does_not_exceed(
    values: list[float], random: object
) -> None:
    seen = evidence(answer(*map(token, values)))
    assert seen.p10_logprob is not None
    assert seen.p10_logprob in values
    assert sum(value <= seen.p10_logprob for value in values) >= len(values) / 10
    assert sum(value < seen.p10_logprob for value in values) < len(values) / 10
    assert seen.min_logprob == min(values)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 0.5])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_value_that_is_no_log_probability_makes_all_absent(wrong: float, place: int) -> None:
    values = [-0.1, -0.2]
    values.insert(place, wrong)
    assert evidence(answer(*map(token, values))) == Evidence()


def test_figures_that_rest_on_an_unreported_token_are_absent() -> None:
    values = [-9999.0] + [-0.1] * 19  # the 10 % quantile is the second smallest
    seen = evidence(answer(*map(token, values)))
    assert seen == Evidence(p10_logprob=-0.1)


def test_a_quantile_that_is_itself_unreported_is_absent() -> None:
    assert evidence(answer(token(-9999.0), token(-0.1))) == Evidence()


def test_the_margin_is_the_lead_of_the_first_token_that_is_not_blank() -> None:
    blank = token(-0.1, "\n", (("\n", -0.1), ("x", -3.0)))
    first = token(-0.25, "B", (("B", -0.25), ("A", -1.5), ("C", -4.0)))
    assert evidence(answer(blank, first)).first_margin == pytest.approx(1.25)


def test_the_margin_is_negative_where_another_token_was_likelier() -> None:
    first = token(-2.0, "B", (("A", -0.5), ("C", -4.0)))
    assert evidence(answer(first)).first_margin == pytest.approx(-1.5)


@pytest.mark.parametrize(
    "rivals",
    [(), (("a", -0.1),), (("a", -0.1), ("b", -9999.0)), (("b", math.nan),)],
)
def test_without_a_known_rival_there_is_no_margin(rivals: tuple[tuple[str, float], ...]) -> None:
    assert evidence(answer(token(-0.1, "a", rivals))).first_margin is None

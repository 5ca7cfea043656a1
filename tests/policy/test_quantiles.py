"""What is usual for an endpoint: quantiles of a bounded memory, and the limits made of them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.policy.quantiles import (
    BUCKETS,
    FULL,
    LEAST,
    UNKNOWN,
    Habits,
    Histogram,
    add,
    answered,
    first_token_limit,
    hedge_after,
    output_floor,
    quantile,
    spoke,
    waited_in_vain,
)

values = st.floats(2e-3, 9e5)


def of(samples: Iterable[float]) -> Histogram:
    histogram = Histogram()
    for sample in samples:
        histogram = add(histogram, sample)
    return histogram


def heard(seconds: float, times: int = LEAST, habits: Habits = UNKNOWN) -> Habits:
    for _ in range(times):
        habits = spoke(habits, seconds)
    return habits


@given(st.lists(values, min_size=LEAST, max_size=200), st.sampled_from([0.01, 0.5, 0.95, 0.99, 1]))
def test_a_quantile_is_right_to_a_tenth(samples: list[float], q: float) -> None:
    found = quantile(of(samples), q)
    true = sorted(samples)[math.ceil(round(q * len(samples), 9)) - 1]
    assert found == pytest.approx(true, rel=0.095)


def test_half_of_the_samples_do_not_exceed_the_median() -> None:
    assert quantile(of([1.0] * 10 + [9.0] * 10), 0.5) == pytest.approx(1.0, rel=0.1)
    assert quantile(of([1.0] * 10 + [9.0] * 11), 0.5) == pytest.approx(9.0, rel=0.1)


def test_nothing_is_said_on_few_samples() -> None:
    assert quantile(Histogram(), 0.5, least=0) is None
    assert quantile(of([1.0] * (LEAST - 1)), 0.5) is None
    assert quantile(of([1.0] * LEAST), 0.5) is not None
    assert quantile(of([1.0]), 0.5, least=1) == pytest.approx(1.0, rel=0.1)


@given(st.lists(st.floats() | st.sampled_from([0.0, -1.0, 1e-3, 1e6, 1e300]), max_size=60))
def test_any_number_can_be_a_sample(samples: list[float]) -> None:
    histogram = of(samples)
    assert all(0 <= index < BUCKETS for index in histogram.weights)
    numbers = [sample for sample in samples if not math.isnan(sample)]
    assert sum(histogram.weights.values()) == len(numbers)
    assert (quantile(histogram, 0.95, least=1) is None) == (not numbers)


def test_old_samples_fade() -> None:
    histogram = of([1.0] * 5_000)
    assert sum(histogram.weights.values()) <= FULL
    for _ in range(700):
        histogram = add(histogram, 10.0)
    assert quantile(histogram, 0.5) == pytest.approx(10.0, rel=0.1)


def test_a_thousand_samples_of_a_real_shape_are_a_few_hundred_bytes() -> None:
    chance = random.Random(7)
    histogram = of(chance.lognormvariate(0.5, 1.0) for _ in range(5_000))
    stored = msgspec.json.encode(histogram)
    assert len(stored) < 1_000
    assert msgspec.json.decode(stored, type=Histogram) == histogram


@pytest.mark.parametrize("stored", [b'{"weights":{"120":1}}', b'{"weights":{"7":-1}}', b"[]"])
def test_what_is_no_histogram_is_not_read_as_one(stored: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(stored, type=Histogram)


def test_a_call_is_hedged_when_it_is_slower_than_95_in_100() -> None:
    habits = heard(4.0, times=4, habits=heard(0.5, times=96))
    assert hedge_after(UNKNOWN) is None
    assert hedge_after(habits) == pytest.approx(0.5, rel=0.1)


def test_the_first_token_limit_grows_with_a_slow_model_and_never_beyond_the_whole_call() -> None:
    slow = heard(20.0)
    assert first_token_limit(UNKNOWN, 30.0, 120.0) == 30.0
    assert first_token_limit(heard(1.0), 30.0, 120.0) == 30.0
    assert first_token_limit(slow, 30.0, None) == pytest.approx(60.0, rel=0.1)
    assert first_token_limit(slow, 30.0, 50.0) == 50.0
    assert first_token_limit(UNKNOWN, 30.0, 10.0) == 10.0


def test_a_limit_that_is_too_short_grows_by_what_it_cut_off() -> None:
    habits = UNKNOWN
    for _ in range(LEAST):
        habits = waited_in_vain(habits, first_token_limit(habits, 8.0, 120.0), certain=True)
    assert first_token_limit(habits, 8.0, 120.0) > 20.0


def test_a_call_given_up_early_teaches_nothing_and_one_given_up_late_that_it_was_slow() -> None:
    habits = heard(1.0)
    assert waited_in_vain(UNKNOWN, 0.1, certain=False) == UNKNOWN
    assert waited_in_vain(habits, 0.5, certain=False) == habits
    assert waited_in_vain(habits, 5.0, certain=False) == spoke(habits, 5.0)


def test_hedges_that_win_do_not_teach_ever_earlier_hedges() -> None:
    chance, habits = random.Random(3), heard(1.0)
    for _ in range(20_000):
        due, hedge = chance.lognormvariate(0.0, 0.5), hedge_after(habits) or math.inf
        if due <= hedge + 0.2:
            habits = spoke(habits, due)
        else:  # the hedge answered within 0.2 s
            habits = waited_in_vain(habits, hedge + 0.2, certain=False)
    assert hedge_after(habits) == pytest.approx(math.exp(1.645 * 0.5), rel=0.25)


def test_the_output_floor_holds_95_answers_in_100() -> None:
    habits = UNKNOWN
    assert output_floor(habits) is None
    for tokens in range(1, 201):
        habits = answered(habits, 1.0, tokens)
    assert output_floor(habits) == pytest.approx(190, rel=0.1)
    assert isinstance(output_floor(habits), int)


def test_an_answer_of_unknown_length_counts_for_its_latency_only() -> None:
    habits = answered(UNKNOWN, 2.0, None)
    assert habits.output_tokens == Histogram()
    assert quantile(habits.latency, 0.5, least=1) == pytest.approx(2.0, rel=0.1)

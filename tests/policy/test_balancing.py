"""Who of a rung's endpoints is called first."""

from __future__ import annotations

import random
from collections import Counter
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade.policy.balancing import CHANCES, arrange
from cascade.policy.health import (
    CLEAN,
    Standing,
    after_failure,
    after_success,
    failing_share,
    probed,
    with_limits,
)
from cascade.types import Balance, Bucket, Endpoint, Kind, RateLimits

NOW = 1_800_000_000.0
CLOSED = after_failure(CLEAN, Kind.AUTH, None, since=NOW, now=NOW)
DRAINED = with_limits(CLEAN, RateLimits(tokens=Bucket(50, NOW + 10)), NOW)
BALANCES: tuple[Balance, ...] = get_args(Balance)


def offers(*weights: float) -> tuple[Endpoint, ...]:
    """Endpoints a, b, c, … of these weights."""
    return tuple(
        Endpoint(name, "p", "m", "http://localhost", weight=weight)
        for name, weight in zip("abcdefgh", weights, strict=False)
    )


def order(
    endpoints: tuple[Endpoint, ...],
    balance: Balance = "in_order",
    standings: dict[str, Standing] | None = None,
    pending: dict[str, int] | None = None,
    *,
    draw: float = 0.0,
    now: float = NOW,
) -> str:
    """The names in the order in which they shall be called, for a request of 70 + 30 tokens."""
    arranged = arrange(
        endpoints,
        balance,
        standings or {},
        pending or {},
        input_tokens=70,
        output_tokens=30,
        now=now,
        draw=draw,
    )
    return "".join(endpoint.name for endpoint in arranged)


@pytest.mark.parametrize("balance", BALANCES)
def test_the_closed_are_left_out_and_the_drained_come_last(balance: Balance) -> None:
    standings = {"a": DRAINED, "b": CLOSED}
    assert order(offers(5, 1, 1), balance, standings, {"c": 9}) == "ca"


@pytest.mark.parametrize("balance", BALANCES)
def test_when_all_are_closed_there_is_nobody_to_call(balance: Balance) -> None:
    assert order(offers(1, 1), balance, {"a": CLOSED, "b": CLOSED}) == ""
    assert order((), balance) == ""


def test_one_on_trial_takes_its_turn_until_its_probe_is_out() -> None:
    later = NOW + 60
    assert order(offers(1, 1), standings={"a": CLOSED}, now=later) == "ab"
    assert order(offers(1, 1), standings={"a": probed(CLOSED, later, 30.0)}, now=later) == "b"


def test_in_order_they_stay_as_they_stand() -> None:
    assert order(offers(1, 9, 3), pending={"a": 7}, draw=0.9) == "abc"


def test_the_fewest_calls_under_way_come_first_and_ties_stay_in_order() -> None:
    assert order(offers(1, 1, 1, 1), "least_pending", pending={"a": 2, "b": 1, "d": 1}) == "cbda"


@settings(max_examples=30)
@given(st.integers(1, 8).flatmap(lambda n: st.lists(st.floats(0.1, 100), min_size=n, max_size=n)))
def test_the_first_is_drawn_by_weight(weights: list[float]) -> None:
    endpoints, draws = offers(*weights), 500
    first = Counter(order(endpoints, "weight", draw=(i + 0.5) / draws)[0] for i in range(draws))
    for endpoint in endpoints:
        share = endpoint.weight / sum(weights)
        assert first[endpoint.name] / draws == pytest.approx(share, abs=2 / draws)


def test_those_behind_the_first_are_drawn_by_weight_too() -> None:
    endpoints, draws = offers(1, 2, 3), 6_000
    seen = Counter(order(endpoints, "weight", draw=(i + 0.5) / draws) for i in range(draws))
    total = 6.0
    for ranking, count in seen.items():
        left, chance = total, 1.0
        for name in ranking:
            weight = " abc".index(name)
            chance *= weight / left
            left -= weight
        assert count / draws == pytest.approx(chance, abs=0.002)
    assert len(seen) == 6


def test_shares_follow_the_weights_among_those_that_are_left() -> None:
    draws = 1_000
    for gone in (CLOSED, DRAINED):
        first = Counter(
            order(offers(1, 3, 4), "weight", {"c": gone}, draw=(i + 0.5) / draws)[0]
            for i in range(draws)
        )
        assert first["b"] / draws == pytest.approx(0.75, abs=0.01)


def test_what_has_no_weight_comes_last_in_order() -> None:
    assert order(offers(0, 1, 0, 0), "weight", draw=0.7) == "bacd"
    assert order(offers(0, 0), "weight", draw=0.7) == "ab"


# --- endpoints that fail often ---

BAD, WORSE = Standing(strays=1.5), Standing(strays=9.0)
SHAKY = Standing(strays=0.99)


@pytest.mark.parametrize("balance", BALANCES)
def test_one_that_fails_every_other_call_goes_behind_its_better_siblings(balance: Balance) -> None:
    for draw in (CHANCES, 0.5, 0.999):
        found = order(offers(1, 1, 1), balance, {"a": BAD, "c": SHAKY}, {"b": 3, "c": 2}, draw=draw)
        assert found[-1] == "a"
        assert order(offers(5, 1), balance, {"a": WORSE, "b": BAD}, draw=draw) == "ba"


def test_one_that_fails_less_keeps_its_place() -> None:
    assert order(offers(1, 1), standings={"a": SHAKY}, draw=0.9) == "ab"


@pytest.mark.parametrize("balance", BALANCES)
def test_alone_or_among_its_like_it_stays(balance: Balance) -> None:
    for i in range(20):
        assert order(offers(1), balance, {"a": WORSE}, draw=i / 20) == "a"
        both = {"a": BAD, "b": BAD, "c": CLOSED}
        draw = i / 20
        assert order(offers(1, 1, 1), balance, both, draw=draw) == order(
            offers(1, 1), balance, draw=draw
        )


def test_a_tenth_of_the_draws_try_it_in_its_own_place() -> None:
    draws = 1_000
    first = Counter(
        order(offers(1, 1), standings={"a": BAD}, draw=(i + 0.5) / draws)[0] for i in range(draws)
    )
    assert first["a"] / draws == pytest.approx(CHANCES, abs=2 / draws)


@pytest.mark.parametrize("place", range(3))
def test_where_weights_decide_it_is_tried_by_its_weight_in_that_tenth(place: int) -> None:
    draws, name = 3_000, "abc"[place]
    first = Counter(
        order(offers(1, 1, 1), "weight", {name: BAD}, draw=(i + 0.5) / draws)[0]
        for i in range(draws)
    )
    assert first[name] / draws == pytest.approx(CHANCES / 3, abs=0.002)
    others = [count / draws for each, count in first.items() if each != name]
    assert others == pytest.approx([(1 - CHANCES / 3) / 2] * 2, abs=0.002)


def test_one_that_fails_often_goes_before_one_that_will_answer_429() -> None:
    assert order(offers(1, 1), standings={"a": DRAINED, "b": BAD}, draw=0.9) == "ba"


class Simulation:
    """Requests to ``a``, which fails now and then, and after it to ``b``, which never does."""

    def __init__(self, *, steered: bool) -> None:
        self.chance = random.Random(7)
        self.steered = steered
        self.standings = {"a": CLEAN, "b": CLEAN}
        self.now = NOW

    def run(self, requests: int, failing: float) -> tuple[int, int]:
        """How many calls were wasted, and how many answers ``a`` gave."""
        wasted = answered = 0
        for _ in range(requests):
            self.now += 1.0
            draw = self.chance.random() if self.steered else 0.0  # 0: in its own place
            for name in order(offers(1, 1), standings=self.standings, draw=draw, now=self.now):
                standing = probed(self.standings[name], self.now, 30.0)
                fails = name == "a" and self.chance.random() < failing
                wasted += fails
                if fails:
                    self.standings[name] = after_failure(
                        standing, Kind.UNAVAILABLE, None, since=self.now, now=self.now
                    )
                    continue
                answered += name == "a"
                self.standings[name] = after_success(standing, since=self.now, now=self.now)
                break
        return wasted, answered


def test_calls_to_one_that_mostly_fails_become_few_and_its_recovery_is_noticed() -> None:
    steered, plain = Simulation(steered=True), Simulation(steered=False)
    for each in (steered, plain):
        each.run(1_000, failing=0.6)  # it must be learned first
    wasted, _ = steered.run(5_000, failing=0.6)
    without, _ = plain.run(5_000, failing=0.6)
    assert wasted < 5_000 * CHANCES
    assert wasted < without / 4
    steered.run(1_000, failing=0.0)
    assert steered.run(100, failing=0.0) == (0, 100), "it is first again, for every draw"


states = st.sampled_from([CLEAN, CLOSED, DRAINED, BAD, WORSE])


@given(
    st.lists(st.tuples(st.floats(0, 1e9), states, st.integers(0, 5)), max_size=8),
    st.sampled_from(BALANCES),
    st.floats(0, 1, exclude_max=True),
)
def test_it_is_a_permutation_of_the_admitted_with_the_drained_behind(
    made: list[tuple[float, Standing, int]], balance: Balance, draw: float
) -> None:
    endpoints = offers(*(weight for weight, _, _ in made))
    standings = {e.name: state for e, (_, state, _) in zip(endpoints, made, strict=True)}
    pending = {e.name: count for e, (_, _, count) in zip(endpoints, made, strict=True)}
    found = order(endpoints, balance, standings, pending, draw=draw)
    assert sorted(found) == [e.name for e in endpoints if standings[e.name] is not CLOSED]
    drained = [standings[name] is DRAINED for name in found]
    assert drained == sorted(drained)
    if draw >= CHANCES:
        failing = [failing_share(standings[n]) for n in found if standings[n] is not DRAINED]
        assert failing == sorted(failing)
    assert found == order(endpoints, balance, standings, pending, draw=draw)

"""Who of a rung's endpoints is called first."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade.policy.balancing import arrange
from cascade.policy.health import CLEAN, Standing, after_failure, probed, with_limits
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
    balance: Balance = "order",
    standings: dict[str, Standing] | None = None,
    pending: dict[str, int] | None = None,
    *,
    draw: float = 0.0,
    now: float = NOW,
) -> str:
    """The names in the order in which they shall be called, for a request of 100 tokens."""
    arranged = arrange(
        endpoints, balance, standings or {}, pending or {}, tokens=100, now=now, draw=draw
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
    assert order(offers(1, 1, 1, 1), "pending", pending={"a": 2, "b": 1, "d": 1}) == "cbda"


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


states = st.sampled_from([CLEAN, CLOSED, DRAINED])


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
    assert found == order(endpoints, balance, standings, pending, draw=draw)

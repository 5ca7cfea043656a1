"""Whose fault the end of a call is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cascade.policy.blame import FAIR, HANGS, ClockName, is_held_against
from cascade.policy.health import CLEAN, after_cancel, after_failure, is_admitted
from cascade.policy.quantiles import LEAST, UNKNOWN, Habits, Histogram, add, quantile
from cascade.types import Clocks, Kind

OWN = Clocks(connect=5.0, first_token=30.0, idle=30.0, total=120.0)
CLOCKS: tuple[ClockName, ...] = ("connect", "first_token", "idle", "total")


def usually(seconds: float, count: int = LEAST) -> Histogram:
    """So many samples of this."""
    made = Histogram()
    for _ in range(count):
        made = add(made, seconds)
    return made


def held(habits: Habits = UNKNOWN, **facts: Any) -> bool:
    """Whether a call is held against its endpoint; it failed after 1 s, unless told otherwise."""
    known: dict[str, Any] = {
        "kind": Kind.UNAVAILABLE,
        "cancelled": False,
        "blames": True,
        "clock": None,
        "clocks": OWN,
        "own": OWN,
        "elapsed": 1.0,
        "spoke": None,
    }
    return is_held_against(habits, **known | facts)


def ran_out(clock: ClockName, habits: Habits = UNKNOWN, **facts: Any) -> bool:
    """Whether a time-out is held against it. ``at`` is where the clock was set."""
    at = facts.pop("at", getattr(OWN, clock))
    clocks = replace(OWN, **{clock: at})
    known = {"elapsed": at} | facts
    return held(habits, kind=Kind.TIMED_OUT, clock=clock, clocks=clocks, **known)


def test_a_failure_is_held_against_it_where_it_speaks_of_the_endpoint() -> None:
    assert held()
    assert not held(blames=False)
    assert not held(kind=None)
    assert not held(kind=Kind.TIMED_OUT, blames=False, elapsed=1e6)


def test_a_time_out_that_the_provider_reports_is_its_own() -> None:
    assert held(kind=Kind.TIMED_OUT, elapsed=0.1)


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_time_out_by_the_rungs_own_clock_is_held_against_it(clock: ClockName) -> None:
    assert ran_out(clock)
    assert ran_out(clock, at=2 * getattr(OWN, clock)), "it learned to wait longer"
    short = Clocks(*[0.1] * 4)
    assert held(kind=Kind.TIMED_OUT, clock=clock, clocks=short, own=short, elapsed=0.1)


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("deadline", [0.01, 4.9, 4.999, 9.9, 10.0, 29.9])
def test_a_time_out_by_a_clock_that_was_shortened_is_not(clock: ClockName, deadline: float) -> None:
    if deadline < getattr(OWN, clock):
        assert not ran_out(clock, at=deadline)


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_that_the_rung_does_not_set_is_nobodys_own(clock: ClockName) -> None:
    own = replace(OWN, **{clock: None})
    assert not held(kind=Kind.TIMED_OUT, clock=clock, own=own, elapsed=29.0)


def test_half_a_minute_is_fair_whoever_set_the_clock() -> None:
    assert not ran_out("total", at=FAIR - 0.1)
    assert ran_out("total", at=FAIR)


def test_three_times_what_it_usually_takes_to_speak_is_held_against_a_stream() -> None:
    habits = Habits(first_token=usually(1.0), latency=usually(9.0))
    limit = HANGS * (quantile(habits.first_token, 0.95) or 0.0)
    assert ran_out("total", habits, at=limit, spoke=False)
    assert not ran_out("total", habits, at=limit - 0.01, spoke=False)
    for spoke in (True, None):
        assert not ran_out("total", habits, at=limit, spoke=spoke)


def test_three_times_what_it_usually_takes_in_all_is_held_against_any_other_call() -> None:
    habits = Habits(first_token=usually(9.0), latency=usually(1.0))
    limit = HANGS * (quantile(habits.latency, 0.95) or 0.0)
    for spoke in (True, None):
        assert ran_out("total", habits, at=limit, spoke=spoke)
        assert not ran_out("total", habits, at=limit - 0.01, spoke=spoke)
    assert not ran_out("total", habits, at=limit, spoke=False)


def test_fewer_than_twenty_samples_say_nothing() -> None:
    few = Habits(first_token=usually(0.1, 19), latency=usually(0.1, 19))
    for spoke in (True, False, None):
        assert not ran_out("total", few, at=20.0, spoke=spoke)
    assert not held(few, cancelled=True, spoke=False, elapsed=20.0)


def test_a_cancelled_call_is_held_against_it_only_where_it_hung_without_a_first_token() -> None:
    habits = Habits(first_token=usually(1.0), latency=usually(1.0))
    assert held(habits, cancelled=True, spoke=False, elapsed=4.0)
    assert not held(habits, cancelled=True, spoke=False, elapsed=2.0)
    assert not held(habits, cancelled=True, spoke=True, elapsed=400.0)
    assert not held(habits, cancelled=True, spoke=None, elapsed=400.0)
    assert not held(cancelled=True, spoke=False, elapsed=400.0)


@pytest.mark.parametrize("connect", [0.5, 5.0, 8.0])
@pytest.mark.parametrize("deadline", [0.05, 0.49, 0.51, 4.99, 5.01, 7.99, 8.01, 10.0, 29.0])
def test_callers_with_short_deadlines_never_close_an_endpoint(
    connect: float, deadline: float
) -> None:
    """It connects, and would have answered: whatever clock ends the call, the deadline set it."""
    own = replace(OWN, connect=connect)
    given = Clocks(**{name: min(deadline, getattr(own, name)) for name in CLOCKS})
    clock: ClockName
    for clock, spoke in (("first_token", False), ("total", None), ("total", True)):
        standing = CLEAN
        for _ in range(100):
            against = is_held_against(
                UNKNOWN,
                kind=Kind.TIMED_OUT,
                cancelled=False,
                blames=True,
                clock=clock,
                clocks=given,
                own=own,
                elapsed=deadline,
                spoke=spoke,
            )
            standing = (
                after_failure(standing, Kind.TIMED_OUT, None, since=0.0, now=deadline)
                if against
                else after_cancel(standing, since=0.0)
            )
        assert is_admitted(standing, deadline)


def test_a_deadline_below_the_connect_clock_is_no_fault_and_one_above_leaves_it_its_word() -> None:
    assert not ran_out("connect", at=4.99)
    assert ran_out("connect", at=5.0), "5 s to connect are the operator's own measure"


@given(
    kind=st.sampled_from([None, *Kind]),
    cancelled=st.booleans(),
    blames=st.booleans(),
    clock=st.sampled_from([None, *CLOCKS]),
    elapsed=st.floats(0, 1e6),
    spoke=st.sampled_from([None, True, False]),
    samples=st.integers(0, 30),
)
def test_nothing_is_held_against_it_for_less_time_and_not_for_more(
    kind: Kind | None,
    cancelled: bool,
    blames: bool,
    clock: ClockName | None,
    elapsed: float,
    spoke: bool | None,
    samples: int,
) -> None:
    habits = Habits(usually(1.0, samples), usually(2.0, samples))
    facts = {"kind": kind, "cancelled": cancelled, "blames": blames, "clock": clock, "spoke": spoke}
    given = {"clocks": Clocks(*[0.5] * 4), "elapsed": elapsed}
    if held(habits, **facts | given):
        assert held(habits, **facts | given | {"elapsed": 2 * elapsed})
        assert cancelled or (blames and kind is not None)

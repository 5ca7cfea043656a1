"""Whose fault the end of a call is: the endpoint's, or that of somebody who gave it too little
time. An endpoint answers for what it was given time for, as its operator or its own past says."""

from __future__ import annotations

from typing import Final, Literal

from cascade.policy.quantiles import Habits, quantile
from cascade.types import Clocks, Kind

ClockName = Literal["connect", "first_token", "idle", "total"]

FAIR: Final = 30.0
"""Seconds after which a time-out is the endpoint's own fault, whoever set the clock."""

HANGS: Final = 3.0
"""Times the p95 of an endpoint's calls after which one of them hangs."""


def is_held_against(
    habits: Habits,
    *,
    kind: Kind | None,
    cancelled: bool,
    blames: bool,
    clock: ClockName | None,
    clocks: Clocks,
    own: Clocks,
    elapsed: float,
    spoke: bool | None,
) -> bool:
    """Whether the end of a call is held against its endpoint.

    A call that was cancelled is where it had hung: a hedge that wins ends the slow call, and else
    nobody would ever learn that it hangs. A time-out is where the clock was the rung's own, where
    the time would have been enough for any endpoint, or where it is far beyond what this one
    usually takes; else it says how little time the caller had.

    Args:
        habits: of the endpoint's calls.
        kind: why the call failed, None where it did not.
        cancelled: somebody stopped it; then ``kind`` counts for nothing.
        blames: whether the failure itself speaks of the endpoint; not so of an exhausted pool.
        clock: which of the call's clocks ran out; None where none did, also at a time-out that the
            provider reports of itself.
        clocks: the call's, which may have been shortened to its caller's deadline.
        own: the rung's.
        elapsed: seconds that the call took.
        spoke: whether a first token came; None where none could have been seen.
    """
    if cancelled:
        return spoke is False and _hung(habits, elapsed, spoke)
    if kind is None or not blames:
        return False
    if kind is not Kind.TIMED_OUT or clock is None:
        return True
    return _is_own(clock, clocks, own) or elapsed >= FAIR or _hung(habits, elapsed, spoke)


def _is_own(clock: ClockName, clocks: Clocks, own: Clocks) -> bool:
    """Whether the clock gave the time that the operator gives, or more, as a learned one does."""
    given, set_by_rung = getattr(clocks, clock), getattr(own, clock)
    return given is not None and set_by_rung is not None and given >= set_by_rung


def _hung(habits: Habits, elapsed: float, spoke: bool | None) -> bool:
    """Whether it took far longer than this endpoint's calls do, where enough of them are known."""
    usual = quantile(habits.first_token if spoke is False else habits.latency, 0.95)
    return usual is not None and elapsed >= HANGS * usual

"""When a call that shows no first token deserves a second one beside it."""

from __future__ import annotations

import math

from cascade.policy.model import Flight, Plan, State


def due_hedges(plan: Plan, state: State, now: float) -> list[Flight]:
    """Flights that have waited longer for their first token than their option allows."""
    return [flight for flight in state.flights if _hedge_at(plan, flight) <= now]


def next_hedge_at(plan: Plan, state: State) -> float:
    """When the next hedge is due; infinity where none is."""
    at = math.inf
    for flight in state.flights:
        at = min(at, _hedge_at(plan, flight))
    return at


def _hedge_at(plan: Plan, flight: Flight) -> float:
    after = plan.options[flight.option].hedge_after
    if after is None or flight.streamed or flight.hedged or flight.cancelled:
        return math.inf
    return flight.since + after

"""Flights and money: calls going up, landing with their bills, being cancelled."""

from __future__ import annotations

from msgspec.structs import replace

from cascade.policy.model import Action, Call, Cancel, Check, Flight, Plan, State, Tally


def start(
    state: State, call: Call, now: float, hedged: bool = False
) -> tuple[State, tuple[Action, ...]]:
    """Put a call into the air and into its option's history."""
    tally = state.tallies[call.option]
    flight = Flight(call.call, call.option, call.offer, call.hold, now, hedged=hedged)
    state = replace(state, next_call=state.next_call + 1, flights=(*state.flights, flight))
    return retally(state, call.option, replace(tally, calls=tally.calls + 1)), (call,)


def start_check(
    plan: Plan, state: State, name: str, ref: int, now: float
) -> tuple[State, tuple[Action, ...]]:
    """Put a paid check of an answer into the air; nothing hedges a check."""
    hold = next(check.hold for check in plan.checks if check.name == name)
    if plan.cap is None:
        hold = 0
    call = state.next_call
    answers = tuple(
        replace(answer, asked=(*answer.asked, name)) if answer.ref == ref else answer
        for answer in state.answers
    )
    option = next(answer.option for answer in answers if answer.ref == ref)
    flight = Flight(call, option, 0, hold, now, hedged=True, check=name, ref=ref)
    state = replace(state, next_call=call + 1, flights=(*state.flights, flight), answers=answers)
    return state, (Check(call, name, ref, hold),)


def land(plan: Plan, state: State, call: int, cost: int) -> tuple[Flight | None, State]:
    """Settle a call's bill. The flight comes back only if its answer may still matter."""
    flight = flight_of(state, call)
    hold = 0 if flight is None else flight.hold
    state = replace(
        state,
        spent=state.spent + cost,
        overrun=state.overrun or (plan.cap is not None and cost > hold),
        flights=tuple([f for f in state.flights if f.call != call]),
    )
    if flight is None or flight.cancelled:
        return None, state
    return flight, state


def cancel(state: State, flights: list[Flight]) -> tuple[State, tuple[Action, ...]]:
    """Stop flights. They keep what they hold until their bill has come."""
    if not flights:
        return state, ()
    calls = {flight.call for flight in flights}
    marked = tuple(
        replace(flight, cancelled=True) if flight.call in calls else flight
        for flight in state.flights
    )
    return replace(state, flights=marked), tuple(Cancel(flight.call) for flight in flights)


def running(state: State, option: int | None = None) -> list[Flight]:
    """Flights whose answer is still wanted, of one option or of all."""
    return [
        flight
        for flight in state.flights
        if not flight.cancelled and option in (None, flight.option)
    ]


def flight_of(state: State, call: int) -> Flight | None:
    """The flight of a call; None if it has landed."""
    return next((flight for flight in state.flights if flight.call == call), None)


def replace_flight(state: State, flight: Flight) -> State:
    """The state with a flight's new standing."""
    flights = tuple(flight if f.call == flight.call else f for f in state.flights)
    return replace(state, flights=flights)


def retally(state: State, option: int, tally: Tally) -> State:
    """The state with an option's new history."""
    tallies = state.tallies
    return replace(state, tallies=(*tallies[:option], tally, *tallies[option + 1 :]))

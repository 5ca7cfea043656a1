"""The machine: one total, pure function from what happened to what shall be done.

The rule proposes, the machine disposes. It owns flights, retries, remedies, clocks, the cap,
hedges, commits, cancellation and the end, and offers the rule admissible moves only; any other
answer of a rule, an exception included, counts as none. So no rule can overspend, start late,
strand a call or leak a refuted answer. The laws it keeps are in ``cascade.testing.laws``.
"""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from cascade.policy.flights import (
    cancel,
    flight_of,
    land,
    replace_flight,
    retally,
    running,
    start,
    start_check,
)
from cascade.policy.hedging import due_hedges, next_hedge_at
from cascade.policy.model import (
    Accept,
    Action,
    Answered,
    Ask,
    Begun,
    Call,
    Candidate,
    Checked,
    Choice,
    Commit,
    Event,
    Failed,
    Finish,
    Flight,
    GiveUp,
    Left,
    Plan,
    Refused,
    Retry,
    Rule,
    State,
    Streamed,
    Tally,
    Try,
    View,
    Wait,
    WakeAt,
    Why,
    Woke,
)
from cascade.policy.moves import GIVE_UP, WAIT, admissible, is_untouched, next_call
from cascade.policy.remedies import (
    REMEDY,
    RETRIES,
    after_failure,
    retry_delay,
)
from cascade.policy.rules import accepts
from cascade.types import Basis, Kind

Step = tuple[State, tuple[Action, ...]]


def initial(plan: Plan) -> State:
    """The state before ``Begun``."""
    return State(tallies=(Tally(),) * len(plan.options))


def step(plan: Plan, rule: Rule, state: State, event: Event, now: float) -> Step:
    """Take in one event at time ``now`` and return the new state and what to do.

    Nothing is done after ``Finish``; events of calls that have landed or were cancelled change
    money only.
    """
    match event:
        case Begun():
            return _decide(plan, rule, state, now)
        case Answered():
            return _answered(plan, rule, state, event, now)
        case Checked():
            return _checked(plan, rule, state, event, now)
        case Failed():
            return _failed(plan, rule, state, event, now)
        case Refused():
            return _refused(plan, rule, state, event, now)
        case Streamed():
            return _streamed(plan, state, event, now)
        case Woke():
            return _woke(plan, rule, state, now)
        case Left():
            if state.outcome is not None:
                return state, ()
            return _end_all(state, Finish("cancelled", why="left"))
        case _:
            assert_never(event)


# --- one handler an event ---


def _answered(plan: Plan, rule: Rule, state: State, event: Answered, now: float) -> Step:
    flight, state = land(plan, state, event.call, event.cost)
    if flight is None:
        return state, ()
    candidate = replace(event.candidate, ref=flight.call, option=flight.option)
    state = replace(state, answers=(*state.answers, candidate))
    if state.committed == flight.call:
        return _end_committed(plan, state, candidate)
    state = retally(state, flight.option, replace(state.tallies[flight.option], answered=True))
    twins: tuple[Action, ...] = ()
    if candidate.usable:
        state, twins = cancel(state, [f for f in running(state, flight.option) if not f.check])
    return _after(twins, _decide(plan, rule, state, now))


def _checked(plan: Plan, rule: Rule, state: State, event: Checked, now: float) -> Step:
    flight, state = land(plan, state, event.call, event.cost)
    if flight is None:
        return state, ()
    answers = tuple(
        replace(answer, evidence=event.evidence, confidence=event.confidence)
        if answer.ref == flight.ref
        else answer
        for answer in state.answers
    )
    return _decide(plan, rule, replace(state, answers=answers), now)


def _failed(plan: Plan, rule: Rule, state: State, event: Failed, now: float) -> Step:
    flight, state = land(plan, state, event.call, event.cost)
    if flight is None:
        return state, ()
    if state.committed == flight.call:
        return _end_all(state, Finish("broken", why="committed"))
    if flight.check is not None:
        return _decide(plan, rule, state, now)
    if REMEDY[event.kind] == "stop":
        return _end(plan, state, "caller")
    tally = after_failure(
        state.tallies[flight.option], flight.offer, event.kind, event.retry_after, now
    )
    state = retally(state, flight.option, tally)
    if event.kind is Kind.TOO_LONG:
        state = _close_narrow(plan, state, flight.option, event.needs)
    if running(state, flight.option):  # its hedge is still out: that is the remedy
        return _arm(plan, state)
    return _remedy(plan, rule, state, flight, event, now)


def _refused(plan: Plan, rule: Rule, state: State, event: Refused, now: float) -> Step:
    flight, state = land(plan, state, event.call, 0)
    if flight is None:
        return state, ()
    if flight.check is None:
        tally = replace(state.tallies[flight.option], over=True)
        state = retally(state, flight.option, tally)
    return _decide(plan, rule, state, now)


def _streamed(plan: Plan, state: State, event: Streamed, now: float) -> Step:
    flight = flight_of(state, event.call)
    if flight is None or flight.streamed or flight.cancelled:
        return state, ()
    state = replace_flight(state, replace(flight, streamed=True))
    live = plan.options[flight.option].live and flight.check is None
    if not live or state.committed is not None or now >= plan.deadline:
        return state, ()
    state = replace(state, committed=flight.call)
    state, cancels = cancel(state, [f for f in running(state) if f.call != flight.call])
    return state, (*cancels, Commit(flight.call))


def _woke(plan: Plan, rule: Rule, state: State, now: float) -> Step:
    if state.outcome is not None or state.committed is not None:
        return state, ()
    state = replace(state, wake=None)
    if now >= plan.deadline:
        return _end(plan, state, "deadline")
    actions: tuple[Action, ...] = ()
    due = [retry for retry in state.retries if retry.at <= now]
    state = replace(state, retries=tuple(r for r in state.retries if r.at > now))
    for retry in due:
        call = next_call(plan, state, retry.option, now)
        if call is not None:
            state, started = start(state, call, now)
            actions += started
    for flight in due_hedges(plan, state, now):
        state = replace_flight(state, replace(flight, hedged=True))
        call = _hedge_call(plan, state, flight, now)
        if call is not None:
            state, started = start(state, call, now, hedged=True)
            actions += started
    if state.waits:
        return _after(actions, _arm(plan, state))
    return _after(actions, _decide(plan, rule, state, now))


# --- asking the rule ---


def _decide(plan: Plan, rule: Rule, state: State, now: float) -> Step:
    """Ask the rule and carry out its choice. Nobody is asked once bytes have left."""
    if state.outcome is not None or state.committed is not None:
        return state, ()
    if now >= plan.deadline:
        return _end(plan, state, "deadline")
    moves = admissible(plan, state, now)
    match _choose(rule, View(plan, state, now), moves):
        case Accept(ref):
            return _accept(plan, state, ref)
        case Try(option):
            call = next_call(plan, state, option, now)
            assert call is not None, "an admissible Try has a call"
            state, actions = start(state, call, now)
            return _after(actions, _arm(plan, state))
        case Ask(check, ref):
            state, actions = start_check(plan, state, check, ref, now)
            return _after(actions, _arm(plan, state))
        case Wait():
            return _arm(plan, state)
        case GiveUp():
            unaffordable = not state.next_call and not any(isinstance(m, Try) for m in moves)
            return _end(plan, state, "cap" if unaffordable else "gave_up")


def _choose(rule: Rule, view: View, moves: tuple[Choice, ...]) -> Choice:
    try:
        choice = rule(view, moves)
        for move in moves:
            if choice == move:
                return move
    except Exception:  # noqa: BLE001, S110 - a user's rule may raise anything: that is no choice
        pass
    return WAIT if view.waits else GIVE_UP


def _accept(plan: Plan, state: State, ref: int) -> Step:
    candidate = next(answer for answer in state.answers if answer.ref == ref)
    finish = Finish("accepted", basis_of(plan, candidate), ref, store=candidate.storable)
    return _end_all(state, finish)


def basis_of(plan: Plan, candidate: Candidate) -> Basis:
    """Why an accepted answer may be accepted: the machine says it, not the rule."""
    if candidate.option == plan.reference:
        return "reference"
    bar = plan.options[candidate.option].bar
    cleared = None if bar is None else bar.cleared_by(candidate.evidence, candidate.confidence)
    return cleared or "unchecked"


# --- remedies, hedges, time ---


def _remedy(
    plan: Plan, rule: Rule, state: State, flight: Flight, event: Failed, now: float
) -> Step:
    """Go to the next endpoint at once, else try again in a while, else leave the option."""
    tally = state.tallies[flight.option]
    fresh = next_call(plan, state, flight.option, now, busy=tally.failed)
    if fresh is not None:
        state, actions = start(state, fresh, now)
        return _after(actions, _arm(plan, state))
    again = REMEDY[event.kind] == "again" and tally.retries < RETRIES
    if again and next_call(plan, state, flight.option, now) is not None:
        at = max(tally.resume, now + retry_delay(plan.seed, flight.call))
        if at < plan.deadline:
            tally = replace(tally, retries=tally.retries + 1)
            state = retally(state, flight.option, tally)
            state = replace(state, retries=(*state.retries, Retry(flight.option, at)))
            return _arm(plan, state)
    return _decide(plan, rule, state, now)


def _close_narrow(plan: Plan, state: State, option: int, needs: int | None) -> State:
    """A prompt that one window did not hold goes to wider ones only."""
    narrow = max(needs or 0, plan.options[option].window or 0)
    for other, chosen in enumerate(plan.options):
        if chosen.window is not None and chosen.window <= narrow:
            state = retally(state, other, replace(state.tallies[other], over=True))
    return state


def _hedge_call(plan: Plan, state: State, flight: Flight, now: float) -> Call | None:
    """A hedge goes to an endpoint of the option that has not failed, else to the next option."""
    busy = (
        *(other.offer for other in running(state, flight.option)),
        *state.tallies[flight.option].failed,
    )
    call = next_call(plan, state, flight.option, now, busy)
    if call is not None:
        return call
    for option in plan.order:
        if option > flight.option and is_untouched(state, option):
            return next_call(plan, state, option, now)
    return None


def _arm(plan: Plan, state: State) -> Step:
    """Ask to be woken for the next thing that is due, if that is not yet arranged."""
    at = min(plan.deadline, next_hedge_at(plan, state))
    for retry in state.retries:
        at = min(at, retry.at)
    if at == state.wake:
        return state, ()
    return replace(state, wake=at), (WakeAt(at),)


def _after(actions: tuple[Action, ...], then: Step) -> Step:
    state, more = then
    return state, (*actions, *more)


# --- the end ---


def _end(plan: Plan, state: State, why: Why) -> Step:
    """End without acceptance: the best answer in hand if the plan returns one, else failure."""
    usable = [answer for answer in state.answers if answer.usable]
    if not usable or plan.at_the_end == "error":
        return _end_all(state, Finish("failed", why=why))
    return _end_all(state, Finish("best_effort", ref=best(usable).ref, why=why))


def best(usable: list[Candidate]) -> Candidate:
    """The most probable answer where every one has a confidence, else the strongest rung's."""
    if all(answer.confidence is not None for answer in usable):
        return max(usable, key=lambda answer: (answer.confidence or 0.0, answer.option))
    return max(usable, key=lambda answer: answer.option)


def _end_committed(plan: Plan, state: State, candidate: Candidate) -> Step:
    if not candidate.usable:
        return _end_all(state, Finish("broken", why="committed"))
    finish = Finish(
        "accepted",
        basis_of(plan, candidate),
        candidate.ref,
        store=candidate.storable and accepts(plan, candidate),
        why="committed",
    )
    return _end_all(state, finish)


def _end_all(state: State, finish: Finish) -> Step:
    state, cancels = cancel(state, running(state))
    return replace(state, outcome=finish.outcome), (*cancels, finish)

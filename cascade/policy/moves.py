"""Which moves are admissible: what may be called, with which hold, limit and clocks."""

from __future__ import annotations

from cascade.policy.model import (
    Accept,
    Ask,
    Call,
    Choice,
    GiveUp,
    Option,
    Plan,
    State,
    Try,
    Wait,
)
from cascade.policy.remedies import offers_left
from cascade.types import Clocks

WAIT = Wait()
GIVE_UP = GiveUp()


def admissible(plan: Plan, state: State, now: float) -> tuple[Choice, ...]:
    """Every move that a rule may choose just now. ``GiveUp`` is always among them."""
    moves: list[Choice] = [
        Accept(answer.ref) for answer in state.answers if answer.usable and not answer.declined
    ]
    if now < plan.deadline:
        moves += [
            Try(option)
            for option in range(len(plan.options))
            if is_untouched(state, option)
            and not is_barred(plan, state, option)
            and _is_affordable(plan, state, option)
        ]
        if plan.checks:
            moves += _checks(plan, state)
    if state.waits:
        moves.append(WAIT)
    moves.append(GIVE_UP)
    return tuple(moves)


def is_untouched(state: State, option: int) -> bool:
    """Whether the option is still the rule's to open; once it is, the machine sees to it."""
    tally = state.tallies[option]
    return not tally.calls and not tally.over


def is_barred(plan: Plan, state: State, option: int) -> bool:
    """Whether an answer showed that only the reference may do what is asked."""
    return option != plan.reference and any(answer.reserved for answer in state.answers)


def _is_affordable(plan: Plan, state: State, option: int) -> bool:
    if plan.cap is None:
        return True
    chosen = plan.options[option]
    offers = range(len(chosen.offers))
    return any(_afford(plan, state, chosen, offer) is not None for offer in offers)


def next_call(
    plan: Plan, state: State, option: int, now: float, busy: tuple[int, ...] = ()
) -> Call | None:
    """The next call of an option, or None where calls, time, endpoints or money are used up."""
    chosen, tally = plan.options[option], state.tallies[option]
    if now >= plan.deadline or tally.calls >= chosen.calls or tally.over or tally.answered:
        return None
    if is_barred(plan, state, option):
        return None
    for offer in offers_left(chosen, tally, busy):
        afforded = _afford(plan, state, chosen, offer)
        if afforded is not None:
            hold, limit, own_limit = afforded
            return Call(
                call=state.next_call,
                option=option,
                offer=offer,
                clocks=_clocks(chosen, plan.deadline - now),
                hold=hold,
                limit=limit,
                own_limit=own_limit,
            )
    return None


def _checks(plan: Plan, state: State) -> list[Choice]:
    room = None if plan.cap is None else plan.cap - state.spent - state.held
    running = {(flight.check, flight.ref) for flight in state.flights if flight.check}
    return [
        Ask(check.name, answer.ref)
        for answer in state.answers
        for check in plan.checks
        if answer.usable
        and check.name not in answer.asked
        and (check.name, answer.ref) not in running
        and (room is None or check.hold <= room)
    ]


def _afford(
    plan: Plan, state: State, option: Option, offer: int
) -> tuple[int, int | None, bool] | None:
    """Hold, output limit and whether the limit is our own; None where the cap is too low."""
    if plan.cap is None:
        return 0, option.ceiling, False
    terms = option.offers[offer]
    if terms.input_hold is None or terms.output_price is None:
        return None
    room = plan.cap - state.spent - state.held - terms.input_hold
    if room < 0:
        return None
    if terms.output_price == 0:
        return terms.input_hold, None if option.own_ceiling else option.ceiling, False
    fits = room // terms.output_price
    limit = fits if option.ceiling is None else min(fits, option.ceiling)
    if limit < option.floor:
        return None
    own_limit = option.own_ceiling or option.ceiling is None or limit < option.ceiling
    return terms.input_hold + limit * terms.output_price, limit, own_limit


def _clocks(option: Option, left: float) -> Clocks:
    """The option's clocks, none of which reaches past the deadline.

    A live option must have committed by the deadline, and then runs on its own clocks.
    """
    own = option.clocks
    return Clocks(
        connect=_shorter(own.connect, left),
        first_token=_shorter(own.first_token, left),
        idle=own.idle if option.live else _shorter(own.idle, left),
        total=own.total if option.live else _shorter(own.total, left),
    )


def _shorter(limit: float | None, left: float) -> float:
    return left if limit is None or limit > left else limit

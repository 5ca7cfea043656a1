"""Laws 1 to 4: the request ends, and what its calls may cost, when they run, how many there are."""

from __future__ import annotations

from cascade.policy.model import (
    Call,
    Cancel,
    Check,
    Commit,
    Failed,
    Finish,
    Option,
    Plan,
    WakeAt,
)
from cascade.policy.remedies import LONGEST_WAIT, REMEDY
from cascade.testing.account import Account
from cascade.testing.breach import LawBroken, require
from cascade.testing.world import Moment, Walk, longest_walk
from cascade.types import Clocks


def it_ends(walk: Walk) -> None:
    """1. Finish exactly once and last, in bounds, every call in flight cancelled, never stuck."""
    require(not walk.stuck, "1: nothing is due any more, and the request has not ended")
    require(not walk.endless, f"1: more than {longest_walk(walk.plan)} steps")
    finishes = [a for a in walk.actions if isinstance(a, Finish)]
    require(len(finishes) == 1, f"1: Finish came {len(finishes)} times")
    require(isinstance(walk.actions[-1], Finish), "1: something was done after Finish")
    account, begun = Account(), 0
    for moment in walk.moments:
        account.land(moment.event)
        for action in moment.actions:
            if isinstance(action, Call | Check):
                require(action.call == begun, "1: a call's number is not the next one")
                begun += 1
            if isinstance(action, Cancel):
                running = action.call in {other.call for other in account.running}
                require(running, "1: what was not under way was cancelled")
            if isinstance(action, Finish):
                left = [other.call for other in account.running]
                require(not left, f"1: calls {left} were left running at the end")
                require(moment.after.outcome == action.outcome, "1: two words for one outcome")
            account.perform(action)


def money_holds(walk: Walk) -> None:
    """2. No call starts beyond the cap; without one nothing is held; bills are recorded whole."""
    account, plan = Account(), walk.plan
    for moment in walk.moments:
        account.land(moment.event)
        for action in moment.actions:
            if isinstance(action, Call | Check):
                _check_hold(plan, action, account)
            account.perform(action)
        require(moment.after.spent == account.spent, "2: a bill is not recorded whole")
        require(moment.after.held == account.held, "2: what is held is not what may come")
        overrun = account.overrun and plan.cap is not None
        require(moment.after.overrun == overrun, "2: a bill above its hold is not flagged")


def _check_hold(plan: Plan, action: Call | Check, account: Account) -> None:
    option = plan.options[action.option] if isinstance(action, Call) else None
    if plan.cap is None:
        require(action.hold == 0, "2: something is held without a cap")
        if isinstance(action, Call) and option is not None:
            require(action.limit == option.ceiling, "2: an output limit shrank without a cap")
            require(not action.own_limit, "2: our own limit without a cap")
        return
    room = plan.cap - account.spent - account.held
    require(0 <= action.hold <= room, "2: a call started beyond the cap")
    if isinstance(action, Call) and option is not None:
        _check_limit(option, action)
    else:
        [hold] = {check.hold for check in plan.checks if check.name == getattr(action, "check", "")}
        require(action.hold == hold, "2: the hold of a check is no bound")


def _check_limit(option: Option, call: Call) -> None:
    """Under a cap the hold bounds the bill, and a shrunken limit leaves room and says so."""
    offer = option.offers[call.offer]
    if offer.input_hold is None or offer.output_price is None:
        raise LawBroken("2: a call without a known price started under a cap")
    hold = offer.input_hold + (call.limit or 0) * offer.output_price
    require(call.hold >= hold, "2: the hold is no bound")
    if offer.output_price == 0:
        callers = None if option.own_ceiling else option.ceiling
        require(call.limit == callers, "2: a limit of our own where output is free")
        require(not call.own_limit, "2: our own limit where output is free")
        return
    if call.limit is None:
        raise LawBroken("2: a call under a cap has no output limit")
    require(call.limit >= option.floor, "2: less room than is worth a call")
    require(option.ceiling is None or call.limit <= option.ceiling, "2: a limit above the ceiling")
    own = option.own_ceiling or option.ceiling is None or call.limit < option.ceiling
    require(call.own_limit == own, "2: a shrunken limit does not say whose it is")


def time_holds(walk: Walk) -> None:
    """3. No call starts at or after the deadline, no clock reaches past it, and an uncommitted
    request ends by it."""
    deadline = walk.plan.deadline
    committed = False
    for moment in walk.moments:
        for action in moment.actions:
            if isinstance(action, Call | Check):
                require(moment.now < deadline, "3: a call started at or after the deadline")
            if isinstance(action, Call):
                _check_clocks(walk.plan, action, moment.now)
            if isinstance(action, Commit):
                require(moment.now < deadline, "3: a commit came after the deadline")
                committed = True
            if isinstance(action, WakeAt):
                require(moment.now <= action.at <= deadline, "3: a waking after the deadline")
            if isinstance(action, Finish) and not committed:
                began_late = walk.moments[0].now >= deadline
                require(moment.now <= deadline or began_late, "3: it ended after the deadline")


def _check_clocks(plan: Plan, call: Call, now: float) -> None:
    option, left = plan.options[call.option], plan.deadline - now
    for name in Clocks.__struct_fields__:
        own: float | None = getattr(option.clocks, name)
        clock: float | None = getattr(call.clocks, name)
        if option.live and name in ("idle", "total"):
            require(clock == own, "3: a live answer does not run on its option's own clocks")
        else:
            expected = left if own is None else min(own, left)
            require(clock == expected, "3: a clock is not the option's, cut at the deadline")


def calls_are_bounded(walk: Walk) -> None:
    """4. An option is called at most ``calls`` times and never after it has answered; never twice
    at once at one endpoint, nor at one that is closed or wants to be left alone for a while."""
    made = [0] * len(walk.plan.options)
    done: set[int] = set()
    closed: set[tuple[int, int]] = set()
    paused: dict[tuple[int, int], float] = {}
    account = Account()
    for moment in walk.moments:
        _close(moment, account, done, closed, paused)
        account.land(moment.event)
        done |= {answer.option for answer in moment.after.answers}
        for action in moment.actions:
            if isinstance(action, Call):
                made[action.option] += 1
                place = (action.option, action.offer)
                busy = {(a.option, a.offer) for a in account.running if isinstance(a, Call)}
                require(action.option not in done, "4: called again after its end")
                require(place not in closed, "4: a closed endpoint was called again")
                require(place not in busy, "4: called twice at once at one endpoint")
                require(moment.now >= paused.get(place, 0.0), "4: called before Retry-After")
            account.perform(action)
    for option, calls in zip(walk.plan.options, made, strict=True):
        require(calls <= option.calls, f"4: {option.rung} was called {calls} times")


def _close(
    moment: Moment,
    account: Account,
    done: set[int],
    closed: set[tuple[int, int]],
    paused: dict[tuple[int, int], float],
) -> None:
    """Note what a failure closes: an endpoint, an option, or everything."""
    event = moment.event
    if not isinstance(event, Failed):
        return
    call = next((action for action in account.running if action.call == event.call), None)
    if not isinstance(call, Call):
        return
    pause = event.retry_after or 0.0
    paused[call.option, call.offer] = moment.now + pause
    match REMEDY[event.kind]:
        case "stop":
            done |= set(range(len(moment.before.tallies)))
        case "climb":
            done.add(call.option)
        case "elsewhere":
            closed.add((call.option, call.offer))
        case "again":
            if pause > LONGEST_WAIT:
                closed.add((call.option, call.offer))

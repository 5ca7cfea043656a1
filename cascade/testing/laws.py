"""The laws of the machine, each a function over a walk. See DESIGN in the documentation.

They hold for every rule, hostile ones included; ``Threshold`` keeps some more of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from cascade.policy.machine import step
from cascade.policy.model import (
    Answered,
    Call,
    Cancel,
    Candidate,
    Check,
    Checked,
    Commit,
    Failed,
    Finish,
    Plan,
    Refused,
    Rule,
    Streamed,
)
from cascade.testing.world import Moment, Walk, longest_walk


class LawBroken(AssertionError):
    """A law does not hold; the message says which, and where."""


def require(condition: bool, law: str) -> None:
    """Raise ``LawBroken`` with the law's words unless the condition holds."""
    if not condition:
        raise LawBroken(law)


def it_ends(walk: Walk) -> None:
    """1. Finish exactly once and last, in bounds, every call in flight cancelled, never stuck."""
    require(not walk.stuck, "1: nothing is due any more, and the request has not ended")
    require(not walk.endless, f"1: more than {longest_walk(walk.plan)} steps")
    finishes = [a for a in walk.actions if isinstance(a, Finish)]
    require(len(finishes) == 1, f"1: Finish came {len(finishes)} times")
    require(isinstance(walk.actions[-1], Finish), "1: something was done after Finish")
    last = next(m for m in walk.moments if finishes[0] in m.actions)
    cancelled = {a.call for a in walk.actions if isinstance(a, Cancel)}
    for flight in last.after.flights:
        require(flight.call in cancelled, f"1: call {flight.call} was left running at the end")


def money_holds(walk: Walk) -> None:
    """2. No call starts beyond the cap; without one nothing is held; bills are recorded whole."""
    spent = 0
    flying: dict[int, int] = {}
    for moment in walk.moments:
        event = moment.event
        if isinstance(event, Answered | Checked | Failed | Refused):
            flying.pop(event.call, None)
            spent += 0 if isinstance(event, Refused) else event.cost
        for action in moment.actions:
            if isinstance(action, Call | Check):
                _check_hold(walk.plan, action, spent, sum(flying.values()))
                flying[action.call] = action.hold
        require(moment.after.spent == spent, "2: a bill is not recorded whole")
        require(moment.after.held == sum(flying.values()), "2: what is held is not what may come")


def _check_hold(plan: Plan, action: Call | Check, spent: int, held: int) -> None:
    if plan.cap is None:
        require(action.hold == 0, "2: something is held without a cap")
        return
    require(spent + held + action.hold <= plan.cap, "2: a call started beyond the cap")
    if isinstance(action, Call):
        offer = plan.options[action.option].offers[action.offer]
        require(
            offer.input_hold is not None and offer.output_price is not None,
            "2: a call without a known price started under a cap",
        )
        output = (action.limit or 0) * (offer.output_price or 0)
        require(action.hold >= (offer.input_hold or 0) + output, "2: the hold is no bound")
        require(
            not offer.output_price or action.limit is not None,
            "2: a call under a cap has no output limit",
        )


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
            if isinstance(action, Finish) and not committed:
                began_late = walk.moments[0].now >= deadline
                require(moment.now <= deadline or began_late, "3: it ended after the deadline")


def _check_clocks(plan: Plan, call: Call, now: float) -> None:
    left = plan.deadline - now
    clocks = [call.clocks.connect, call.clocks.first_token]
    if not plan.options[call.option].live:
        clocks += [call.clocks.idle, call.clocks.total]
    for clock in clocks:
        require(clock is not None and clock <= left, "3: a clock reaches past the deadline")


def calls_are_bounded(walk: Walk) -> None:
    """4. An option is called at most ``calls`` times, and never after it has answered."""
    calls = [0] * len(walk.plan.options)
    answered: set[int] = set()
    for moment in walk.moments:
        answered |= {answer.option for answer in moment.after.answers}
        for action in moment.actions:
            if isinstance(action, Call):
                calls[action.option] += 1
                require(action.option not in answered, "4: called again after it had answered")
    for option, made in zip(walk.plan.options, calls, strict=True):
        require(made <= option.calls, f"4: {option.rung} was called {made} times")


def nothing_refuted_leaves(walk: Walk) -> None:
    """5. A refuted or broken answer is never returned or stored, and never judged."""
    returned = _returned(walk)
    require(returned is None or returned.usable, "5: a refuted answer was returned")
    for moment in walk.moments:
        for action in moment.actions:
            if isinstance(action, Check):
                judged = _answer(moment, action.ref)
                require(judged is not None and judged.usable, "5: a refuted answer was judged")


def commits_are_final(walk: Walk) -> None:
    """6. At most one commit, of a live option; afterwards nothing else leaves or starts, and the
    outcome is accepted, broken or cancelled."""
    commits = [a.call for a in walk.actions if isinstance(a, Commit)]
    require(len(commits) <= 1, "6: two commits")
    if not commits:
        return
    [committed] = commits
    option = next(a.option for a in walk.actions if isinstance(a, Call) and a.call == committed)
    require(walk.plan.options[option].live, "6: a commit of an option that is not live")
    require(walk.plan.delivery != "whole", "6: a commit where the whole answer was wanted")
    after = walk.actions[walk.actions.index(Commit(committed)) + 1 :]
    require(not any(isinstance(a, Call | Check) for a in after), "6: a call after the commit")
    finish = walk.finish
    require(
        finish is not None and finish.outcome in ("accepted", "broken", "cancelled"),
        "6: a committed stream ended otherwise than accepted, broken or cancelled",
    )
    require(
        finish is None or finish.ref in (None, committed),
        "6: another answer than the committed one",
    )


def stored_means_accepted(walk: Walk) -> None:
    """7. Stored implies accepted, complete and storable."""
    finish, returned = walk.finish, _returned(walk)
    if finish is not None and finish.store:
        require(finish.outcome == "accepted", "7: stored without being accepted")
        require(returned is not None and returned.storable, "7: stored though not storable")
        require(returned is not None and not returned.declined, "7: a refusal was stored")


def answers_are_not_lost(walk: Walk) -> None:
    """8. A usable answer in hand is never lost to another call's failure."""
    finish = walk.finish
    if finish is None or any(isinstance(a, Commit) for a in walk.actions):
        return
    last = next(m for m in walk.moments if finish in m.actions)
    in_hand = any(answer.usable for answer in last.after.answers)
    if finish.outcome == "failed":
        lost = in_hand and walk.plan.at_the_end == "best_effort"
        require(not lost, "8: a usable answer in hand was lost")
    require(
        finish.outcome != "best_effort" or walk.plan.at_the_end == "best_effort",
        "8: a best effort though the plan asks for an error",
    )


def same_in_same_out(walk: Walk, rule: Rule) -> None:
    """9. The same inputs give the same outputs."""
    for moment in walk.moments:
        again = step(walk.plan, rule, moment.before, moment.event, moment.now)
        require(again == (moment.after, moment.actions), "9: the same inputs, other outputs")


def bases_are_true(walk: Walk) -> None:
    """10. Absent confidence clears no bar, and no basis claims what the answer did not show."""
    finish, returned = walk.finish, _returned(walk)
    if finish is None or finish.basis is None or returned is None:
        return
    require(finish.outcome == "accepted", "10: a basis without acceptance")
    bar = walk.plan.options[returned.option].bar
    reference = returned.option == walk.plan.reference
    require((finish.basis == "reference") == reference, "10: basis reference is not true")
    if finish.basis == "confidence":
        floor = None if bar is None else bar.confidence
        seen = returned.confidence
        require(
            floor is not None and seen is not None and seen >= floor,
            "10: accepted on a confidence that is absent or below the bar",
        )
    if finish.basis == "rule":
        rule = None if bar is None else bar.rule
        require(rule is not None, "10: accepted by a rule that does not exist")
        held = all(part.holds(returned.evidence) for part in rule or ())
        require(held, "10: accepted by a rule on evidence that is absent or does not hold")


def landed_calls_change_money_only(walk: Walk) -> None:
    """11. Events of calls already landed or cancelled change money and nothing else."""
    for moment in walk.moments:
        event = moment.event
        if not isinstance(event, Answered | Checked | Failed | Refused | Streamed):
            continue
        flights = {flight.call: flight for flight in moment.before.flights}
        flight = flights.get(event.call)
        if flight is not None and not flight.cancelled:
            continue
        require(not moment.actions, "11: a landed call's event led to an action")
        same = replace(
            moment.after,
            spent=moment.before.spent,
            overrun=moment.before.overrun,
            flights=moment.before.flights,
        )
        require(same == moment.before, "11: a landed call's event changed more than money")


LAWS: tuple[Callable[[Walk], None], ...] = (
    it_ends,
    money_holds,
    time_holds,
    calls_are_bounded,
    nothing_refuted_leaves,
    commits_are_final,
    stored_means_accepted,
    answers_are_not_lost,
    bases_are_true,
    landed_calls_change_money_only,
)


def check_walk(walk: Walk, rule: Rule | None = None) -> None:
    """Assert every law of the machine; with the rule, also that it is deterministic.

    Raises:
        LawBroken: with the number and the words of the law.
    """
    for law in LAWS:
        law(walk)
    if rule is not None:
        same_in_same_out(walk, rule)


def _returned(walk: Walk) -> Candidate | None:
    finish = walk.finish
    if finish is None or finish.ref is None:
        return None
    last = next(m for m in walk.moments if finish in m.actions)
    return _answer(last, finish.ref)


def _answer(moment: Moment, ref: int) -> Candidate | None:
    return next((answer for answer in moment.after.answers if answer.ref == ref), None)

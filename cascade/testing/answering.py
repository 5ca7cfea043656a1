"""Laws 5 to 8 and 10: which answers leave, how they are committed, stored, kept and justified."""

from __future__ import annotations

from cascade.policy.model import (
    Answered,
    Call,
    Candidate,
    Check,
    Commit,
    Finish,
    Left,
    Plan,
    Streamed,
    WakeAt,
)
from cascade.testing.account import Account
from cascade.testing.breach import LawBroken, require
from cascade.testing.world import Moment, Walk
from cascade.types import Basis, Outcome


def nothing_refuted_leaves(walk: Walk) -> None:
    """5. A refuted or broken answer is never returned or stored, and never judged."""
    finish, returned = walk.finish, _returned(walk)
    if finish is not None and finish.ref is not None:
        require(returned is not None, "5: an answer that never came was returned")
    require(returned is None or returned.usable, "5: a refuted answer was returned")
    judged: set[tuple[str, int]] = set()
    for moment in walk.moments:
        for action in moment.actions:
            if isinstance(action, Check):
                answer = _answer(moment.after.answers, action.ref)
                require(answer is not None and answer.usable, "5: a refuted answer was judged")
                require((action.check, action.ref) not in judged, "5: an answer was judged twice")
                judged.add((action.check, action.ref))


def commits_are_final(walk: Walk) -> None:
    """6. At most one commit, of a live option; afterwards nothing else leaves or starts, and the
    outcome is accepted, broken or cancelled: by what became of the stream."""
    account = Account()
    committed: Call | None = None
    for moment in walk.moments:
        account.land(moment.event)
        for action in moment.actions:
            if isinstance(action, Commit):
                require(committed is None, "6: two commits")
                committed = _check_commit(walk.plan, moment, action, account)
            elif committed is not None:
                started = isinstance(action, Call | Check | WakeAt)
                require(not started, "6: something started after the commit")
                if isinstance(action, Finish):
                    _check_end(moment, action, committed.call)
            account.perform(action)
        if committed is None:
            ends = [action.outcome for action in moment.actions if isinstance(action, Finish)]
            require("broken" not in ends, "6: broken without a commit")


def _check_commit(plan: Plan, moment: Moment, commit: Commit, account: Account) -> Call:
    others = [action for action in account.running if action.call != commit.call]
    call = next((action for action in account.running if action.call == commit.call), None)
    if not isinstance(call, Call):
        raise LawBroken("6: a commit of a call that is not under way")
    require(not others, "6: another call runs on beside the committed one")
    require(moment.event == Streamed(commit.call), "6: a commit without its first content")
    require(plan.options[call.option].live, "6: a commit of an option that is not live")
    require(plan.delivery != "whole", "6: a commit where the whole answer was wanted")
    return call


def _check_end(moment: Moment, finish: Finish, committed: int) -> None:
    event = moment.event
    expected: Outcome = "cancelled" if isinstance(event, Left) else "broken"
    if isinstance(event, Answered) and event.candidate.usable:
        expected = "accepted"
    ref = committed if expected == "accepted" else None
    require(finish.outcome == expected, f"6: a committed stream ended {finish.outcome}")
    require(finish.ref == ref, "6: another answer than the committed one")


def stored_means_accepted(walk: Walk) -> None:
    """7. Stored implies accepted, complete and storable; a live answer below its bar is not."""
    finish, returned = walk.finish, _returned(walk)
    if finish is None or not finish.store:
        return
    require(finish.outcome == "accepted", "7: stored without being accepted")
    if returned is None:
        raise LawBroken("7: stored, but nothing was returned")
    require(returned.storable and returned.usable, "7: stored though not storable")
    require(not returned.declined, "7: a refusal was stored")
    bar = walk.plan.options[returned.option].bar
    if finish.why == "committed" and finish.basis == "unchecked" and bar is not None:
        unsure = bar.is_unsure(returned.evidence, returned.confidence)
        require(unsure and bar.when_unsure == "accept", "7: a short answer was stored")


def answers_are_not_lost(walk: Walk) -> None:
    """8. A usable answer in hand is never lost to another call's failure, and the best of them
    is the one that is returned."""
    finish = walk.finish
    for moment in walk.moments:
        kept = [a.ref for a in moment.after.answers][: len(moment.before.answers)]
        require(kept == [a.ref for a in moment.before.answers], "8: an answer in hand vanished")
    if finish is None or any(isinstance(a, Commit) for a in walk.actions):
        return
    last = next(m for m in walk.moments if finish in m.actions)
    in_hand = [answer for answer in last.after.answers if answer.usable]
    with_answer = finish.outcome in ("accepted", "best_effort")
    require((finish.ref is not None) == with_answer, "8: an answer with the wrong outcome")
    if finish.outcome == "failed":
        lost = bool(in_hand) and walk.plan.at_the_end == "best_effort"
        require(not lost, "8: a usable answer in hand was lost")
    if finish.outcome == "best_effort":
        wanted = walk.plan.at_the_end == "best_effort"
        require(wanted, "8: a best effort though the plan asks for an error")
        returned = next(answer for answer in in_hand if answer.ref == finish.ref)
        better = any(_is_better(other, returned, in_hand) for other in in_hand)
        require(not better, "8: a better answer was in hand")
    left = isinstance(last.event, Left)
    require((finish.outcome == "cancelled") == left, "8: cancelled by nobody, or not by the caller")


def _is_better(other: Candidate, returned: Candidate, in_hand: list[Candidate]) -> bool:
    confident = [answer.confidence for answer in in_hand if answer.confidence is not None]
    if len(confident) == len(in_hand) and other.confidence != returned.confidence:
        return (other.confidence or 0.0) > (returned.confidence or 0.0)
    return other.option > returned.option


def bases_are_true(walk: Walk) -> None:
    """10. Absent confidence clears no bar, and no basis claims what the answer did not show."""
    finish, returned = walk.finish, _returned(walk)
    if finish is None:
        return
    accepted = finish.outcome == "accepted"
    require((finish.basis is not None) == accepted, "10: a basis goes with acceptance, and only so")
    if returned is not None and accepted:
        true = _basis(walk.plan, returned)
        require(finish.basis == true, f"10: the basis is {finish.basis}, and in truth {true}")


def _basis(plan: Plan, answer: Candidate) -> Basis:
    """What the answer was accepted on, by the words of the law."""
    if answer.option == plan.reference:
        return "reference"
    bar = plan.options[answer.option].bar
    if bar is not None and bar.confidence is not None:
        seen = answer.confidence
        return "unchecked" if seen is None or seen < bar.confidence else "confidence"
    if bar is not None and bar.rule is not None:
        held = all(part.holds(answer.evidence) for part in bar.rule)
        return "rule" if held else "unchecked"
    return "unchecked"


def _returned(walk: Walk) -> Candidate | None:
    finish = walk.finish
    if finish is None or finish.ref is None:
        return None
    last = next(m for m in walk.moments if finish in m.actions)
    return _answer(last.after.answers, finish.ref)


def _answer(answers: tuple[Candidate, ...], ref: int) -> Candidate | None:
    return next((answer for answer in answers if answer.ref == ref), None)

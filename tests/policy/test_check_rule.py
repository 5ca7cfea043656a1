"""``check_rule`` tells a sound rule from one that the machine merely survives."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest

from cascade.policy import Accept, Candidate, Choice, GiveUp, Threshold, Try, View, Wait
from cascade.testing import LawBroken, check_rule
from tests.policy.walking import WALKS


def climb(view: View, moves: tuple[Choice, ...], good: Callable[[Candidate], Any]) -> Choice:
    """Take the first good answer, else climb."""
    for answer in view.answers:
        if Accept(answer.ref) in moves and good(answer):
            return Accept(answer.ref)
    if view.waits:
        return Wait()
    return next((move for move in moves if isinstance(move, Try)), GiveUp())


def takes_two_to_agree(view: View, moves: tuple[Choice, ...]) -> Choice:
    """Sound: two answers above one's own bar, or the reference's."""
    high = {a.ref for a in view.answers if (a.evidence.mean_logprob or -9.0) >= -0.1}
    return climb(
        view, moves, lambda a: (len(high) > 1 and a.ref in high) or a.option == view.plan.reference
    )


def takes_absence_for_certainty(view: View, moves: tuple[Choice, ...]) -> Choice:
    return climb(view, moves, lambda a: (a.evidence.mean_logprob or 0.0) >= -0.15)


def takes_an_absent_confidence_for_one(view: View, moves: tuple[Choice, ...]) -> Choice:
    return climb(view, moves, lambda a: a.confidence is None or a.confidence >= 0.8)


def takes_an_absent_margin_for_a_wide_one(view: View, moves: tuple[Choice, ...]) -> Choice:
    margin = 2.0
    return climb(
        view,
        moves,
        lambda a: (margin if a.evidence.first_margin is None else a.evidence.first_margin) > 1.0,
    )


def divides_by_what_may_be_absent(view: View, moves: tuple[Choice, ...]) -> Choice:
    return climb(view, moves, lambda a: 1 / (a.confidence or 0) < 2)


def takes_what_is_refuted(view: View, moves: tuple[Choice, ...]) -> Choice:
    return Accept(view.answers[-1].ref) if view.answers else moves[0]


def calls_the_same_twice(view: View, moves: tuple[Choice, ...]) -> Choice:
    return GiveUp() if view.state.spent else Try(0)


def waits_for_nothing(view: View, moves: tuple[Choice, ...]) -> Choice:
    return Wait()


def forgets_to_answer(view: View, moves: tuple[Choice, ...]) -> Choice | None:
    return None if view.answers else moves[0]


class Remembers:
    """Answers by what it was asked before, not by what it sees."""

    def __init__(self) -> None:
        self._count = itertools.count()

    def __call__(self, view: View, moves: tuple[Choice, ...]) -> Choice:
        return moves[next(self._count) % len(moves)]


@pytest.mark.parametrize("rule", [Threshold(), takes_two_to_agree], ids=["ladder", "own"])
def test_a_sound_rule_passes(rule: Any) -> None:
    check_rule(rule, walks=min(WALKS, 300))


@pytest.mark.parametrize(
    ("rule", "finding"),
    [
        (takes_absence_for_certainty, "10: the rule takes absent evidence"),
        (takes_an_absent_confidence_for_one, "10: the rule takes absent evidence"),
        (takes_an_absent_margin_for_a_wide_one, "10: the rule takes absent evidence"),
        (divides_by_what_may_be_absent, "the rule raised ZeroDivisionError"),
        (takes_what_is_refuted, "which is not among"),
        (calls_the_same_twice, "the rule chose Try"),
        (waits_for_nothing, "the rule chose Wait"),
        (forgets_to_answer, "the rule chose None"),
        (Remembers(), "9: "),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_unsound_rule_is_caught_by_name(rule: Any, finding: str) -> None:
    with pytest.raises(LawBroken, match=re.escape(finding)):
        check_rule(rule, walks=500)

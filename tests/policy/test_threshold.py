"""The laws of ``Threshold``, the ladder that people expect."""

from __future__ import annotations

import math
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cascade.policy.machine import initial
from cascade.policy.model import Accept, Action, Candidate, Choice, Plan, Try, View, Wait
from cascade.policy.moves import GIVE_UP, WAIT, admissible
from cascade.policy.rules import Threshold, accepts
from cascade.testing import Walk, World, walk
from cascade.testing.strategies import plans, worlds
from cascade.types import Bar, Comparison, Evidence, Kind
from tests.policy.making import SURE, UNSURE, Hand, option, plan
from tests.policy.walking import walks

LADDER = Threshold()


class Asked(NamedTuple):
    """One question to the rule, and what it chose."""

    view: View
    moves: tuple[Choice, ...]
    choice: Choice

    @property
    def options(self) -> list[int]:
        """The options that it might have tried, in the order of the plan."""
        offered = [move.option for move in self.moves if isinstance(move, Try)]
        return sorted(offered, key=self.view.plan.order.index)

    @property
    def good(self) -> list[int]:
        """The answers in hand that it has to take, by the words of the law."""
        return [a.ref for a in self.view.answers if _is_good(self.view.plan, a)]

    @property
    def strongest(self) -> int:
        """The strongest option that has answered."""
        return max((answer.option for answer in self.view.answers), default=-1)


class Played(NamedTuple):
    """A walk under ``Threshold`` and all that it was asked."""

    walk: Walk
    asked: list[Asked]


@st.composite
def played(draw: st.DrawFn) -> Played:
    """A walk under ``Threshold``."""
    asked: list[Asked] = []

    def listening(view: View, moves: tuple[Choice, ...]) -> Choice:
        asked.append(Asked(view, moves, LADDER(view, moves)))
        return asked[-1].choice

    chosen = draw(plans())
    return Played(walk(chosen, listening, draw(worlds(chosen))), asked)


@st.composite
def whole_and_unhedged(draw: st.DrawFn) -> tuple[Plan, World]:
    """Nothing but bars decides: no cap, no deadline, no hedge, no stream, nobody leaves."""
    chosen = draw(plans(delivery="whole", capped=False))
    options = tuple(replace(option, hedge_after=None) for option in chosen.options)
    chosen = replace(chosen, options=options, deadline=math.inf)
    return chosen, replace(draw(worlds(chosen)), leaves=None)


@walks(200)
@given(played())
def test_first_calls_follow_the_order_of_the_plan_from_its_start(seen: Played) -> None:
    for asked in seen.asked:
        if isinstance(asked.choice, Try):
            above = [option for option in asked.options if option > asked.strongest]
            assert asked.choice.option == above[0]
    if seen.asked:
        assert seen.asked[0].choice == ([*map(Try, seen.asked[0].options), GIVE_UP])[0]


@walks(200)
@given(played())
def test_an_answer_is_accepted_if_and_only_if_its_bar_or_its_place_says_so(seen: Played) -> None:
    for asked in seen.asked:
        if isinstance(asked.choice, Accept):
            assert asked.choice.ref in asked.good
        else:
            assert not asked.good
    finish = seen.walk.finish
    assert finish is not None
    if finish.why == "rule":
        assert seen.asked[-1].choice == Accept(finish.ref if finish.ref is not None else -1)
        assert finish.outcome == "accepted"
    elif finish.why in ("gave_up", "cap"):
        assert seen.asked[-1].choice == GIVE_UP


@walks(200)
@given(played())
def test_it_gives_up_only_where_nothing_runs_and_nothing_stronger_is_left(seen: Played) -> None:
    for asked in seen.asked:
        above = [option for option in asked.options if option > asked.strongest]
        if asked.choice == GIVE_UP:
            assert not above
        assert asked.view.waits == (asked.choice == WAIT) or asked.good


@walks(200)
@given(played())
def test_the_order_leads_down_only_past_what_failed_was_refused_or_is_unaffordable(
    seen: Played,
) -> None:
    for asked in seen.asked:
        if not isinstance(asked.choice, Try):
            continue
        order = asked.view.plan.order
        for passed in order[: order.index(asked.choice.option)]:
            tally = asked.view.state.tallies[passed]
            lost = tally.over or bool(tally.failed)
            unaffordable = not tally.calls and passed not in asked.options
            assert passed < asked.choice.option or lost or unaffordable


@walks(200)
@given(played())
def test_a_short_answer_leads_up_only(seen: Played) -> None:
    for asked in seen.asked:
        if isinstance(asked.choice, Try):
            assert asked.choice.option > asked.strongest


@walks(200)
@given(whole_and_unhedged(), st.data())
def test_raising_a_bar_never_lowers_the_rung_of_an_accepted_answer(
    request_: tuple[Plan, World], data: st.DataObject
) -> None:
    """In one and the same world, with neither cap, deadline nor hedge in play."""
    chosen, world = request_
    place = data.draw(st.integers(0, len(chosen.options) - 1))
    raised = _raise(chosen.options[place].bar)
    options = tuple(
        replace(option, bar=raised) if index == place else option
        for index, option in enumerate(chosen.options)
    )
    before = _accepted_rung(walk(chosen, LADDER, world))
    after = _accepted_rung(walk(replace(chosen, options=options), LADDER, world))
    assert before is None or after is None or after >= before


@walks(200)
@given(whole_and_unhedged())
def test_evidence_that_no_bar_reads_changes_nothing(request_: tuple[Plan, World]) -> None:
    chosen, world = request_
    other = replace(
        world,
        reactions=tuple(
            tuple(
                replace(one, evidence=replace(one.evidence, p10_logprob=-9.0, first_margin=None))
                for one in script
            )
            for script in world.reactions
        ),
    )
    assert _told(walk(chosen, LADDER, world)) == _told(walk(chosen, LADDER, other))


# --- by example ---


def test_an_answer_that_clears_its_bar_is_accepted_at_its_rung() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.answer(0, evidence=SURE)
    assert (hand.finish.outcome, hand.finish.basis, hand.finish.ref) == ("accepted", "rule", 0)


def test_a_short_answer_climbs() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    assert hand.calls == [(1, 1, 0)]


def test_an_answer_without_evidence_climbs() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.answer(0)
    assert hand.calls == [(1, 1, 0)]


def test_without_evidence_it_is_taken_where_the_operator_says_accept_when_unsure() -> None:
    lenient = Bar(rule=(Comparison("mean_logprob", ">=", -0.15),), when_unsure="accept")
    hand = Hand(plan(option("small", bar=lenient), option("strong")))
    hand.begin()
    hand.answer(0)
    assert (hand.finish.outcome, hand.finish.basis) == ("accepted", "unchecked")


def test_evidence_below_the_bar_is_short_even_when_unsure_means_accept() -> None:
    lenient = Bar(rule=(Comparison("mean_logprob", ">=", -0.15),), when_unsure="accept")
    hand = Hand(plan(option("small", bar=lenient), option("strong")))
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    assert hand.calls == [(1, 1, 0)]


def test_a_confidence_below_its_bar_is_short_even_when_unsure_means_accept() -> None:
    for confidence, outcome in ((0.5, None), (None, "accepted")):
        lenient = Bar(confidence=0.8, when_unsure="accept")
        hand = Hand(plan(option("small", bar=lenient), option("strong")))
        hand.begin()
        hand.answer(0, confidence=confidence)
        assert hand.state.outcome == outcome


def test_a_refusal_is_short_whatever_its_evidence_says() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.answer(0, evidence=SURE, declined=True)
    assert hand.calls == [(1, 1, 0)]


def test_a_refusal_of_the_reference_is_a_best_effort() -> None:
    hand = Hand(plan(option("only")))
    hand.begin()
    hand.answer(0, evidence=SURE, declined=True)
    assert (hand.finish.outcome, hand.finish.ref, hand.finish.store) == ("best_effort", 0, False)


def test_the_reference_is_accepted_below_its_bar_too() -> None:
    hand = Hand(plan(option("only")))
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    assert (hand.finish.outcome, hand.finish.basis) == ("accepted", "reference")


def test_a_refuted_answer_of_the_reference_is_not_accepted() -> None:
    hand = Hand(plan(option("only")))
    hand.begin()
    hand.answer(0, evidence=SURE, usable=False)
    assert (hand.finish.outcome, hand.finish.ref) == ("failed", None)


def test_after_a_short_answer_it_does_not_go_down_again() -> None:
    hand = Hand(plan(option("small"), option("medium"), option("strong"), order=(1, 2, 0)))
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    assert hand.calls == [(1, 2, 0)]
    hand.answer(1, usable=False)
    assert (hand.finish.outcome, hand.finish.ref) == ("best_effort", 0)


def test_past_failures_the_order_may_lead_down() -> None:
    hand = Hand(plan(option("small"), option("strong"), order=(1, 0)))
    hand.begin()
    assert hand.calls == [(0, 1, 0)]
    hand.fail(0, Kind.FILTERED)
    assert hand.calls == [(1, 0, 0)]


def test_of_two_good_answers_the_stronger_is_accepted() -> None:
    chosen = plan(option("small"), option("medium"), option("strong"))
    view = _view(chosen, _candidate(0, SURE), _candidate(1, SURE))
    assert LADDER(view, _moves(view)) == Accept(1)


def test_while_something_runs_it_waits_rather_than_climb() -> None:
    chosen = plan()
    hand = Hand(chosen)
    hand.begin()
    view = View(chosen, hand.state, 0.0)
    assert LADDER(view, (Try(1), WAIT, GIVE_UP)) == Wait()


def test_accepts_wants_a_confidence_at_or_above_its_floor() -> None:
    chosen = plan(option("small", bar=Bar(confidence=0.8)), option("strong"))
    just_below = math.nextafter(0.8, 0)
    seen = {None: False, 0.0: False, just_below: False, 0.8: True, 1.0: True}
    for confidence, expected in seen.items():
        assert accepts(chosen, Candidate(0, 0, confidence=confidence)) is expected


# --- reading walks ---


def _is_good(chosen: Plan, answer: Candidate) -> bool:
    """The words of the law, without the rule's own code."""
    if not answer.usable or answer.declined:
        return False
    if answer.option == chosen.reference:
        return True
    bar = chosen.options[answer.option].bar
    if bar is None or bar.cleared_by(answer.evidence, answer.confidence) is not None:
        return True
    return bar.when_unsure == "accept" and bar.is_unsure(answer.evidence, answer.confidence)


def _raise(bar: Bar | None) -> Bar:
    """The same kind of bar, a little higher; where there was none, one that nothing clears."""
    if bar is None:
        return Bar()
    if bar.confidence is not None:
        return replace(bar, confidence=math.nextafter(bar.confidence, 2.0), when_unsure="climb")
    higher = tuple(
        replace(part, value=part.value + (0.01 if part.operator in (">", ">=") else -0.01))
        for part in bar.rule or ()
    )
    return replace(bar, rule=higher, when_unsure="climb") if higher else Bar()


def _accepted_rung(seen: Walk) -> int | None:
    finish = seen.finish
    if finish is None or finish.outcome != "accepted":
        return None
    answers = seen.moments[-1].after.answers
    return next(answer.option for answer in answers if answer.ref == finish.ref)


def _told(seen: Walk) -> list[tuple[float, tuple[Action, ...]]]:
    return [(moment.now, moment.actions) for moment in seen.moments]


def _candidate(option: int, evidence: Evidence) -> Candidate:
    return Candidate(ref=option, option=option, evidence=evidence)


def _view(chosen: Plan, *answers: Candidate) -> View:
    return View(chosen, replace(initial(chosen), answers=answers), 0.0)


def _moves(view: View) -> tuple[Choice, ...]:
    return admissible(view.plan, view.state, view.now)

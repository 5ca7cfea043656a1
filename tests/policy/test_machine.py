"""The machine, event by event: what it does when answers come."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cascade.policy.machine import initial
from cascade.policy.model import (
    Accept,
    Answered,
    Ask,
    Call,
    Cancel,
    Candidate,
    Check,
    Checked,
    Choice,
    Commit,
    Finish,
    Flight,
    GiveUp,
    Left,
    PaidCheck,
    Plan,
    Refused,
    State,
    Try,
    View,
    Wait,
    WakeAt,
)
from cascade.policy.moves import admissible
from cascade.types import Bar, Clocks, Kind
from tests.policy.making import SURE, UNSURE, Hand, offered, option, plan

# --- the first call ---


def test_the_first_call_goes_to_the_start_and_the_deadline_is_watched() -> None:
    hand = Hand(plan(option("small"), option("strong"), order=(1, 0), deadline=9.0))
    assert hand.begin(1.0) == (
        Call(0, 1, 0, Clocks(5.0, 8.0, 8.0, 8.0), hold=0, limit=100),
        WakeAt(9.0),
    )


def test_without_a_cap_nothing_is_held_and_the_callers_limit_stands() -> None:
    hand = Hand(plan(option("small", ceiling=None)))
    hand.begin()
    assert (hand.call.hold, hand.call.limit, hand.call.own_limit) == (0, None, False)


def test_a_request_whose_deadline_has_passed_ends_without_a_call() -> None:
    hand = Hand(plan(deadline=5.0))
    assert hand.begin(5.0) == (Finish("failed", why="deadline"),)


def test_clocks_are_cut_at_the_deadline_and_never_lengthened() -> None:
    own = Clocks(connect=1.0, first_token=20.0, idle=None, total=7.0)
    hand = Hand(plan(option("small", clocks=own), deadline=10.0))
    hand.begin(2.0)
    assert hand.call.clocks == Clocks(1.0, 8.0, 8.0, 7.0)


def test_a_live_answer_must_begin_by_the_deadline_and_then_has_its_own_clocks() -> None:
    own = Clocks(connect=20.0, first_token=20.0, idle=15.0, total=None)
    hand = Hand(plan(option("small", clocks=own, live=True), delivery="live", deadline=10.0))
    hand.begin()
    assert hand.call.clocks == Clocks(10.0, 10.0, 15.0, None)


def test_calls_are_numbered_in_order() -> None:
    hand = Hand(plan(option("small"), option("medium"), option("strong")))
    hand.begin()
    assert hand.calls == [(0, 0, 0)]
    hand.answer(0, evidence=UNSURE)
    assert hand.calls == [(1, 1, 0)]
    hand.answer(1, evidence=UNSURE)
    assert hand.calls == [(2, 2, 0)]
    assert [answer.ref for answer in hand.state.answers] == [0, 1]


# --- answers ---


def test_an_answer_is_known_by_its_call_and_option_whatever_the_event_says() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.tell(Answered(0, Candidate(ref=77, option=1, evidence=SURE), 5))
    assert hand.actions == (Finish("accepted", "rule", 0, store=True, why="rule"),)
    assert (hand.state.answers[0].ref, hand.state.answers[0].option) == (0, 0)
    assert (hand.state.spent, hand.state.outcome) == (5, "accepted")


def test_an_incomplete_answer_is_accepted_and_not_stored() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.answer(0, evidence=SURE, storable=False)
    assert hand.finish == Finish("accepted", "rule", 0, store=False, why="rule")


def test_a_refuted_answer_climbs_and_is_never_returned() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.answer(0, evidence=SURE, usable=False)
    assert hand.calls == [(1, 1, 0)]
    hand.fail(1, Kind.FILTERED)
    assert hand.finish == Finish("failed", why="gave_up")


def test_a_rung_without_a_bar_accepts_unchecked() -> None:
    hand = Hand(plan(option("small", bar=None), option("strong")))
    hand.begin()
    hand.answer(0)
    assert (hand.finish.outcome, hand.finish.basis) == ("accepted", "unchecked")


def test_a_confidence_is_its_own_basis() -> None:
    hand = Hand(plan(option("small", bar=Bar(confidence=0.9)), option("strong")))
    hand.begin()
    hand.answer(0, confidence=0.9)
    assert hand.finish.basis == "confidence"


def test_a_reference_that_cannot_be_had_leaves_a_best_effort() -> None:
    hand = Hand(plan(option("small"), option("strong"), reference=None))
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    hand.answer(1, evidence=UNSURE)
    assert hand.finish == Finish("best_effort", ref=1, why="gave_up")


# --- the end without acceptance ---


def test_the_stronger_rungs_answer_is_the_better_one() -> None:
    hand = Hand(plan(option("small"), option("medium"), option("strong")))
    hand.begin()
    hand.answer(0, evidence=UNSURE, confidence=0.9)
    hand.answer(1, evidence=UNSURE)
    hand.fail(2, Kind.FILTERED)
    assert hand.finish == Finish("best_effort", ref=1, why="gave_up")


def test_where_every_answer_has_a_confidence_the_most_probable_is_the_better_one() -> None:
    hand = Hand(plan(option("small"), option("medium"), option("strong")))
    hand.begin()
    hand.answer(0, evidence=UNSURE, confidence=0.6)
    hand.answer(1, evidence=UNSURE, confidence=0.5)
    hand.fail(2, Kind.FILTERED)
    assert hand.finish == Finish("best_effort", ref=0, why="gave_up")


def test_no_confidence_at_all_is_less_than_some() -> None:
    hand = Hand(plan(option("small"), option("medium"), option("strong")))
    hand.begin()
    hand.answer(0, evidence=UNSURE, confidence=0.1)
    hand.answer(1, evidence=UNSURE, confidence=0.0)
    hand.fail(2, Kind.FILTERED)
    assert hand.finish.ref == 0


def test_of_equally_probable_answers_the_stronger_rungs_is_the_better_one() -> None:
    hand = Hand(plan(option("small"), option("medium"), option("strong")))
    hand.begin()
    hand.answer(0, evidence=UNSURE, confidence=0.0)
    hand.answer(1, evidence=UNSURE, confidence=0.0)
    hand.fail(2, Kind.FILTERED)
    assert hand.finish.ref == 1


def test_a_plan_that_asks_for_an_error_gets_one_with_the_answers_kept() -> None:
    hand = Hand(plan(at_the_end="error"))
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    hand.fail(1, Kind.FILTERED)
    assert hand.finish == Finish("failed", why="gave_up")
    assert [answer.ref for answer in hand.state.answers] == [0]


def test_at_the_deadline_the_answer_in_hand_is_returned_and_the_call_cancelled() -> None:
    hand = Hand(plan(deadline=10.0))
    hand.begin()
    hand.answer(0, 1.0, evidence=UNSURE)
    assert hand.wake(10.0) == [Cancel(1), Finish("best_effort", ref=0, why="deadline")]
    assert hand.state.flights[0].cancelled


def test_a_timer_that_goes_off_early_is_set_again() -> None:
    hand = Hand(plan(deadline=10.0))
    hand.begin()
    assert hand.wake(9.9995) == [WakeAt(10.0)]


def test_a_waking_is_asked_for_once_only() -> None:
    hand = Hand(plan(option("small"), option("strong"), deadline=10.0))
    assert WakeAt(10.0) in hand.begin()
    assert WakeAt(10.0) not in hand.answer(0, evidence=UNSURE)


def test_a_rule_that_gives_up_gets_the_answer_in_hand() -> None:
    hand = Hand(plan(), lambda view, moves: GiveUp() if view.answers else moves[0])
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    assert hand.finish == Finish("best_effort", ref=0, why="gave_up")


# --- the caller leaves ---


def test_a_caller_who_leaves_cancels_what_runs() -> None:
    hand = Hand(plan())
    hand.begin()
    assert hand.tell(Left(), 1.0) == (Cancel(0), Finish("cancelled", why="left"))


def test_a_caller_who_leaves_a_committed_stream_cancels_it() -> None:
    hand = Hand(plan(option("only", live=True), delivery="live"))
    hand.begin()
    hand.stream(0, 1.0)
    assert hand.tell(Left(), 2.0) == (Cancel(0), Finish("cancelled", why="left"))


def test_after_the_end_nothing_is_done_and_late_bills_are_counted() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.tell(Left(), 1.0)
    assert hand.tell(Left(), 1.1) == ()
    assert hand.wake(1.2) == []
    assert hand.stream(0, 1.3) == []
    assert hand.answer(0, 1.4, evidence=SURE, cost=7) == []
    assert (hand.state.spent, hand.state.outcome, hand.state.answers) == (7, "cancelled", ())
    assert hand.fail(0, Kind.CALLER, 1.5, cost=1) == []
    assert hand.state.spent == 8


def test_a_request_that_has_ended_or_is_committed_does_not_begin_again() -> None:
    ended = Hand(plan())
    ended.begin()
    ended.tell(Left(), 1.0)
    assert ended.begin(2.0) == ()
    committed = Hand(plan(option("only", live=True), delivery="live"))
    committed.begin()
    committed.stream(0, 1.0)
    assert committed.begin(2.0) == ()


def test_events_of_calls_that_never_were_change_money_only() -> None:
    hand = Hand(plan())
    hand.begin()
    before = hand.state
    assert hand.answer(9, evidence=SURE, cost=3) == []
    assert hand.stream(9) == []
    assert hand.tell(Refused(9)) == ()
    assert hand.tell(Checked(9, SURE, 1.0, 2)) == ()
    assert hand.state.spent == 5
    assert (hand.state.flights, hand.state.tallies) == (before.flights, before.tallies)


# --- refused by the shared budget ---


def test_a_refused_call_costs_nothing_and_its_option_is_over() -> None:
    hand = Hand(plan(cap=10_000))
    hand.begin()
    assert hand.state.held > 0
    hand.tell(Refused(0))
    assert hand.calls == [(1, 1, 0)]
    assert (hand.state.spent, hand.state.tallies[0].over) == (0, True)


def test_when_every_call_is_refused_the_request_fails() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.tell(Refused(0))
    hand.tell(Refused(1))
    assert hand.finish == Finish("failed", why="gave_up")


# --- streams ---


def test_a_live_answer_commits_at_its_first_content_and_cancels_the_rest() -> None:
    hand = Hand(
        plan(option("small", offers=2, live=True, hedge_after=1.0), option("b"), delivery="live")
    )
    hand.begin()
    hand.wake(1.0)
    assert hand.calls == [(1, 0, 1)]
    assert hand.stream(1, 1.5) == [Cancel(0), Commit(1)]
    assert hand.state.committed == 1


def test_what_is_not_live_does_not_commit() -> None:
    hand = Hand(plan(delivery="verified"))
    hand.begin()
    assert hand.stream(0, 1.0) == []
    assert hand.state.committed is None


def test_content_that_comes_at_the_deadline_is_too_late_to_commit() -> None:
    hand = Hand(plan(option("only", live=True), delivery="live", deadline=10.0))
    hand.begin()
    assert hand.stream(0, 10.0) == []
    assert hand.wake(10.0) == [Cancel(0), Finish("failed", why="deadline")]


def test_a_committed_stream_is_not_cut_by_the_deadline() -> None:
    hand = Hand(plan(option("only", live=True), delivery="live", deadline=10.0))
    hand.begin()
    assert hand.stream(0, 9.9) == [Commit(0)]
    assert hand.wake(10.0) == []
    assert hand.answer(0, 30.0) == [Finish("accepted", "reference", 0, store=True, why="committed")]


def test_a_committed_stream_that_dies_is_broken_and_nothing_else_is_tried() -> None:
    hand = Hand(plan(option("small", offers=2, live=True), option("strong"), delivery="live"))
    hand.begin()
    hand.stream(0, 1.0)
    assert hand.fail(0, Kind.BROKEN, 2.0) == [Finish("broken", why="committed")]


def test_a_committed_stream_that_is_refuted_at_its_end_is_broken() -> None:
    hand = Hand(plan(option("only", live=True), delivery="live"))
    hand.begin()
    hand.stream(0, 1.0)
    assert hand.answer(0, 2.0, usable=False) == [Finish("broken", why="committed")]


def test_a_stream_that_dies_before_its_commit_is_tried_elsewhere_unseen() -> None:
    hand = Hand(plan(option("only", offers=2, live=True), delivery="live"))
    hand.begin()
    hand.fail(0, Kind.BROKEN, 1.0)
    assert hand.calls == [(1, 0, 1)]
    assert hand.stream(1, 2.0) == [Commit(1)]


def test_a_live_answer_below_its_bar_is_accepted_unchecked_and_not_stored() -> None:
    hand = Hand(plan(option("small", live=True), option("strong"), delivery="live"))
    hand.begin()
    hand.stream(0, 1.0)
    assert hand.answer(0, 2.0, evidence=UNSURE) == [
        Finish("accepted", "unchecked", 0, store=False, why="committed")
    ]


def test_a_live_answer_that_clears_its_bar_is_stored() -> None:
    hand = Hand(plan(option("small", live=True), option("strong"), delivery="live"))
    hand.begin()
    hand.stream(0, 1.0)
    assert hand.answer(0, 2.0, evidence=SURE) == [
        Finish("accepted", "rule", 0, store=True, why="committed")
    ]


def test_a_live_refusal_is_not_stored_even_from_the_reference() -> None:
    hand = Hand(plan(option("only", live=True), delivery="live"))
    hand.begin()
    hand.stream(0, 1.0)
    hand.answer(0, 2.0, declined=True)
    assert hand.finish == Finish("accepted", "reference", 0, store=False, why="committed")


def test_a_live_answer_that_comes_in_one_piece_is_asked_about_like_any_other() -> None:
    hand = Hand(plan(option("small", live=True), option("strong"), delivery="live"))
    hand.begin()
    hand.answer(0, 1.0, evidence=UNSURE)
    assert hand.calls == [(1, 1, 0)]


# --- paid checks ---

JUDGE = PaidCheck("judge", 30)


def _asks(view: View, moves: tuple[Choice, ...]) -> Choice:
    """A rule that has every answer judged before it takes it."""
    asks = [move for move in moves if isinstance(move, Ask)]
    sure = [a for a in view.answers if (a.confidence or 0.0) >= 0.5]
    tries = [move for move in moves if isinstance(move, Try)]
    if sure:
        return Accept(sure[0].ref)
    if view.waits:
        return Wait()
    rest: list[Choice] = [*asks, *tries, GiveUp()]
    return rest[0]


def test_a_paid_check_runs_under_its_hold_and_its_finding_replaces_what_was_known() -> None:
    hand = Hand(plan(checks=(JUDGE,), cap=1_000), _asks)
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    assert Check(1, "judge", 0, hold=30) in hand.actions
    assert hand.state.answers[0].asked == ("judge",)
    assert hand.state.flights == (Flight(1, 0, 0, 30, 0.0, hedged=True, check="judge", ref=0),)
    hand.tell(Checked(1, SURE, 0.7, 12))
    assert hand.finish == Finish("accepted", "rule", 0, store=True, why="rule")
    assert (hand.state.spent, hand.state.answers[0].confidence) == (12, 0.7)


def test_without_a_cap_a_paid_check_holds_nothing() -> None:
    hand = Hand(plan(checks=(JUDGE,)), _asks)
    hand.begin()
    hand.answer(0)
    assert Check(1, "judge", 0, hold=0) in hand.actions


def test_a_check_changes_its_own_answer_only() -> None:
    chosen = plan(option("small"), option("medium"), option("strong"), checks=(JUDGE,))
    hand = Hand(chosen, _asks)
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    hand.tell(Checked(1, UNSURE, 0.1, 0))
    assert hand.calls == [(2, 1, 0)]
    hand.answer(2, evidence=UNSURE)
    assert Check(3, "judge", 2, hold=0) in hand.actions
    hand.tell(Checked(3, SURE, 0.9, 0))
    assert [a.confidence for a in hand.state.answers] == [0.1, 0.9]
    assert hand.finish.ref == 2


@pytest.mark.parametrize("kind", [Kind.CALLER, Kind.OVERLOADED, Kind.AUTH])
def test_a_check_that_fails_is_asked_about_once_and_the_ladder_goes_on(kind: Kind) -> None:
    hand = Hand(plan(checks=(JUDGE,)), _asks)
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    hand.fail(1, kind, cost=3)
    assert hand.calls == [(2, 1, 0)]
    assert (hand.state.spent, hand.state.tallies[0].failed) == (3, ())


def test_a_refused_check_leaves_its_option_alone() -> None:
    hand = Hand(plan(checks=(JUDGE,)), _asks)
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    hand.tell(Refused(1))
    assert hand.calls == [(2, 1, 0)]
    assert not hand.state.tallies[0].over


def test_a_check_dearer_than_what_is_left_is_not_offered() -> None:
    for cap, affordable in ((41, False), (42, True)):
        chosen = plan(checks=(JUDGE,), cap=cap)
        state = _with_answers(chosen, Candidate(0, 0))
        runs = Flight(1, 1, 0, hold=5, since=0.0)
        state = replace(state, spent=7, flights=(runs,))
        assert (Ask("judge", 0) in offered(state, chosen)) is affordable


def test_a_check_is_asked_of_one_answer_and_stays_open_for_the_others() -> None:
    chosen = plan(checks=(JUDGE,))
    hand = Hand(chosen, lambda view, moves: Ask("judge", 1))
    hand.state = _with_answers(chosen, Candidate(0, 0), Candidate(1, 1))
    hand.begin()
    assert [answer.asked for answer in hand.state.answers] == [(), ("judge",)]


def test_a_check_has_no_hedge() -> None:
    chosen = plan(option("small", offers=2, hedge_after=1.0), option("strong"), checks=(JUDGE,))
    hand = Hand(chosen, _asks)
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    assert hand.wake(1.0) == [WakeAt(100.0)]


def test_a_finding_about_a_call_that_never_was_changes_no_answer() -> None:
    hand = Hand(plan(checks=(JUDGE,)), _asks)
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    assert hand.tell(Checked(9, SURE, 1.0, 0)) == ()
    assert hand.state.answers[0].evidence == UNSURE


def test_a_check_of_a_refuted_answer_is_not_offered() -> None:
    chosen = plan(checks=(JUDGE,))
    state = _with_answers(chosen, Candidate(0, 0, usable=False), Candidate(1, 1, asked=("judge",)))
    assert not [move for move in offered(state, chosen) if isinstance(move, Ask)]


def _with_answers(chosen: Plan, *answers: Candidate) -> State:
    return replace(initial(chosen), answers=answers)


# --- the rule ---


def test_an_answer_that_is_refuted_or_refused_cannot_be_accepted() -> None:
    chosen = plan()
    refuted, declined = Candidate(0, 0, usable=False), Candidate(1, 0, declined=True)
    state = _with_answers(chosen, refuted, declined, Candidate(2, 0))
    accepts = [move for move in offered(state, chosen) if isinstance(move, Accept)]
    assert accepts == [Accept(2)]


def test_options_that_were_called_are_not_offered_again() -> None:
    hand = Hand(plan())
    hand.begin()
    assert Try(0) not in offered(hand.state, hand.plan)
    assert Try(1) in offered(hand.state, hand.plan)


def test_at_the_deadline_nothing_is_offered_that_would_start_a_call() -> None:
    chosen = plan(checks=(JUDGE,), deadline=5.0)
    state = _with_answers(chosen, Candidate(0, 0))
    assert admissible(chosen, state, 5.0) == (Accept(0), GiveUp())
    assert len(admissible(chosen, state, 4.999)) == 5


def test_waiting_is_offered_while_something_runs_only() -> None:
    hand = Hand(plan())
    assert Wait() not in offered(hand.state, hand.plan)
    hand.begin()
    assert Wait() in offered(hand.state, hand.plan)


@pytest.mark.parametrize("choice", [None, "accept", Accept(0), Try(5), Wait(), Ask("judge", 0)])
def test_a_move_that_was_not_offered_counts_as_no_choice(choice: Choice | None) -> None:
    hand = Hand(plan(), lambda view, moves: choice)
    assert hand.begin() == (Finish("failed", why="gave_up"),)


def test_a_rule_that_raises_while_calls_run_waits() -> None:
    def raises(view: View, moves: tuple[Choice, ...]) -> Choice:
        if view.state.next_call:
            raise ZeroDivisionError
        return Try(0)

    hand = Hand(plan(option("small", hedge_after=1.0), option("strong")), raises)
    hand.begin()
    hand.wake(1.0)
    assert hand.calls == [(1, 1, 0)]
    assert hand.answer(0, 2.0, evidence=UNSURE) == []
    hand.answer(1, 3.0, evidence=UNSURE)
    assert hand.finish == Finish("best_effort", ref=1, why="gave_up")


def test_a_rule_may_accept_what_is_below_the_bar_and_the_basis_says_so() -> None:
    def takes_all(view: View, moves: tuple[Choice, ...]) -> Choice:
        return moves[0]

    hand = Hand(plan(), takes_all)
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    assert (hand.finish.outcome, hand.finish.basis) == ("accepted", "unchecked")


def test_the_rule_sees_the_time() -> None:
    seen: list[float] = []

    def looks(view: View, moves: tuple[Choice, ...]) -> Choice:
        seen.append(view.now)
        return moves[0]

    Hand(plan(), looks).begin(4.5)
    assert seen == [4.5]

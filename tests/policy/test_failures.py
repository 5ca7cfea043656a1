"""What the machine does about failures: other endpoints, retries, the next rung, or the end."""

from __future__ import annotations

import pytest

from cascade.policy.model import (
    Cancel,
    Choice,
    Finish,
    Refused,
    Tally,
    Try,
    View,
    WakeAt,
)
from cascade.policy.moves import WAIT
from cascade.policy.remedies import REMEDY, after_failure, offers_left, retry_delay
from cascade.types import Kind
from tests.policy.making import SURE, UNSURE, Hand, option, plan

AGAIN = [kind for kind in Kind if REMEDY[kind] == "again"]
ELSEWHERE = [kind for kind in Kind if REMEDY[kind] == "elsewhere"]
CLIMB = [kind for kind in Kind if REMEDY[kind] == "climb"]


def test_every_kind_of_failure_has_its_remedy() -> None:
    assert REMEDY == {
        Kind.CALLER: "stop",
        Kind.AUTH: "elsewhere",
        Kind.QUOTA: "elsewhere",
        Kind.MISSING: "elsewhere",
        Kind.TIMED_OUT: "elsewhere",
        Kind.TOO_LONG: "climb",
        Kind.FILTERED: "climb",
        Kind.UNSUPPORTED: "climb",
        Kind.LIMITED: "again",
        Kind.OVERLOADED: "again",
        Kind.UNAVAILABLE: "again",
        Kind.BROKEN: "again",
        Kind.MALFORMED: "again",
    }


def test_the_callers_own_mistake_ends_the_request_at_once() -> None:
    hand = Hand(plan(option("small", offers=2), option("strong")))
    hand.begin()
    assert hand.fail(0, Kind.CALLER) == [Finish("failed", why="caller")]


def test_the_callers_own_mistake_still_returns_the_answer_in_hand() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.answer(0, evidence=UNSURE)
    assert hand.fail(1, Kind.CALLER) == [Finish("best_effort", ref=0, why="caller")]


@pytest.mark.parametrize("kind", [*AGAIN, *ELSEWHERE])
def test_the_next_endpoint_is_called_at_once(kind: Kind) -> None:
    hand = Hand(plan(option("small", offers=2), option("strong")))
    hand.begin()
    hand.fail(0, kind, 1.0)
    assert hand.calls == [(1, 0, 1)]


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_without_another_endpoint_it_climbs_rather_than_try_again(kind: Kind) -> None:
    hand = Hand(plan())
    hand.begin()
    hand.fail(0, kind, 1.0)
    assert hand.calls == [(1, 1, 0)]
    assert hand.state.tallies[0].closed == (0,)


@pytest.mark.parametrize("kind", CLIMB)
def test_what_this_model_cannot_do_climbs_past_its_other_endpoints(kind: Kind) -> None:
    hand = Hand(plan(option("small", offers=3), option("strong")))
    hand.begin()
    hand.fail(0, kind, 1.0)
    assert hand.calls == [(1, 1, 0)]


@pytest.mark.parametrize("kind", AGAIN)
def test_what_may_pass_is_tried_again_after_a_while(kind: Kind) -> None:
    hand = Hand(plan())
    hand.begin()
    [wake] = hand.fail(0, kind, 1.0)
    assert isinstance(wake, WakeAt)
    assert 1.25 <= wake.at <= 3.0
    hand.wake(wake.at)
    assert hand.calls == [(1, 0, 0)]


def test_it_is_tried_again_twice_and_then_climbs() -> None:
    hand = Hand(plan(option("small", calls=9), option("strong")))
    hand.begin()
    now = 0.0
    for call in (0, 1):
        [wake] = hand.fail(call, Kind.OVERLOADED, now)
        assert isinstance(wake, WakeAt)
        now = wake.at
        hand.wake(now)
        assert hand.calls == [(call + 1, 0, 0)]
    hand.fail(2, Kind.OVERLOADED, now)
    assert hand.calls == [(3, 1, 0)]


def test_the_calls_of_an_option_bound_its_retries() -> None:
    hand = Hand(plan(option("small", calls=1), option("strong")))
    hand.begin()
    hand.fail(0, Kind.OVERLOADED)
    assert hand.calls == [(1, 1, 0)]


def test_a_retry_goes_to_the_endpoint_that_failed_least() -> None:
    hand = Hand(plan(option("small", offers=2, calls=9), option("strong")))
    hand.begin()
    hand.fail(0, Kind.OVERLOADED)
    [wake] = hand.fail(1, Kind.OVERLOADED)
    assert isinstance(wake, WakeAt)
    hand.wake(wake.at)
    assert hand.calls == [(2, 0, 0)]
    [wake] = hand.fail(2, Kind.OVERLOADED, wake.at)
    assert isinstance(wake, WakeAt)
    hand.wake(wake.at)
    assert hand.calls == [(3, 0, 1)]


def test_a_retry_that_would_come_at_the_deadline_is_not_waited_for() -> None:
    at = retry_delay(0, 0)
    for deadline, waits in ((at, False), (at + 0.001, True)):
        hand = Hand(plan(option("only"), deadline=deadline))
        hand.begin()
        hand.fail(0, Kind.OVERLOADED)
        assert (hand.state.outcome is None) is waits
        assert bool(hand.state.retries) is waits


def test_while_a_retry_waits_the_rule_is_not_asked_to_climb() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.fail(0, Kind.OVERLOADED)
    assert (hand.calls, hand.state.waits) == ([], True)


def test_a_retry_that_is_not_due_yet_waits_on() -> None:
    hand = Hand(plan())
    hand.begin()
    [wake] = hand.fail(0, Kind.OVERLOADED)
    assert isinstance(wake, WakeAt)
    assert hand.wake(wake.at - 0.0001) == [wake]
    assert hand.state.retries


# --- Retry-After ---


def test_a_short_retry_after_is_obeyed() -> None:
    hand = Hand(plan())
    hand.begin(10.0)
    assert hand.fail(0, Kind.LIMITED, 10.0, after=2.0) == [WakeAt(12.0)]


def test_a_retry_after_shorter_than_the_jitter_does_not_shorten_it() -> None:
    hand = Hand(plan())
    hand.begin()
    assert hand.fail(0, Kind.LIMITED, after=0.01) == [WakeAt(retry_delay(0, 0))]


def test_a_long_retry_after_closes_the_endpoint_for_now() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.fail(0, Kind.LIMITED, after=2.001)
    assert hand.calls == [(1, 1, 0)]


def test_a_retry_waits_as_long_as_any_of_its_endpoints_wants_to_be_left_alone() -> None:
    hand = Hand(plan(option("small", offers=2), option("strong")))
    hand.begin(5.0)
    hand.fail(0, Kind.LIMITED, 5.0, after=2.0)
    assert hand.calls == [(1, 0, 1)]
    assert hand.fail(1, Kind.OVERLOADED, 5.1) == [WakeAt(7.0)]
    hand.wake(7.0)
    assert hand.calls == [(2, 0, 0)]


def test_the_retry_after_of_a_closed_endpoint_holds_up_no_other() -> None:
    hand = Hand(plan(option("small", offers=2), option("strong")))
    hand.begin()
    hand.fail(0, Kind.OVERLOADED)
    assert hand.fail(1, Kind.LIMITED, after=60.0) == [WakeAt(retry_delay(0, 1))]
    hand.wake(2.0)
    assert hand.calls == [(2, 0, 0)]


def test_nothing_is_waited_for_that_could_not_be_paid() -> None:
    hand = Hand(plan(option("small", floor=100), option("strong", hold=0, price=0), cap=110))
    hand.begin()
    hand.fail(0, Kind.OVERLOADED, cost=1)
    assert hand.calls == [(1, 1, 0)]


def test_an_option_whose_twin_was_refuted_is_not_waited_for() -> None:
    hand = Hand(plan(option("small", offers=2, hedge_after=1.0), option("strong")))
    hand.begin()
    hand.wake(1.0)
    hand.answer(0, 2.0, usable=False)
    hand.fail(1, Kind.OVERLOADED, 3.0)
    assert hand.calls == [(2, 1, 0)]


# --- the arithmetic ---


def test_jitter_lies_between_a_quarter_and_two_seconds_and_follows_from_the_seed() -> None:
    delays = [retry_delay(seed, call) for seed in range(40) for call in range(40)]
    assert min(delays) >= 0.25
    assert max(delays) < 2.0
    assert min(delays) < 0.27
    assert max(delays) > 1.98
    assert len(set(delays)) > 1_500
    assert abs(sum(delays) / len(delays) - 1.125) < 0.05
    assert retry_delay(7, 3) == retry_delay(7, 3) != retry_delay(8, 3)


def test_jitter_is_splitmix64_as_published_and_seeds_wrap_at_64_bits() -> None:
    published = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F)
    expected = [0.25 + 1.75 * (word >> 11) / 2**53 for word in published]
    assert [retry_delay(0, call) for call in range(3)] == expected
    assert [retry_delay(2**64, call) for call in range(3)] == expected


def test_a_failure_is_noted_and_nothing_is_forgotten() -> None:
    before = Tally(calls=3, retries=1, failed=(1,), closed=(2,), answered=True, resume=4.0)
    after = after_failure(before, 0, Kind.OVERLOADED, 1.5, 10.0)
    assert after == Tally(
        calls=3, retries=1, failed=(1, 0), closed=(2,), answered=True, over=False, resume=11.5
    )
    assert after_failure(before, 0, Kind.AUTH, None, 10.0).closed == (2, 0)
    assert after_failure(before, 0, Kind.TOO_LONG, None, 10.0).over
    assert after_failure(Tally(over=True), 0, Kind.BROKEN, None, 10.0).over


def test_offers_that_failed_least_come_first_and_closed_or_busy_ones_not_at_all() -> None:
    three = option("small", offers=3)
    assert offers_left(three, Tally()) == [0, 1, 2]
    assert offers_left(three, Tally(failed=(0, 0, 1))) == [2, 1, 0]
    assert offers_left(three, Tally(closed=(1,))) == [0, 2]
    assert offers_left(three, Tally(), busy=(0,)) == [1, 2]
    assert offers_left(three, Tally(failed=(0,)), busy=(2,)) == [1, 0]


# --- hedges ---


def test_a_call_that_shows_nothing_for_too_long_gets_a_twin_at_another_endpoint() -> None:
    hand = Hand(plan(option("small", offers=2, hedge_after=1.0), option("strong")))
    assert WakeAt(3.0) in hand.begin(2.0)
    assert hand.wake(3.0)[-1] == WakeAt(100.0)
    assert hand.calls == [(1, 0, 1)]


def test_a_hedge_goes_to_the_next_option_where_there_is_no_other_endpoint() -> None:
    chosen = plan(
        option("small"), option("medium", hedge_after=1.0), option("strong"), order=(1, 2, 0)
    )
    hand = Hand(chosen)
    hand.begin()
    hand.wake(1.0)
    assert hand.calls == [(1, 2, 0)]


def test_a_hedge_never_goes_down_the_ladder() -> None:
    hand = Hand(plan(option("small"), option("strong", hedge_after=1.0), order=(1, 0)))
    hand.begin()
    assert hand.wake(1.0) == [WakeAt(100.0)]
    assert hand.calls == []


def test_a_hedge_leaves_an_endpoint_alone_that_has_just_failed() -> None:
    hand = Hand(plan(option("small", offers=2, hedge_after=0.25), option("strong")))
    hand.begin()
    hand.fail(0, Kind.LIMITED, 0.25, after=1.5)
    assert hand.calls == [(1, 0, 1)]
    hand.wake(0.5)
    assert hand.calls == [(2, 1, 0)]


def test_a_hedge_is_tried_once_even_where_nobody_could_be_called() -> None:
    hand = Hand(plan(option("only", hedge_after=1.0)))
    hand.begin()
    assert hand.wake(1.0) == [WakeAt(100.0)]
    assert hand.wake(2.0) == [WakeAt(100.0)]


def test_a_hedge_has_no_hedge_of_its_own() -> None:
    hand = Hand(plan(option("small", offers=3, hedge_after=1.0)))
    hand.begin()
    hand.wake(1.0)
    assert hand.calls == [(1, 0, 1)]
    hand.wake(2.5)
    assert hand.calls == []


def test_a_call_that_has_shown_its_first_content_is_not_hedged() -> None:
    hand = Hand(plan(option("small", offers=2, hedge_after=1.0), option("strong")))
    hand.begin()
    hand.stream(0, 0.5)
    assert hand.wake(1.0) == [WakeAt(100.0)]


def test_the_first_usable_answer_of_twins_cancels_the_other() -> None:
    hand = Hand(plan(option("small", offers=2, hedge_after=1.0), option("strong")))
    hand.begin()
    hand.wake(1.0)
    assert hand.answer(1, 1.5, evidence=SURE) == [
        Cancel(0),
        Finish("accepted", "rule", 1, store=True, why="rule"),
    ]
    hand.fail(0, Kind.BROKEN, 1.6, cost=4)
    assert (hand.state.spent, hand.state.flights) == (4, ())


def test_a_short_answer_cancels_its_twin_too_and_climbs() -> None:
    hand = Hand(plan(option("small", offers=2, hedge_after=1.0), option("strong")))
    hand.begin()
    hand.wake(1.0)
    actions = hand.answer(0, 1.5, evidence=UNSURE)
    assert actions[0] == Cancel(1)
    assert hand.calls == [(2, 1, 0)]


def test_a_refuted_answer_leaves_its_twin_running() -> None:
    hand = Hand(plan(option("small", offers=2, hedge_after=1.0), option("strong")))
    hand.begin()
    hand.wake(1.0)
    assert hand.answer(0, 1.5, usable=False) == []
    hand.answer(1, 2.0, evidence=SURE)
    assert hand.finish.ref == 1


def test_when_one_of_twins_fails_the_other_is_its_remedy() -> None:
    hand = Hand(plan(option("small", offers=3, hedge_after=1.0), option("strong")))
    hand.begin()
    hand.wake(1.0)
    assert hand.fail(0, Kind.OVERLOADED, 1.5) == []
    hand.fail(1, Kind.OVERLOADED, 1.6)
    assert hand.calls == [(2, 0, 2)]


def test_an_answer_waits_for_a_hedge_at_the_next_rung_only_if_it_is_short() -> None:
    for evidence, outcome in ((SURE, "accepted"), (UNSURE, None)):
        hand = Hand(plan(option("small", hedge_after=1.0), option("strong")))
        hand.begin()
        hand.wake(1.0)
        assert hand.calls == [(1, 1, 0)]
        hand.answer(0, 2.0, evidence=evidence)
        assert hand.state.outcome == outcome
        if outcome == "accepted":
            assert Cancel(1) in hand.actions


def test_a_hedge_that_was_refused_leaves_the_first_call_running() -> None:
    hand = Hand(plan(option("small", offers=2, hedge_after=1.0), option("strong")))
    hand.begin()
    hand.wake(1.0)
    assert hand.tell(Refused(1), 1.1) == ()
    hand.answer(0, 2.0, evidence=SURE)
    assert hand.finish.ref == 0


def test_a_failure_at_the_deadline_is_not_tried_elsewhere() -> None:
    hand = Hand(plan(option("small", offers=2), option("strong")))
    hand.begin()
    assert hand.fail(0, Kind.OVERLOADED, 100.0) == [Finish("failed", why="deadline")]


def test_a_failure_that_names_no_time_pauses_nobody() -> None:
    assert after_failure(Tally(), 0, Kind.OVERLOADED, None, 10.0).resume == 10.0
    assert after_failure(Tally(resume=3.0), 0, Kind.LIMITED, 2.5, 10.0).resume == 3.0


def test_a_cancelled_twin_that_answers_all_the_same_is_too_late() -> None:
    hand = Hand(
        plan(
            option("small", offers=2, hedge_after=1.0, live=True), option("strong"), delivery="live"
        )
    )
    hand.begin()
    hand.wake(1.0)
    hand.answer(0, 1.5, evidence=UNSURE)
    assert hand.calls == [(2, 1, 0)]
    assert hand.stream(1, 1.6) == []
    assert hand.answer(1, 1.7, evidence=SURE, cost=9) == []
    assert [answer.ref for answer in hand.state.answers] == [0]
    assert (hand.state.spent, hand.state.committed) == (9, None)


def test_all_that_is_due_at_one_waking_is_done() -> None:
    four = (
        option("a", hedge_after=1.0),
        option("b"),
        option("c", offers=2, hedge_after=4.0),
        option("d", offers=2, hedge_after=3.0),
    )
    hand = Hand(plan(*four), eager)
    hand.begin()
    hand.wake(1.0)
    hand.answer(1, 2.0, evidence=UNSURE)
    hand.answer(0, 3.0, evidence=UNSURE)
    assert [(flight.option, flight.since) for flight in hand.state.flights] == [(2, 2.0), (3, 3.0)]
    hand.wake(6.0)
    assert hand.calls == [(4, 2, 1), (5, 3, 1)]
    assert [(flight.since, flight.hedged) for flight in hand.state.flights[2:]] == [
        (6.0, True),
        (6.0, True),
    ]


def test_retries_and_hedges_that_are_due_together_all_start() -> None:
    four = (
        option("a", hedge_after=1.0, offers=1),
        option("b"),
        option("c", hedge_after=None),
        option("d", hedge_after=None),
    )
    hand = Hand(plan(*four), eager)
    hand.begin()
    hand.wake(1.0)
    hand.answer(1, 2.0, evidence=UNSURE)
    hand.answer(0, 2.0, evidence=UNSURE)
    hand.fail(2, Kind.OVERLOADED, 3.0)
    hand.fail(3, Kind.OVERLOADED, 3.0)
    assert [retry.option for retry in hand.state.retries] == [2, 3]
    hand.wake(6.0)
    assert hand.calls == [(4, 2, 0), (5, 3, 0)]
    assert hand.state.retries == ()


def test_a_retry_that_is_due_starts_beside_a_hedge() -> None:
    four = (
        option("a", hedge_after=1.0),
        option("b"),
        option("c"),
        option("d", offers=2, hedge_after=2.0),
    )
    hand = Hand(plan(*four), eager)
    hand.begin()
    hand.wake(1.0)
    hand.answer(1, 2.0, evidence=UNSURE)
    hand.answer(0, 2.0, evidence=UNSURE)
    hand.fail(2, Kind.OVERLOADED, 2.0)
    hand.wake(4.0)
    assert hand.calls == [(4, 2, 0), (5, 3, 1)]


def test_a_hedge_minds_the_endpoints_of_its_own_option_only() -> None:
    chosen = plan(option("a", offers=2, hedge_after=1.0), option("b", offers=2, hedge_after=1.0))
    hand = Hand(chosen, eager)
    hand.begin()
    hand.wake(1.0)
    assert hand.calls == [(1, 0, 1)]
    hand.answer(0, 2.0, usable=False)
    assert hand.calls == [(2, 1, 0)]
    hand.wake(3.0)
    assert hand.calls == [(3, 1, 1)]


def eager(view: View, moves: tuple[Choice, ...]) -> Choice:
    """A rule that calls all it can."""
    tries = [move for move in moves if isinstance(move, Try)]
    return tries[0] if tries else WAIT

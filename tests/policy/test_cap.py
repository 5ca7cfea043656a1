"""The cap: what is held, how an output limit shrinks, and when no call starts any more."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cascade.policy.model import Finish, GiveUp, Try
from cascade.types import Kind
from tests.policy.making import UNSURE, Hand, offered, option, plan


def test_a_call_holds_its_input_and_its_whole_output() -> None:
    hand = Hand(plan(option("only", hold=50, price=3, ceiling=100), cap=350))
    hand.begin()
    assert (hand.call.hold, hand.call.limit, hand.call.own_limit) == (350, 100, False)
    assert hand.state.held == 350


def test_a_hold_shrinks_the_output_limit_to_what_is_left_and_says_so() -> None:
    hand = Hand(plan(option("only", hold=50, price=3, ceiling=100), cap=349))
    hand.begin()
    assert (hand.call.hold, hand.call.limit, hand.call.own_limit) == (50 + 99 * 3, 99, True)


def test_without_a_ceiling_the_limit_is_what_the_cap_pays_for_and_our_own() -> None:
    hand = Hand(plan(option("only", hold=50, price=3, ceiling=None), cap=100))
    hand.begin()
    assert (hand.call.hold, hand.call.limit, hand.call.own_limit) == (98, 16, True)


def test_a_ceiling_of_our_own_is_our_own_limit() -> None:
    hand = Hand(plan(option("only", hold=0, price=1, own_ceiling=True), cap=1_000))
    hand.begin()
    assert (hand.call.limit, hand.call.own_limit) == (100, True)


def test_below_its_floor_an_option_is_skipped() -> None:
    for cap, calls in ((60, [(0, 0, 0)]), (59, [(0, 1, 0)])):
        hand = Hand(plan(option("a", hold=10, floor=50), option("b", hold=0, floor=1), cap=cap))
        hand.begin()
        assert hand.calls == calls


def test_a_cap_below_every_call_fails_and_says_why() -> None:
    hand = Hand(plan(option("only", hold=50), cap=49))
    assert hand.begin() == (Finish("failed", why="cap"),)


def test_a_rule_that_gives_up_at_once_is_not_blamed_on_the_cap() -> None:
    hand = Hand(plan(option("only", hold=50), cap=1_000), lambda view, moves: GiveUp())
    assert hand.begin() == (Finish("failed", why="gave_up"),)


def test_a_cap_that_runs_out_later_is_giving_up() -> None:
    hand = Hand(plan(option("a", floor=50), option("b", floor=50), cap=110))
    hand.begin()
    hand.answer(0, evidence=UNSURE, cost=60)
    assert hand.finish == Finish("best_effort", ref=0, why="gave_up")


@pytest.mark.parametrize(("hold", "price"), [(None, 1), (10, None), (None, None)])
def test_an_unknown_price_is_never_called_under_a_cap(hold: int | None, price: int | None) -> None:
    unknown = option("a", hold=hold, price=price)
    hand = Hand(plan(unknown, option("b"), cap=10_000))
    hand.begin()
    assert hand.calls == [(0, 1, 0)]
    free_of_caps = Hand(plan(unknown, option("b")))
    free_of_caps.begin()
    assert free_of_caps.calls == [(0, 0, 0)]


def test_free_output_is_not_limited_and_its_input_is_held() -> None:
    hand = Hand(plan(option("only", hold=7, price=0, ceiling=40), cap=7))
    hand.begin()
    assert (hand.call.hold, hand.call.limit, hand.call.own_limit) == (7, 40, False)


def test_free_output_takes_no_limit_of_our_own() -> None:
    hand = Hand(plan(option("only", hold=7, price=0, own_ceiling=True), cap=7))
    hand.begin()
    assert (hand.call.limit, hand.call.own_limit) == (None, False)


def test_what_runs_counts_against_the_cap_until_its_bill_comes() -> None:
    chosen = plan(option("a", hold=0), option("b", hold=0, floor=50), cap=149)
    hand = Hand(chosen)
    hand.begin()
    assert Try(1) not in offered(hand.state, chosen)
    hand.answer(0, evidence=UNSURE, cost=10)
    assert (hand.call.limit, hand.call.hold) == (100, 100)
    assert (hand.state.spent, hand.state.held) == (10, 100)


def test_a_cancelled_call_is_held_until_its_bill_comes() -> None:
    chosen = plan(option("a", offers=2, hold=0, hedge_after=1.0), option("b", hold=0), cap=250)
    hand = Hand(chosen)
    hand.begin()
    hand.wake(1.0)
    hand.answer(0, 2.0, evidence=UNSURE, cost=100)
    assert (hand.call.limit, hand.call.own_limit) == (50, True)


def test_a_bill_above_its_hold_is_recorded_whole_flagged_and_stops_further_calls() -> None:
    hand = Hand(plan(option("a", hold=0), option("b", hold=0, price=0), cap=150))
    hand.begin()
    hand.answer(0, evidence=UNSURE, cost=151)
    assert (hand.state.spent, hand.state.overrun) == (151, True)
    assert hand.finish == Finish("best_effort", ref=0, why="gave_up")


def test_a_bill_of_just_its_hold_is_no_overrun() -> None:
    hand = Hand(plan(option("a", hold=0), option("b", hold=0), cap=150))
    hand.begin()
    hand.answer(0, evidence=UNSURE, cost=100)
    assert not hand.state.overrun
    assert hand.call.limit == 50


def test_without_a_cap_no_bill_is_an_overrun() -> None:
    hand = Hand(plan())
    hand.begin()
    hand.fail(0, Kind.FILTERED, cost=10**9)
    assert (hand.state.spent, hand.state.overrun) == (10**9, False)


def test_the_affordable_endpoint_is_called_where_the_first_is_too_dear() -> None:
    one = option("only", offers=2, hold=50, price=1, floor=10)
    dear, cheap = one.offers
    chosen = replace(one, offers=(replace(dear, output_price=100), cheap))
    hand = Hand(plan(chosen, cap=100))
    hand.begin()
    assert hand.calls == [(0, 0, 1)]
    assert hand.call.limit == 50


def test_a_hedge_that_cannot_be_paid_is_left_out() -> None:
    hand = Hand(plan(option("a", offers=2, hold=0, floor=60, hedge_after=1.0), cap=150))
    hand.begin()
    hand.wake(1.0)
    assert hand.calls == []
    assert hand.state.outcome is None


def test_a_retry_whose_money_is_gone_when_it_is_due_gives_its_place_to_the_next_rung() -> None:
    chosen = plan(
        option("a", hold=0, floor=60, hedge_after=0.1),
        option("b", hold=0, floor=60, ceiling=60),
        option("c", hold=0, price=0),
        cap=160,
    )
    hand = Hand(chosen)
    hand.begin()
    hand.wake(0.1)
    assert hand.calls == [(1, 1, 0)]
    hand.fail(0, Kind.OVERLOADED, 0.2)
    hand.answer(1, 0.25, evidence=UNSURE, cost=150)
    hand.wake(2.3)
    assert hand.calls == [(2, 2, 0)]


def test_a_bill_of_a_call_that_nobody_knows_is_above_its_hold() -> None:
    hand = Hand(plan(cap=1_000))
    hand.begin()
    hand.fail(9, Kind.BROKEN, cost=1)
    assert (hand.state.spent, hand.state.overrun) == (1, True)

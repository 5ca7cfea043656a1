"""What health, habits and a warm conversation make of a plan."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from cascade.errors import RequestError, Unavailable
from cascade.policy.conditions import CALM, Conditions
from cascade.policy.health import Standing
from cascade.policy.model import Plan
from cascade.policy.plan import make_plan
from cascade.policy.quantiles import Habits, Histogram, add
from cascade.policy.switching import Warmth
from cascade.types import Bucket, Clocks, Decide, Kind, Ladder, Price, RateLimits, Request, Tool
from cascade.types.chat import ToolChoice
from tests.policy.test_plan import SIZE, endpoint, ladder, request, rung

NOW = 1_000_000.0
CLOSED = Standing(failures=5, last=Kind.UNAVAILABLE, closed_until=NOW + 3.2, changed_at=NOW)
LATER = replace(CLOSED, closed_until=NOW + 60)
PAIR = rung("pair", endpoint("a/pair"), endpoint("b/pair"))


def planned(on: Ladder | None = None, asked: Request | None = None, **known: Any) -> Plan:
    """A plan under these conditions."""
    decide = known.pop("decide", Decide())
    stream = known.pop("stream", False)
    level = known.pop("level", "moderate")
    return make_plan(
        asked or request(),
        on or ladder(),
        decide,
        level=level,
        size=SIZE,
        stream=stream,
        now=0.0,
        seed=0,
        conditions=replace(CALM, now=NOW, **known),
    )


def offers(plan: Plan) -> list[list[str]]:
    """The endpoints of each option."""
    return [[offer.endpoint for offer in option.offers] for option in plan.options]


def samples(*values: float) -> Histogram:
    """A histogram of these."""
    made = Histogram()
    for value in values:
        made = add(made, value)
    return made


def test_a_closed_endpoint_is_left_out_of_its_option() -> None:
    plan = planned(ladder(PAIR, rung("strong")), standings={"a/pair": CLOSED})
    assert offers(plan) == [["b/pair"], ["p/strong"]]


def test_a_rung_whose_endpoints_are_all_closed_is_no_option() -> None:
    plan = planned(ladder(rung("small"), rung("strong")), standings={"p/small": CLOSED})
    assert [option.rung for option in plan.options] == ["strong"]
    assert plan.reference == 0


def test_health_never_makes_another_rung_the_reference() -> None:
    plan = planned(ladder(rung("small"), rung("strong")), standings={"p/strong": CLOSED})
    assert [option.rung for option in plan.options] == ["small"]
    assert plan.reference is None
    assert plan.options[0].bar is not None


def test_when_all_are_closed_it_fails_at_once_and_says_of_each_why_and_until_when() -> None:
    closed = {"p/small": CLOSED, "p/strong": LATER}
    with pytest.raises(Unavailable) as caught:
        planned(ladder(rung("small"), rung("strong")), standings=closed)
    told = str(caught.value)
    assert "p/small is closed for 3.2 s more after 5 failures in a row" in told
    assert "p/strong is closed for 60.0 s more" in told
    assert caught.value.retry_after == pytest.approx(3.2)
    assert caught.value.attempts == ()


def test_an_endpoint_that_has_told_that_nothing_is_left_comes_last() -> None:
    drained = Standing(limits=RateLimits(requests=Bucket(0, NOW + 20)), limits_at=NOW)
    plan = planned(ladder(PAIR, rung("strong")), standings={"a/pair": drained})
    assert offers(plan)[0] == ["b/pair", "a/pair"]


def test_least_pending_goes_to_the_endpoint_with_the_fewest_calls() -> None:
    pair = replace(PAIR, balance="least_pending")
    plan = planned(ladder(pair, rung("strong")), pending={"a/pair": 3, "b/pair": 1})
    assert offers(plan)[0] == ["b/pair", "a/pair"]


def test_a_learned_hedge_waits_for_the_p95_of_the_first_token() -> None:
    fast = Habits(first_token=samples(*[0.5] * 30))
    on = ladder(replace(PAIR, hedge_learned=True), rung("strong"))
    plan = planned(on, habits={"a/pair": fast})
    assert plan.options[0].hedge_after == pytest.approx(0.5, rel=0.1)
    assert planned(on).options[0].hedge_after is None


def test_a_model_known_to_think_longer_gets_a_longer_first_token_clock() -> None:
    slow = Habits(first_token=samples(*[25.0] * 30))
    plan = planned(ladder(PAIR, rung("strong")), habits={"a/pair": slow})
    clock = plan.options[0].clocks.first_token
    assert clock is not None
    assert clock > 60


def test_the_operators_own_first_token_clock_stands() -> None:
    slow = Habits(first_token=samples(*[25.0] * 30))
    own = replace(PAIR, clocks=Clocks(first_token=8.0), first_token_set=True)
    plan = planned(ladder(own, rung("strong")), habits={"a/pair": slow})
    assert plan.options[0].clocks.first_token == 8.0


def test_a_cap_leaves_room_for_the_learned_length_of_answers() -> None:
    long = Habits(output_tokens=samples(*[900.0] * 30))
    asked = request(max_cost=1.0)
    plan = planned(ladder(PAIR, rung("strong")), asked, habits={"a/pair": long})
    assert plan.options[0].floor == pytest.approx(900, rel=0.1)
    assert plan.options[1].floor == Decide().min_output


# --- conversations ---

DEAR = Price(input=20, cached=1, cache_write=20, output=50)
CHEAP_THEN_DEAR = ladder(
    rung("small", endpoint("p/small", price=Price(10, 10, 10, 10))),
    rung("strong", endpoint("p/strong", price=DEAR)),
    starts=(0, 0, 0),
)
WARM = Warmth("strong", "p/strong", tokens=10_000, until=NOW + 60, turns=8, climbs=8)


def test_a_warm_conversation_begins_where_it_was_answered() -> None:
    assert planned(CHEAP_THEN_DEAR, warmth=WARM).order[0] == 1


def test_one_that_has_cooled_down_begins_where_its_level_says() -> None:
    assert planned(CHEAP_THEN_DEAR, warmth=replace(WARM, until=NOW)).order[0] == 0


def test_a_conversation_never_begins_below_its_level() -> None:
    below = replace(WARM, rung="small", endpoint="p/small")
    on = ladder(*CHEAP_THEN_DEAR.rungs, starts=(1, 1, 1))
    assert planned(on, warmth=below).order[0] == 1


def test_the_endpoint_that_keeps_the_prefix_is_called_first() -> None:
    warm = Warmth("pair", "b/pair", tokens=5_000, until=NOW + 60)
    assert offers(planned(ladder(PAIR, rung("strong")), warmth=warm))[0] == ["b/pair", "a/pair"]


def test_a_prefix_at_a_closed_endpoint_moves_nobody() -> None:
    plan = planned(CHEAP_THEN_DEAR, warmth=WARM, standings={"p/strong": CLOSED})
    assert [option.rung for option in plan.options] == ["small"]


# --- tools that only the strongest may call ---

CAREFUL = Decide(strong_for_tools=frozenset({"refund"}))
TOOLS = (Tool("refund"), Tool("look_up"))


FORCED = request(tools=TOOLS, tool_choice=ToolChoice("function", "refund"))


def test_a_request_that_demands_a_reserved_tool_goes_to_the_last_rung_only() -> None:
    plan = planned(asked=FORCED, decide=CAREFUL)
    assert [option.rung for option in plan.options] == ["strong"]


def test_where_the_last_rung_is_not_open_a_demanded_reserved_tool_is_refused_by_name() -> None:
    for asked in (replace(FORCED, rung="small"), replace(FORCED, stop=("x",))):
        on = ladder(rung("small"), rung("strong", endpoint("p/strong", lacks=frozenset({"stop"}))))
        with pytest.raises(RequestError, match="only strong may call it"):
            planned(on, asked, decide=CAREFUL)


def test_a_pinned_weak_rung_is_held_while_a_reserved_tool_is_offered() -> None:
    for pinned, live in (("small", False), ("strong", True)):
        asked = request(tools=TOOLS, rung=pinned)
        plan = planned(asked=asked, decide=CAREFUL, stream=True)
        assert [option.live for option in plan.options] == [live]


def test_a_warm_rung_whose_answer_could_not_be_accepted_moves_nobody() -> None:
    silent = rung("medium", endpoint("p/medium", price=DEAR, lacks=frozenset({"logprobs"})))
    on = ladder(CHEAP_THEN_DEAR.rungs[0], silent, rung("strong"), starts=(0, 0, 0))
    plan = planned(on, warmth=replace(WARM, rung="medium", endpoint="p/medium"))
    assert plan.order == (0, 2, 1)


def test_a_request_that_merely_offers_it_starts_where_its_level_says() -> None:
    assert planned(asked=request(tools=TOOLS), decide=CAREFUL).order[0] == 0


def test_no_weaker_rung_streams_live_while_a_reserved_tool_is_offered() -> None:
    asked = request(tools=TOOLS, delivery="live")
    plan = planned(asked=asked, decide=CAREFUL, stream=True)
    assert [option.live for option in plan.options] == [False, False, True]
    free = planned(asked=request(tools=TOOLS[1:], delivery="live"), decide=CAREFUL, stream=True)
    assert [option.live for option in free.options] == [True, True, True]


def test_nothing_known_changes_nothing() -> None:
    assert planned() == planned(standings={}, habits={}, pending={})
    assert Conditions() == CALM

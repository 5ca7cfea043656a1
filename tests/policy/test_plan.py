"""The plan: which rungs are open to a request, in which order, under which limits."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec.structs import replace

from cascade.errors import RequestError, TooLong, UnsupportedParameter
from cascade.policy.model import Plan
from cascade.policy.openness import Size, strongest_open
from cascade.policy.options import UNKNOWN_CEILING, bar_for
from cascade.policy.parameters import ADVISORY, BINDING, PARAMETERS, dropped, hindrance
from cascade.policy.plan import make_plan
from cascade.types import (
    LEVELS,
    Bar,
    Clocks,
    Comparison,
    Decide,
    Endpoint,
    Image,
    Ladder,
    Level,
    Message,
    Price,
    Request,
    ResponseFormat,
    Rung,
    Text,
    Tool,
)

PRICE = Price(input=2, cached=1, cache_write=3, output=5)
SIMPLE, MODERATE, COMPLEX = (Bar(rule=(Comparison("mean_logprob", ">=", v),)) for v in (-3, -2, -1))
SIZE = Size(100, lambda: 40)


def endpoint(name: str, **settings: Any) -> Endpoint:
    """An endpoint with a price and wide enough for everything."""
    known: dict[str, Any] = {"price": PRICE, "context": 1_000, **settings}
    return Endpoint(name=name, provider="p", model=name, base_url="http://p", **known)


def rung(name: str, *endpoints: Endpoint, **settings: Any) -> Rung:
    """A rung with one endpoint of its own name, unless others are given."""
    return Rung(name, endpoints or (endpoint(f"p/{name}"),), **settings)


def ladder(*rungs: Rung, starts: tuple[int, int, int] = (0, 0, 1)) -> Ladder:
    """A ladder whose bars depend on the level, and the last of which has none."""
    made = rungs or (rung("small"), rung("medium"), rung("strong"))
    bars = {
        level: (*(bar,) * (len(made) - 1), None)
        for level, bar in zip(LEVELS, (SIMPLE, MODERATE, COMPLEX), strict=True)
    }
    return Ladder("default", made, bars, dict(zip(LEVELS, starts, strict=True)), b"")


def request(text: str = "hello", **settings: Any) -> Request:
    """A short question."""
    return Request(messages=(Message("user", text),), **settings)


def planned(
    asked: Request | None = None,
    on: Ladder | None = None,
    decide: Decide | None = None,
    *,
    level: Level = "moderate",
    size: Size = SIZE,
    stream: bool = False,
) -> Plan:
    """The plan of a request."""
    return make_plan(
        asked or request(),
        on or ladder(),
        decide or Decide(),
        level=level,
        size=size,
        stream=stream,
        now=1_000.0,
        seed=42,
    )


def rungs_of(plan: Plan) -> list[str]:
    """The rungs in the order of first calls."""
    return [plan.options[index].rung for index in plan.order]


IMAGE = Image("https://example.org/cat.png")
PICTURED = Request(messages=(Message("user", (Text("what is this?"), IMAGE)),))


# --- order, start, bars ---


def test_a_plan_holds_the_ladder_from_cheapest_to_strongest_with_the_last_for_a_reference() -> None:
    plan = planned()
    assert [option.rung for option in plan.options] == ["small", "medium", "strong"]
    assert (plan.reference, plan.order, plan.seed) == (2, (0, 1, 2), 42)
    assert [option.bar for option in plan.options] == [MODERATE, MODERATE, None]
    assert (plan.cap, plan.delivery, plan.at_the_end, plan.deadline) == (
        None,
        "whole",
        "best_effort",
        1_120.0,
    )


@pytest.mark.parametrize(
    ("level", "bar", "order"),
    [
        ("simple", SIMPLE, ["small", "medium", "strong"]),
        ("moderate", MODERATE, ["small", "medium", "strong"]),
        ("complex", COMPLEX, ["medium", "strong", "small"]),
    ],
)
def test_the_level_chooses_the_start_and_the_bars(level: Level, bar: Bar, order: list[str]) -> None:
    plan = planned(level=level)
    assert rungs_of(plan) == order
    assert plan.options[0].bar == bar


def test_what_lies_below_the_start_comes_last_and_the_strongest_of_it_first() -> None:
    four = ladder(*map(rung, "abcd"), starts=(2, 2, 2))
    assert rungs_of(planned(on=four)) == ["c", "d", "b", "a"]


def test_a_rungs_own_settings_are_its_options() -> None:
    own = rung("small", clocks=Clocks(1.0, 2.0, 3.0, 4.0), calls=7, hedge=0.5)
    option = planned(on=ladder(own, rung("strong"))).options[0]
    assert (option.clocks, option.calls, option.hedge_after) == (
        Clocks(1.0, 2.0, 3.0, 4.0),
        7,
        0.5,
    )
    assert [offer.endpoint for offer in option.offers] == ["p/small"]


def test_the_best_quality_starts_at_the_reference_and_takes_nothing_else_unless_it_must() -> None:
    plan = planned(request(quality="best"))
    assert rungs_of(plan) == ["strong", "medium", "small"]
    assert [option.bar for option in plan.options] == [Bar(), Bar(), None]


def test_the_cheapest_quality_takes_the_first_sound_answer() -> None:
    plan = planned(request(quality="cheapest"), level="complex")
    assert rungs_of(plan) == ["small", "medium", "strong"]
    assert {option.bar for option in plan.options} == {None}


def test_a_pinned_rung_is_a_ladder_of_its_own_and_its_own_reference() -> None:
    plan = planned(request(rung="medium"), level="complex")
    assert [option.rung for option in plan.options] == ["medium"]
    assert (plan.reference, plan.order, plan.options[0].bar) == (0, (0,), None)


def test_a_bar_is_known_without_a_plan() -> None:
    assert bar_for(request(), ladder(), "simple", 1) == SIMPLE
    assert bar_for(request(quality="cheapest"), ladder(), "simple", 0) is None
    assert bar_for(request(quality="best"), ladder(), "simple", 1) == Bar()
    assert bar_for(request(quality="best"), ladder(), "simple", 2) is None


# --- deadline, cap, end ---


def test_the_requests_own_deadline_and_cap_win() -> None:
    decide = Decide(deadline=5.0, max_cost=7, at_the_end="error")
    mine = planned(request(deadline=0.5, max_cost=0.01), decide=decide)
    assert (mine.deadline, mine.cap) == (1_000.5, 10**10)
    theirs = planned(decide=decide)
    assert (theirs.deadline, theirs.cap, theirs.at_the_end) == (1_005.0, 7, "error")


def test_a_cap_of_nothing_is_a_cap() -> None:
    assert planned(request(max_cost=0.0)).cap == 0


# --- parameters ---


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("tools", request(tools=(Tool("f"),))),
        ("images", PICTURED),
        ("response_format", request(response_format=ResponseFormat("json_object"))),
        ("stop", request(stop=("END",))),
        ("logprobs", request(logprobs=True)),
    ],
)
def test_a_rung_that_lacks_a_binding_parameter_is_no_option(name: str, asked: Request) -> None:
    plain = rung("small", endpoint("p/small", lacks=frozenset({name})))
    plan = planned(asked, ladder(plain, rung("strong")))
    assert [option.rung for option in plan.options] == ["strong"]
    assert [o.rung for o in planned(on=ladder(plain, rung("strong"))).options] == [
        "small",
        "strong",
    ]
    with pytest.raises(UnsupportedParameter) as caught:
        planned(asked, ladder(plain, plain))
    assert (caught.value.place, caught.value.value) == (name, None)
    assert str(caught.value) == (
        f"{name}: no rung of the ladder takes it. Leave it out or choose another ladder."
    )


def test_what_no_rung_takes_is_named_by_what_the_strongest_lacks() -> None:
    lacking = [
        rung(name, endpoint(f"p/{name}", lacks=frozenset({name})))
        for name in ("tools", "images", "stop")
    ]
    asked = replace(PICTURED, tools=(Tool("f"),), stop=("x",))
    with pytest.raises(UnsupportedParameter) as caught:
        planned(asked, ladder(*lacking))
    assert caught.value.place == "stop"


def test_plain_text_as_a_response_format_binds_nobody() -> None:
    plain = rung("small", endpoint("p/small", lacks=frozenset({"response_format"})))
    asked = request(response_format=ResponseFormat("text"))
    assert len(planned(asked, ladder(plain, rung("strong"))).options) == 2


def test_the_endpoints_of_a_rung_that_can_take_the_request_are_its_offers() -> None:
    able, unable = endpoint("a/m"), endpoint("b/m", lacks=frozenset({"tools"}))
    plan = planned(request(tools=(Tool("f"),)), ladder(rung("m", unable, able), rung("strong")))
    assert [offer.endpoint for offer in plan.options[0].offers] == ["a/m"]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("temperature", request(temperature=0.0)),
        ("top_p", request(top_p=0.0)),
        ("seed", request(seed=0)),
        ("presence_penalty", request(presence_penalty=0.0)),
        ("frequency_penalty", request(frequency_penalty=0.0)),
        ("logit_bias", request(logit_bias=(("1", 2.0),))),
        ("reasoning_effort", request(reasoning_effort="low")),
        ("user", request(user="")),
    ],
)
def test_an_advisory_parameter_closes_no_rung_and_is_listed_as_dropped(
    name: str, asked: Request
) -> None:
    lacks = frozenset({name})
    plan = planned(asked, ladder(rung("only", endpoint("p/only", lacks=lacks))))
    assert len(plan.options) == 1
    assert dropped(asked, lacks) == (name,)
    assert dropped(request(), lacks) == ()
    assert dropped(asked, frozenset()) == ()
    assert dropped(asked, frozenset({"tools"})) == ()
    assert hindrance(asked, lacks) is None


def test_parameters_are_either_advisory_or_binding() -> None:
    assert not set(ADVISORY) & set(BINDING)
    assert set(ADVISORY) | set(BINDING) == PARAMETERS
    assert hindrance(request(stop=("x",)), frozenset()) is None
    both = request(stop=("x",), tools=(Tool("f"),))
    assert hindrance(both, frozenset({"stop", "tools"})) == "tools"
    advisory = request(temperature=1.0, top_p=1.0)
    assert dropped(advisory, frozenset(ADVISORY)) == ("temperature", "top_p")


# --- context windows ---


def test_a_prompt_that_does_not_fit_a_window_leaves_the_rung_out() -> None:
    narrow = rung("small", endpoint("p/small", context=40))
    plan = planned(on=ladder(narrow, rung("strong")))
    assert [option.rung for option in plan.options] == ["strong"]


def test_a_prompt_is_counted_only_where_its_bound_does_not_fit() -> None:
    def count() -> int:
        raise AssertionError("counted without need")

    planned(size=Size(999, count))
    with pytest.raises(AssertionError, match="without need"):
        planned(size=Size(1_000, count))


def test_a_counted_prompt_must_leave_room_for_at_least_a_token() -> None:
    for context, fits in ((41, True), (40, False)):
        narrow = rung("small", endpoint("p/small", context=context))
        plan = planned(on=ladder(narrow, rung("strong")))
        assert (len(plan.options) == 2) is fits


def test_images_count_towards_the_window() -> None:
    for tokens, fits in ((60, True), (61, False)):
        pictures = rung("small", endpoint("p/small", context=101, image_tokens=tokens))
        plan = planned(PICTURED, ladder(pictures, rung("strong")), size=Size(1_000, lambda: 40))
        assert (len(plan.options) == 2) is fits
    unknown = rung("small", endpoint("p/small", context=101))
    tight = Size(100, lambda: 101)
    assert len(planned(PICTURED, ladder(unknown, rung("strong")), size=tight).options) == 2
    pictures = rung("small", endpoint("p/small", context=101, image_tokens=60))
    assert len(planned(PICTURED, ladder(pictures, rung("strong")), size=tight).options) == 1
    bound = rung("small", endpoint("p/small", context=161, image_tokens=60))
    counted = Size(100, lambda: 10**6)
    assert len(planned(PICTURED, ladder(bound, rung("strong")), size=counted).options) == 2


def test_an_unknown_window_holds_everything() -> None:
    unknown = rung("small", endpoint("p/small", context=None))
    assert len(planned(on=ladder(unknown), size=Size(10**9, lambda: 10**9)).options) == 1


def test_a_prompt_beyond_every_window_is_too_long_and_the_message_says_by_how_much() -> None:
    with pytest.raises(TooLong) as caught:
        planned(
            on=ladder(rung("small", endpoint("p/small", context=900)), rung("strong")),
            size=Size(5_000, lambda: 2_345),
        )
    assert str(caught.value) == (
        "messages: about 2,345 tokens, and the widest context window has 1,000."
        " Shorten the prompt or add a rung with a wider window."
    )
    assert (caught.value.place, caught.value.value) == ("messages", None)


def test_the_reference_is_the_strongest_rung_that_the_window_leaves_open() -> None:
    narrow = rung("strong", endpoint("p/strong", context=40))
    chosen = ladder(rung("small"), rung("medium"), narrow)
    plan = planned(on=chosen)
    assert (plan.reference, plan.options[1].bar) == (1, None)
    assert strongest_open(request(), chosen, SIZE) == 1
    assert strongest_open(request(), ladder(), SIZE) == 2


def test_a_start_that_is_not_open_is_passed_over() -> None:
    lacking = rung("medium", endpoint("p/medium", lacks=frozenset({"stop"})))
    chosen = ladder(rung("small"), lacking, rung("strong"))
    plan = planned(request(stop=("x",)), chosen, level="complex")
    assert rungs_of(plan) == ["strong", "small"]


# --- money ---


def test_under_a_cap_an_offer_holds_the_bound_of_its_input_at_its_dearest_price() -> None:
    plan = planned(request(max_cost=1.0))
    offer = plan.options[0].offers[0]
    assert (offer.input_hold, offer.output_price) == (100 * 3, 5)
    assert planned().options[0].offers[0].input_hold == 0


def test_tokens_are_counted_only_where_the_bound_does_not_fit_under_the_cap() -> None:
    floor = 256 * 5
    for cap, hold in ((300 + floor, 300), (299 + floor, 54 * 3)):
        plan = planned(decide=Decide(max_cost=cap))
        assert plan.options[0].offers[0].input_hold == hold


@pytest.mark.parametrize(
    ("bound", "count", "tokens"), [(1_000, 100, 135), (1_000, 101, 137), (110, 100, 110)]
)
def test_a_count_is_taken_with_a_third_more_and_never_above_the_bound(
    bound: int, count: int, tokens: int
) -> None:
    wide = ladder(rung("a", endpoint("p/a", context=None)))
    plan = planned(on=wide, size=Size(bound, lambda: count), decide=Decide(max_cost=1))
    assert plan.options[0].offers[0].input_hold == tokens * 3


def test_an_unknown_price_leaves_an_endpoint_out_under_a_cap() -> None:
    chosen = ladder(rung("m", endpoint("b/m", price=None), endpoint("a/m")))
    assert [len(option.offers) for option in planned(on=chosen).options] == [2]
    capped = planned(request(max_cost=1.0), chosen)
    assert [offer.endpoint for o in capped.options for offer in o.offers] == ["a/m"]


def test_a_rung_without_any_known_price_is_an_error_under_a_cap_that_names_its_models() -> None:
    unknown = rung("b", endpoint("p/b", price=None), endpoint("q/b", price=None))
    chosen = ladder(rung("a"), unknown)
    assert planned(request(), chosen).reference == 1
    with pytest.raises(RequestError) as caught:
        planned(request(max_cost=0.5), chosen)
    assert str(caught.value) == (
        "max_cost = 0.5: the price of p/b and q/b is unknown."
        ' Set price (or "free") under [models."p/b"], or set no cap.'
    )
    assert (caught.value.place, caught.value.value) == ("max_cost", 0.5)


def test_a_reference_that_a_cap_rules_out_moves_to_nobody() -> None:
    known = rung("small", endpoint("p/small", image_tokens=50))
    chosen = ladder(known, rung("strong"))
    plan = planned(replace(PICTURED, max_cost=1.0), chosen, stream=True)
    assert (plan.reference, plan.options[0].bar) == (None, MODERATE)
    assert [option.live for option in plan.options] == [False]
    assert planned(PICTURED, chosen).reference == 1


def test_an_image_under_a_cap_needs_a_bound_on_what_it_counts_as() -> None:
    known = rung("small", endpoint("p/small", image_tokens=50))
    asked = replace(PICTURED, max_cost=1.0)
    plan = planned(asked, ladder(known, rung("strong")))
    assert [option.rung for option in plan.options] == ["small"]
    assert plan.options[0].offers[0].input_hold == (100 + 50) * 3
    assert len(planned(PICTURED, ladder(known, rung("strong"))).options) == 2
    with pytest.raises(RequestError) as caught:
        planned(asked, ladder())
    assert str(caught.value) == (
        "max_cost = 1.0: nobody knows what an image costs at p/small, p/medium, p/strong."
        ' Set image_tokens under [models."…"] or leave the cap out.'
    )
    assert (caught.value.place, caught.value.value) == ("max_cost", 1.0)


def test_a_counted_image_is_held_for_beside_the_counted_text() -> None:
    known = ladder(rung("only", endpoint("p/only", image_tokens=50)))
    plan = planned(replace(PICTURED, max_cost=1e-12), known)
    assert plan.options[0].offers[0].input_hold == (54 + 50) * 3


# --- output limits ---


def limits(asked: Request, *endpoints: Endpoint, **decide: Any) -> tuple[int | None, bool, int]:
    """Ceiling, whose it is, and floor."""
    option = planned(asked, ladder(rung("only", *endpoints)), Decide(**decide)).options[0]
    return option.ceiling, option.own_ceiling, option.floor


def test_the_callers_limit_is_the_ceiling_and_bounds_the_floor() -> None:
    assert limits(request(max_tokens=100)) == (100, False, 100)
    assert limits(request(max_tokens=500)) == (500, False, 256)
    assert limits(request(max_tokens=100, max_cost=1.0)) == (100, False, 100)


def test_without_a_cap_nobody_bounds_the_output() -> None:
    assert limits(request()) == (None, False, 256)
    assert limits(request(), endpoint("a/m", max_output=900)) == (None, False, 256)


def test_under_a_cap_the_smallest_models_own_limit_is_the_ceiling() -> None:
    two = endpoint("a/m", max_output=900), endpoint("b/m", max_output=800)
    assert limits(request(max_cost=1.0), *two, endpoint("c/m")) == (800, False, 256)


def test_under_a_cap_an_unbounded_model_gets_a_ceiling_of_our_own() -> None:
    assert limits(request(max_cost=1.0)) == (UNKNOWN_CEILING, True, 256)
    assert limits(request(max_cost=1.0), min_output=9_000) == (UNKNOWN_CEILING, True, 4_096)


def test_the_floor_is_at_least_a_token() -> None:
    assert limits(request(), min_output=0) == (None, False, 1)
    assert limits(request(max_tokens=0))[2] == 1


# --- delivery ---


def lives(asked: Request, stream: bool = True, **decide: Any) -> list[bool]:
    """Which of a ladder's options may leave as they arrive."""
    unchecked = ladder()
    bars = {level: (bars[0], None, None) for level, bars in unchecked.bars.items()}
    plan = planned(asked, replace(unchecked, bars=bars), Decide(**decide), stream=stream)
    return [option.live for option in plan.options]


def test_verified_streams_live_only_what_is_accepted_whatever_it_shows() -> None:
    assert lives(request()) == [False, True, True]
    assert lives(request(quality="best")) == [False, False, True]
    assert lives(request(quality="cheapest")) == [True, True, True]


def test_live_streams_everything_as_it_arrives() -> None:
    assert lives(request(), delivery="live") == [True, True, True]
    assert lives(request(delivery="live")) == [True, True, True]
    assert lives(request(delivery="verified"), delivery="live") == [False, True, True]


def test_a_whole_answer_is_never_live() -> None:
    assert lives(request(delivery="live"), stream=False) == [False, False, False]
    assert planned(request(delivery="live")).delivery == "whole"
    assert planned(request(delivery="live"), stream=True).delivery == "live"
    assert planned(stream=True).delivery == "verified"


def test_levels_are_three() -> None:
    assert get_args(Level) == LEVELS


def test_a_rung_that_is_known_to_give_no_evidence_for_its_bar_is_called_last() -> None:
    """A call would be paid only to climb."""
    silent = rung("silent", endpoint("p/silent", lacks=frozenset({"logprobs"})))
    plan = planned(on=ladder(silent, rung("medium"), rung("strong")))
    assert plan.order == (1, 2, 0)


@pytest.mark.parametrize("quality", ["auto", "cheapest"])
def test_a_silent_rung_keeps_its_place_where_its_bar_reads_no_log_probabilities(
    quality: Any,
) -> None:
    silent = rung("silent", endpoint("p/silent", lacks=frozenset({"logprobs"})))
    on = ladder(silent, rung("strong"), starts=(0, 0, 0))
    if quality == "auto":
        on = replace(on, bars=dict.fromkeys(LEVELS, (Bar(rule=()), None)))
    assert planned(request(quality=quality), on).order == (0, 1)


def test_a_silent_rung_is_tried_where_it_accepts_when_unsure() -> None:
    silent = rung("silent", endpoint("p/silent", lacks=frozenset({"logprobs"})))
    unsure = replace(SIMPLE, when_unsure="accept")
    on = replace(
        ladder(silent, rung("strong"), starts=(0, 0, 0)),
        bars=dict.fromkeys(LEVELS, (unsure, None)),
    )
    assert planned(on=on).order == (0, 1)


def test_a_rung_that_hangs_leaves_half_of_the_time_to_the_next_one() -> None:
    plan = planned(request(deadline=3.0))
    assert [option.clocks.total for option in plan.options] == [1.5, 1.5, 120.0]


def test_a_clock_that_is_shorter_than_half_of_the_time_stays() -> None:
    quick = rung("quick", clocks=Clocks(total=1.0))
    plan = planned(request(deadline=3.0), ladder(quick, rung("strong"), starts=(0, 0, 0)))
    assert plan.options[0].clocks.total == 1.0

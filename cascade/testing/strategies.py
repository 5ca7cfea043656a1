"""Hypothesis strategies for plans and worlds.

Values lie on and beside bars, caps, clocks and deadlines: far from them no law can fail. The
first value of every choice is the simplest, and to it examples shrink.
"""

from __future__ import annotations

import math
from itertools import permutations
from typing import Literal

from hypothesis import strategies as st

from cascade.policy.model import Offer, Option, PaidCheck, Plan
from cascade.testing.dice import Dice, dice
from cascade.testing.world import Reaction, World
from cascade.types import Bar, Clocks, Comparison, Evidence, Kind

BAR = -0.15
NEAR_BAR = (None, BAR, math.nextafter(BAR, -1), math.nextafter(BAR, 0), BAR, -0.01, -3.0)
NEAR_CONFIDENCE = (None, 0.8, math.nextafter(0.8, 0), math.nextafter(0.8, 1), 0.8, 0.0, 1.0)
_RULE = (Comparison("mean_logprob", ">=", BAR),)
_TWO_PARTS = (Comparison("min_logprob", ">", BAR), Comparison("output_tokens", "<", 400.0))
BARS = (
    None,
    Bar(rule=_RULE),
    Bar(rule=_RULE, when_unsure="accept"),
    Bar(rule=_TWO_PARTS),
    Bar(rule=()),
    Bar(confidence=0.8),
    Bar(confidence=0.8),
    Bar(rule=_RULE, confidence=0.8),
    Bar(confidence=0.8, when_unsure="accept"),
    Bar(),
)
_UNBOUNDED = Clocks(connect=None, first_token=None, idle=None, total=None)
_CLOCKS = (
    _UNBOUNDED,
    _UNBOUNDED,
    Clocks(),
    Clocks(),
    Clocks(connect=1.0, first_token=0.3, idle=1.0, total=4.0),
    Clocks(connect=1.0, first_token=4.0, idle=None, total=None),
    Clocks(connect=None, first_token=1.0, idle=1.0, total=1.0),
    Clocks(connect=None, first_token=None, idle=1.0, total=0.3),
)
_PASSING = (Kind.OVERLOADED, Kind.LIMITED, Kind.UNAVAILABLE) * 4
_KINDS = (None,) * 22 + (*Kind, Kind.CALLER, *(Kind.TOO_LONG,) * 3, *_PASSING)
_WINDOWS = (8_000, 8_001, 32_000)
_SECONDS = (1.0, 0.05, 0.3, 1.0, 2.0, 4.0, 9.0)
_ORDERS = tuple(tuple(permutations(range(size))) for size in range(5))
_LENGTHS = (3, 2, 4, 1)
_DEADLINES = (30.0,) * 5 + (10.0, 10.0, 4.0, 4.0, 2.0, 1.0, 0.3, 0.0)
_Delivery = Literal["whole", "verified", "live"]
_DELIVERIES: tuple[_Delivery, ...] = ("whole", "whole", "whole", "verified", "live")
_ENDS: tuple[Literal["best_effort", "error"], ...] = ("best_effort", "error")


@st.composite
def plans(draw: st.DrawFn, delivery: _Delivery | None = None, capped: bool | None = None) -> Plan:
    """Plans of one to four options, whose caps lie near what their calls cost."""
    roll = draw(dice(16))
    size = roll.pick(_LENGTHS)
    delivered = roll.pick(_DELIVERIES) if delivery is None else delivery
    has_cap = roll.happens(2) if capped is None else capped
    options = tuple(_option(draw(dice(28)), index, delivered, has_cap) for index in range(size))
    return Plan(
        options=options,
        order=tuple(range(size)) if roll.happens(2) else roll.pick(_ORDERS[size]),
        reference=roll.pick((size - 1,) * 5 + (None,)),
        deadline=roll.pick(_DEADLINES),
        cap=_cap(roll, options) if has_cap else None,
        delivery=delivered,
        at_the_end=roll.pick(_ENDS),
        checks=roll.pick(((), (PaidCheck("judge", 300),), (PaidCheck("judge"), PaidCheck("ask")))),
        seed=roll.pick((0, 1, 7, 2**40)),
    )


def _option(roll: Dice, index: int, delivery: _Delivery, capped: bool) -> Option:
    ceiling = roll.pick((100, None, 10))
    return Option(
        rung=f"rung-{index}",
        offers=tuple(_offer(roll, nth, index, capped) for nth in range(roll.pick((1, 2, 1, 3)))),
        clocks=roll.pick(_CLOCKS),
        ceiling=ceiling,
        own_ceiling=capped and ceiling is not None and roll.happens(3),
        floor=roll.pick((1, 1, 10, 10 if ceiling == 10 else 99, ceiling or 100)),
        bar=roll.pick(BARS),
        calls=roll.pick((3, 1, 2, 4, 5)),
        hedge_after=roll.pick((None, None, 0.2, 1.0, 0.0)),
        live=delivery == "live" or (delivery == "verified" and roll.happens(2)),
        window=roll.pick((None, *_WINDOWS)),
    )


def _offer(roll: Dice, nth: int, index: int, capped: bool) -> Offer:
    known = not capped or not roll.happens(12)
    return Offer(
        f"provider-{nth}/model-{index}",
        roll.pick((50, 0, 300)) if known else None,
        roll.pick((1, 7, 0)) if known or roll.happens(2) else None,
    )


def _cap(roll: Dice, options: tuple[Option, ...]) -> int:
    """A cap on or beside what some calls hold, at their ceilings or at their floors."""
    at_ceiling = roll.happens(2)
    holds = tuple(
        (offer.input_hold or 0)
        + (offer.output_price or 0) * ((at_ceiling and option.ceiling) or option.floor)
        for option in options
        for offer in option.offers
    )
    few = sum(roll.pick(holds) for _ in range(roll.pick((3, 1, 2, 6))))
    return max(0, few + roll.pick((0, 1, -1)))


@st.composite
def worlds(draw: st.DrawFn, plan: Plan) -> World:
    """Worlds for a plan: what each call does, who leaves when, which events come twice or late."""
    roll = draw(dice(20))
    return World(
        reactions=tuple(_script(draw(dice(56))) for _ in plan.options),
        check=reaction(roll),
        leaves=roll.pick((None,) * 9 + (0.0, 0.2, 0.31, 1.0, 5.0)),
        echoes=roll.happens(2),
        deaf=roll.happens(3),
        hasty=roll.happens(3),
    )


def _script(roll: Dice) -> tuple[Reaction, ...]:
    return tuple(reaction(roll) for _ in range(roll.pick((1, 2, 1, 3))))


def reaction(roll: Dice) -> Reaction:
    """What one call does."""
    return Reaction(
        seconds=roll.pick(_SECONDS),
        first=roll.pick((0.2, None, 0.0, 0.3, 1.0)),
        kind=roll.pick(_KINDS),
        usable=not roll.happens(6),
        storable=not roll.happens(3),
        declined=roll.happens(8),
        evidence=Evidence(
            mean_logprob=roll.pick(NEAR_BAR),
            min_logprob=roll.pick(NEAR_BAR),
            p10_logprob=roll.pick((None, -1.0)),
            first_margin=roll.pick((None, 0.0, 3.0)),
            output_tokens=roll.pick((None, 1.0, math.nextafter(400.0, 0), 400.0)),
        ),
        confidence=roll.pick(NEAR_CONFIDENCE),
        bill=roll.pick((0.5, 0.0, 1.0, 1.0, 1.001, 3.0)),
        retry_after=roll.pick((None, None, 0.0, 1.0, 2.0, 2.1, 60.0)),
        needs=roll.pick((None, *_WINDOWS)),
        reserved=roll.happens(12),
        refused=roll.happens(9),
    )

"""Hypothesis strategies for plans, worlds and hostile rules.

Values lie on and beside bars, caps, clocks and deadlines: far from them no law can fail. Each
strategy draws a few bytes and reads many choices off them, since a draw costs a hundred times what
a choice does; the first value of every choice is the simplest, and there examples shrink to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations
from typing import Any, Literal, TypeVar

from hypothesis import strategies as st

from cascade.policy.model import (
    Accept,
    Ask,
    Choice,
    GiveUp,
    Offer,
    Option,
    PaidCheck,
    Plan,
    Rule,
    Try,
    View,
    Wait,
)
from cascade.policy.rules import Threshold
from cascade.testing.world import Reaction, World
from cascade.types import Bar, Clocks, Comparison, Evidence, Kind

T = TypeVar("T")

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
_KINDS = (None,) * 20 + (*Kind, *(Kind.OVERLOADED, Kind.LIMITED, Kind.UNAVAILABLE) * 4)
_SECONDS = (1.0, 0.05, 0.3, 1.0, 2.0, 4.0, 9.0)
_ORDERS = tuple(tuple(permutations(range(size))) for size in range(5))
_LENGTHS = (3, 2, 4, 1)
_DEADLINES = (30.0,) * 5 + (10.0, 10.0, 4.0, 4.0, 2.0, 1.0, 0.3, 0.0)
_Delivery = Literal["whole", "verified", "live"]
_DELIVERIES: tuple[_Delivery, ...] = ("whole", "whole", "whole", "verified", "live")
_ENDS: tuple[Literal["best_effort", "error"], ...] = ("best_effort", "error")
_ROLLS = 48


class Dice:
    """Choices read off drawn bytes, one byte a choice; when they are used up, the simplest."""

    def __init__(self, rolls: bytes) -> None:
        self._rolls = iter(rolls)

    def pick(self, values: tuple[T, ...]) -> T:
        """One of the values."""
        return values[next(self._rolls, 0) % len(values)]

    def happens(self, of: int) -> bool:
        """True once in ``of`` times."""
        return next(self._rolls, 0) % of == of - 1


def dice(size: int = _ROLLS) -> st.SearchStrategy[Dice]:
    """Bytes to read choices off. Keep them short: examples shrink byte by byte."""
    return st.binary(min_size=size, max_size=size).map(Dice)


@st.composite
def plans(draw: st.DrawFn, delivery: _Delivery | None = None, capped: bool | None = None) -> Plan:
    """Plans of one to four options, whose caps lie near what their calls cost."""
    roll = draw(dice(16))
    size = roll.pick(_LENGTHS)
    delivered = roll.pick(_DELIVERIES) if delivery is None else delivery
    has_cap = roll.happens(2) if capped is None else capped
    options = tuple(_option(draw(dice(24)), index, delivered, has_cap) for index in range(size))
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
        reactions=tuple(_script(draw(dice())) for _ in plan.options),
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
        refused=roll.happens(12),
    )


Habit = Callable[[View, tuple[Choice, ...], int], Any]


def _any_move(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return moves[n % len(moves)]


def _eager(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return next((move for move in moves if isinstance(move, Try | Ask)), moves[-1])


def _patient(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return Threshold()(view, moves)


def _closed_option(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return Try(n % 7 - 1)


def _any_answer(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    """Accept whatever came, refuted or not, or what never came."""
    return Accept(view.answers[n % len(view.answers)].ref) if view.answers else moves[0]


def _check_twice(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return Ask("judge", view.answers[-1].ref) if view.answers else Ask("nothing", n)


def _raises(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    raise (RuntimeError, KeyError, ZeroDivisionError, RecursionError)[n % 4]("a user's rule")


class _Flatterer:
    """Says that it equals everything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


def _nonsense(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return (None, "accept", 7, _Flatterer(), float("nan"), [], Wait, Try)[n % 8]


def _waits(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return Wait()


def _gives_up(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return GiveUp()


_HABITS: tuple[Habit, ...] = (
    _eager,
    _any_move,
    _patient,
    _any_answer,
    _check_twice,
    _closed_option,
    _waits,
    _raises,
    _nonsense,
    _gives_up,
)
_KEENNESS = (2, 2, 2, 2, 2, 2, 0, 0, 0, 1, 1, 1, 3, 3, 4, 5, 6, 7, 8, 9)


@st.composite
def hostile_rules(draw: st.DrawFn) -> Rule:
    """Rules that do as they like, most of them not before a first call.

    What they answer follows from what they see (law 9).
    """
    roll = draw(dice(8))
    shy = roll.happens(8)
    salt = roll.pick(tuple(range(100)))
    count = roll.pick((1, 2, 3, 4, 5))
    habits = [_HABITS[roll.pick(_KEENNESS)] for _ in range(count)]

    def rule(view: View, moves: tuple[Choice, ...]) -> Choice | None:
        state = view.state
        if not (state.next_call or shy):
            return moves[salt % max(1, len(moves) - 1)]
        n = salt + 3 * state.next_call + 5 * len(state.answers) + 7 * len(state.flights)
        choice: Choice | None = habits[n % count](view, moves, n)
        return choice

    return rule

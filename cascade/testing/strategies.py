"""Hypothesis strategies for plans, worlds and hostile rules.

Values are drawn near bars, caps, clocks and deadlines: far from them no law can fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

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
from cascade.testing.world import Reaction, World
from cascade.types import Bar, Clocks, Comparison, Evidence, Kind

BAR = -0.15
_NEAR_BAR = (BAR, math.nextafter(BAR, 0), math.nextafter(BAR, -1), -0.01, -3.0)
_SECONDS = (0.05, 0.3, 1.0, 2.0, 4.0, 9.0)

evidences = st.builds(
    Evidence,
    mean_logprob=st.none() | st.sampled_from(_NEAR_BAR),
    min_logprob=st.none() | st.sampled_from(_NEAR_BAR),
    p10_logprob=st.none() | st.sampled_from(_NEAR_BAR),
    first_margin=st.none() | st.sampled_from((0.0, 0.5, 3.0)),
    output_tokens=st.none() | st.sampled_from((1.0, 20.0, 400.0)),
)
confidences = st.none() | st.sampled_from((0.0, 0.79, 0.8, math.nextafter(0.8, 1), 1.0))
_rules = st.sampled_from(
    (
        None,
        (),
        (Comparison("mean_logprob", ">=", BAR),),
        (Comparison("min_logprob", ">", BAR), Comparison("output_tokens", "<", 400.0)),
    )
)
_unsure: st.SearchStrategy[Literal["climb", "accept"]] = st.sampled_from(("climb", "accept"))
bars = st.none() | st.builds(
    Bar, rule=_rules, confidence=st.none() | st.just(0.8), when_unsure=_unsure
)
clocks = st.builds(
    Clocks,
    connect=st.none() | st.just(1.0),
    first_token=st.none() | st.sampled_from((0.3, 1.0, 4.0)),
    idle=st.none() | st.just(1.0),
    total=st.none() | st.sampled_from((0.3, 1.0, 4.0)),
)
reactions = st.builds(
    Reaction,
    seconds=st.sampled_from(_SECONDS),
    first=st.none() | st.sampled_from((0.0, 0.2, 0.3, 1.0)),
    kind=st.none() | st.none() | st.sampled_from(list(Kind)),
    usable=st.sampled_from((True, True, True, False)),
    storable=st.booleans(),
    declined=st.sampled_from((False, False, False, True)),
    evidence=evidences,
    confidence=confidences,
    bill=st.sampled_from((0.0, 0.5, 1.0, 1.0, 1.001, 3.0)),
    retry_after=st.none() | st.sampled_from((0.0, 1.0, 2.0, 2.1, 60.0)),
    refused=st.sampled_from((False, False, False, False, True)),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans of one to four options, whose caps lie near what their calls cost."""
    size = draw(st.integers(1, 4))
    delivery: Literal["whole", "verified", "live"] = draw(
        st.sampled_from(("whole", "verified", "live"))
    )
    capped = draw(st.booleans())
    options = tuple(draw(_options(index, delivery, capped)) for index in range(size))
    return Plan(
        options=options,
        order=tuple(draw(st.permutations(range(size)))),
        reference=draw(st.sampled_from((size - 1, size - 1, size - 1, None))),
        deadline=draw(st.sampled_from((0.0, 0.3, 1.0, 4.0, 10.0, 30.0))),
        cap=draw(_caps(options)) if capped else None,
        delivery=delivery,
        at_the_end=draw(st.sampled_from(("best_effort", "error"))),
        checks=draw(st.sampled_from(((), (PaidCheck("judge", 300),)))),
        seed=draw(st.integers(0, 2**32)),
    )


@st.composite
def _options(
    draw: st.DrawFn, index: int, delivery: Literal["whole", "verified", "live"], capped: bool
) -> Option:
    prices = st.sampled_from((0, 1, 7)) if capped else st.none() | st.integers(0, 7)
    offers = tuple(
        Offer(f"provider-{nth}/model-{index}", draw(_holds(capped)), draw(prices))
        for nth in range(draw(st.integers(1, 3)))
    )
    live = delivery == "live" or (delivery == "verified" and draw(st.booleans()))
    return Option(
        rung=f"rung-{index}",
        offers=offers,
        clocks=draw(clocks),
        ceiling=draw(st.none() | st.sampled_from((10, 100))),
        own_ceiling=draw(st.booleans()),
        floor=draw(st.sampled_from((1, 10, 99, 100))),
        bar=draw(bars),
        calls=draw(st.integers(1, 4)),
        hedge_after=draw(st.none() | st.sampled_from((0.0, 0.2, 1.0))),
        live=live,
    )


def _holds(capped: bool) -> st.SearchStrategy[int | None]:
    known = st.sampled_from((0, 50, 300))
    return st.none() | known if capped else known


def _caps(options: tuple[Option, ...]) -> st.SearchStrategy[int]:
    """Caps on and beside what one, two or three full calls hold."""
    holds = [
        (offer.input_hold or 0) + (offer.output_price or 0) * (option.ceiling or 100)
        for option in options
        for offer in option.offers
    ]
    few = st.lists(st.sampled_from(holds), min_size=1, max_size=3).map(sum)
    near = st.tuples(few, st.integers(-1, 1)).map(lambda pair: max(0, pair[0] + pair[1]))
    return st.sampled_from((0, 1)) | near


@st.composite
def worlds(draw: st.DrawFn, plan: Plan) -> World:
    """Worlds for a plan: what each call does, who leaves when, which events come twice."""
    scripts = tuple(tuple(draw(st.lists(reactions, min_size=1, max_size=3))) for _ in plan.options)
    return World(
        reactions=scripts,
        check=draw(reactions),
        leaves=draw(st.none() | st.none() | st.sampled_from((0.0, 0.2, 0.31, 1.0, 5.0))),
        echoes=draw(st.booleans()),
    )


Hostility = Callable[[View, tuple[Choice, ...], int], Any]


def _any_move(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return moves[n % len(moves)]


def _eager(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return next((move for move in moves if isinstance(move, Try | Ask)), moves[-1])


def _closed_option(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return Try(n % 7 - 1)


def _any_answer(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    """Accept whatever came, refuted or not, or what never came."""
    return Accept(view.answers[n % len(view.answers)].ref) if view.answers else Accept(n)


def _check_twice(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return Ask("judge", view.answers[-1].ref) if view.answers else Ask("nothing", n)


def _raises(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    raise (RuntimeError, KeyError, ZeroDivisionError, RecursionError)[n % 4]("a user's rule")


def _nonsense(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return (None, "accept", 7, object(), float("nan"), [], Wait, Try)[n % 8]


def _waits(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return Wait()


def _gives_up(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return GiveUp()


_HOSTILITIES: tuple[Hostility, ...] = (
    _any_move,
    _any_move,
    _eager,
    _closed_option,
    _any_answer,
    _check_twice,
    _raises,
    _nonsense,
    _waits,
    _gives_up,
)


@st.composite
def hostile_rules(draw: st.DrawFn) -> Rule:
    """Rules that do as they like. What they answer follows from what they see (law 9)."""
    habits = draw(st.lists(st.sampled_from(_HOSTILITIES), min_size=1, max_size=5))
    salt = draw(st.integers(0, 1_000))

    def rule(view: View, moves: tuple[Choice, ...]) -> Choice | None:
        state = view.state
        n = salt + 3 * state.next_call + 5 * len(state.answers) + 7 * len(state.flights)
        choice: Choice | None = habits[n % len(habits)](view, moves, n)
        return choice

    return rule

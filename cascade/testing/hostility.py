"""Hostile rules: the machine must keep its laws whatever they answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from cascade.policy.model import Accept, Ask, Choice, GiveUp, Rule, Try, View, Wait
from cascade.policy.rules import Threshold
from cascade.testing.dice import dice

Habit = Callable[[View, tuple[Choice, ...], int], Any]


def _any_move(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return moves[n % len(moves)]


def _eager(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return next((move for move in moves if isinstance(move, Try | Ask)), moves[-1])


def _curious(view: View, moves: tuple[Choice, ...], n: int) -> Any:
    return next((move for move in moves if isinstance(move, Ask)), moves[n % len(moves)])


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
    _patient,
    _patient,
    _patient,
    _eager,
    _eager,
    _curious,
    _curious,
    _curious,
    _curious,
    _any_move,
    _any_move,
    _any_answer,
    _check_twice,
    _closed_option,
    _waits,
    _raises,
    _nonsense,
    _gives_up,
)


@st.composite
def hostile_rules(draw: st.DrawFn) -> Rule:
    """Rules that do as they like, most of them not before a first call.

    What they answer follows from what they see (law 9).
    """
    roll = draw(dice(8))
    shy = roll.happens(8)
    salt = roll.pick(tuple(range(100)))
    count = roll.pick((1, 2, 3, 4, 5))
    habits = [roll.pick(_HABITS) for _ in range(count)]

    def rule(view: View, moves: tuple[Choice, ...]) -> Choice | None:
        state = view.state
        if not (state.next_call or shy):
            return moves[salt % max(1, len(moves) - 1)]
        n = salt + 3 * state.next_call + 5 * len(state.answers) + 7 * len(state.flights)
        choice: Choice | None = habits[n % count](view, moves, n)
        return choice

    return rule

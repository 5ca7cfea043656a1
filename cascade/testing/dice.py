"""Many choices from one draw: Hypothesis takes a hundred times as long to draw as we to choose."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


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


def dice(size: int) -> st.SearchStrategy[Dice]:
    """Bytes to read choices off. Keep them short: examples shrink byte by byte."""
    return st.binary(min_size=size, max_size=size).map(Dice)

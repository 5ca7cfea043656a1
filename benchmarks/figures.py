"""Figures: what was measured, beside its limit and its budget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

Unit = Literal["us", "ms", "/s", "MB"]


class Figure(msgspec.Struct, frozen=True):
    """One line of the table.

    ``limit`` is the same work without us, measured in the same run; ``of`` says what it was.
    ``budget`` is from the project's list of budgets, None where that sets none. ``added`` says
    that the budget is for what comes on top of the limit. Rates must reach their budget, all
    else must stay within it.
    """

    path: str
    measured: float | None
    unit: Unit
    limit: float | None = None
    of: str = ""
    budget: float | None = None
    added: bool = False

    @property
    def ratio(self) -> float | None:
        """The measured figure as a multiple of its limit."""
        if self.measured is None or not self.limit:
            return None
        return self.measured / self.limit

    @property
    def judged(self) -> float | None:
        """The figure that the budget is for."""
        if self.added and self.measured is not None and self.limit is not None:
            return self.measured - self.limit
        return None if self.added else self.measured

    @property
    def verdict(self) -> str:
        """Whether the budget was met; empty where there is none or nothing was measured."""
        if self.budget is None or self.judged is None:
            return ""
        rate = self.unit == "/s"
        met = self.judged >= self.budget if rate else self.judged <= self.budget
        return "met" if met else "missed"


def microseconds(seconds: float | None) -> float | None:
    """Seconds as microseconds; nothing stays nothing."""
    return None if seconds is None else seconds * 1e6


def table(figures: Iterable[Figure]) -> str:
    """Write figures for people."""
    head = ("path", "measured", "limit", "ratio", "budget", "", "limit is")
    return aligned([head, *map(_cells, figures)])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Write rows as columns, the first one to the left, the last one ragged."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *middle, last in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(middle, widths[1:], strict=False)]
        lines.append("  ".join([*cells, last]).rstrip())
    return "\n".join(lines)


def as_json(figures: Iterable[Figure]) -> list[dict[str, object]]:
    """Figures as plain data, with ratio and verdict; nothing measured is null."""
    return [
        msgspec.structs.asdict(figure) | {"ratio": figure.ratio, "verdict": figure.verdict or None}
        for figure in figures
    ]


def _cells(figure: Figure) -> tuple[str, ...]:
    budget = ""
    if figure.budget is not None:
        sign = ">=" if figure.unit == "/s" else "<="
        budget = f"{'added ' if figure.added else ''}{sign} {_amount(figure.budget, figure.unit)}"
    return (
        figure.path,
        _amount(figure.measured, figure.unit),
        _amount(figure.limit, figure.unit),
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        budget,
        figure.verdict,
        figure.of,
    )


def _amount(value: float | None, unit: Unit) -> str:
    if value is None:
        return "-"
    digits = 2 if abs(value) < 10 and unit != "/s" else 1 if abs(value) < 100 else 0
    return f"{value:,.{digits}f}{unit if unit == '/s' else ' ' + unit}"

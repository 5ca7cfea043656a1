"""What the models of a recording cost: as listed, as given, or as their recorded costs show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cascade import money
from cascade.learning.trace import RecordedAnswer, Recording


class ListPrice(msgspec.Struct, frozen=True):
    """US dollars per million tokens, and how they are known."""

    input: float
    output: float
    source: str = "given"

    @property
    def units(self) -> tuple[int, int]:
        """Money units per token, of input and of output."""
        return money.units_per_token(self.input), money.units_per_token(self.output)


LISTED: Mapping[str, tuple[float, float]] = {
    "llama3.2-1b": (0.1, 0.1),
    "llama3.2-3b": (0.1, 0.1),
    "llama3.1-8b": (0.2, 0.2),
    "llama3.1-70b": (0.9, 0.9),
    "llama3.1-405b": (3.0, 3.0),
    "qwen2.5-32b-coder-instruct": (0.9, 0.9),
    "qwen2.5-72b-instruct": (0.9, 0.9),
    "gpt-4o-mini": (0.15, 0.6),
    "gpt-4o": (2.5, 10.0),
}
"""The list prices behind the recorded costs of question answering and short mathematics."""

_DECIMALS = (2, 3, 4)


def read(text: str) -> tuple[str, ListPrice]:
    """Read ``MODEL=INPUT/OUTPUT``, in US dollars per million tokens.

    Raises:
        ValueError: it is written otherwise.
    """
    model, _, price = text.rpartition("=")
    given, _, taken = price.partition("/")
    if not model or not _is_price(given) or not _is_price(taken):
        raise ValueError(
            f"--price {text}: write MODEL=INPUT/OUTPUT in US dollars per million tokens,"
            " such as gpt-4o=2.5/10"
        )
    return model, ListPrice(float(given), float(taken))


def _is_price(text: str) -> bool:
    try:
        return money.units_per_token(text) >= 0
    except ValueError:
        return False


def price_of(model: str, recording: Recording, given: Mapping[str, ListPrice]) -> ListPrice | None:
    """The model's price: the given one, the listed one, the one its recorded costs have in
    common; None where there is no such one."""
    if model in given:
        return given[model]
    answers = [row.answers[model] for row in recording.rows if model in row.answers]
    if model in LISTED and _explains(ListPrice(*LISTED[model]), answers):
        return ListPrice(*LISTED[model], source="listed")
    return _derived(answers)


def _derived(answers: Sequence[RecordedAnswer]) -> ListPrice | None:
    """The round prices that give every recorded cost, found by least squares."""
    rows = [
        (a.input_tokens, a.output_tokens, a.cost_usd * 1e6)
        for a in answers
        if a.input_tokens is not None and a.output_tokens is not None and a.cost_usd is not None
    ]
    xx, xy, yy = (sum(r[i] * r[j] for r in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    xc, yc = sum(x * c for x, _, c in rows), sum(y * c for _, y, c in rows)
    scale = xx * yy - xy * xy
    if not scale:
        return None
    exact = (xc * yy - yc * xy) / scale, (yc * xx - xc * xy) / scale
    for decimals in _DECIMALS:
        given, taken = (max(0.0, round(value, decimals)) for value in exact)
        price = ListPrice(given, taken, source="derived")
        if _explains(price, answers):
            return price
    return None


def _explains(price: ListPrice, answers: Sequence[RecordedAnswer]) -> bool:
    """Whether tokens times this price are the recorded cost, to the money unit, in all answers.

    Answers of which tokens or cost were not recorded cannot speak against it.
    """
    given, taken = price.units
    return all(
        a.input_tokens * given + a.output_tokens * taken == units(a.cost_usd)
        for a in answers
        if a.input_tokens is not None and a.output_tokens is not None and a.cost_usd is not None
    )


def units(usd: float) -> int:
    """A recorded cost in money units; it was written as a float."""
    return round(usd * money.UNITS_PER_USD)

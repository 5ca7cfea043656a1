"""What an endpoint's calls are usually like: how soon it speaks, how long it takes and talks.

Samples are counted in buckets whose edges grow by a constant factor, so that a quantile is known
to about 9 % whatever its size, in a few hundred bytes.
"""

from __future__ import annotations

import math
from typing import Annotated, Final

import msgspec
from msgspec.structs import replace

SMALLEST: Final = 1e-3
LARGEST: Final = 1e6
PER_OCTAVE: Final = 4
BUCKETS: Final = 120
"""Four to a doubling, from a thousandth to a million: seconds and tokens alike. What lies outside
counts in the first or the last bucket."""

FULL: Final = 1_000
"""Weight of all samples at which every one is halved: old ones fade."""

LEAST: Final = 20
"""Samples without which nothing is said."""

_Index = Annotated[int, msgspec.Meta(ge=0, lt=BUCKETS)]
_Weight = Annotated[float, msgspec.Meta(ge=0, le=FULL)]


class Histogram(msgspec.Struct, frozen=True, omit_defaults=True):
    """The weight of the samples in each bucket that has any, by its index."""

    weights: dict[_Index, _Weight] = {}


class Habits(msgspec.Struct, frozen=True, omit_defaults=True):
    """One endpoint's calls: seconds to the first token, seconds in all, tokens of its answers."""

    first_token: Histogram = Histogram()
    latency: Histogram = Histogram()
    output_tokens: Histogram = Histogram()


UNKNOWN: Final = Habits()


def add(histogram: Histogram, value: float) -> Histogram:
    """The histogram with one more sample; what is no number changes nothing."""
    if math.isnan(value):
        return histogram
    weights = histogram.weights.copy()
    index = _index(value)
    weights[index] = weights.get(index, 0.0) + 1.0
    if sum(weights.values()) >= FULL:
        weights = {index: weight / 2 for index, weight in weights.items()}
    return Histogram(weights)


def quantile(histogram: Histogram, q: float, least: int = LEAST) -> float | None:
    """The value that a share ``q`` of the samples does not exceed, to about 9 %.

    None below ``least`` samples.
    """
    total = sum(histogram.weights.values())
    if not total or total < least:
        return None
    may_exceed, above, index = (1 - q) * total, 0.0, 0
    for index in sorted(histogram.weights, reverse=True):  # the high ones are asked for
        above += histogram.weights[index]
        if above > may_exceed:
            break
    return _middle(index)


def spoke(habits: Habits, after: float) -> Habits:
    """A call's first token came after so many seconds."""
    return replace(habits, first_token=add(habits.first_token, after))


def waited_in_vain(habits: Habits, seconds: float, *, certain: bool) -> Habits:
    """A call was given up after so many seconds without a first token.

    It counts as one that took at least that long, so that limits which are too short grow. If
    it is not ``certain`` that it was late, say because its caller left, it counts only where it
    was later than most: else hedges, which end the slowest calls, would teach that none is slow.
    """
    late = hedge_after(habits)
    return spoke(habits, seconds) if certain or (late is not None and seconds > late) else habits


def answered(habits: Habits, latency: float, output_tokens: int | None) -> Habits:
    """A whole answer came after so many seconds; how long it was may be unknown."""
    lengths = habits.output_tokens
    return replace(
        habits,
        latency=add(habits.latency, latency),
        output_tokens=lengths if output_tokens is None else add(lengths, output_tokens),
    )


def hedge_after(habits: Habits) -> float | None:
    """Seconds without a first token after which a call is slower than 95 % of them."""
    return quantile(habits.first_token, 0.95)


def first_token_limit(habits: Habits, usual: float, total: float | None) -> float:
    """How many seconds a first token may take: never fewer than ``usual``, three times what 99 %
    of them take where that is more, and no more than the whole call may."""
    learned = quantile(habits.first_token, 0.99)
    limit = usual if learned is None else max(usual, 3 * learned)
    return limit if total is None else min(limit, total)


def output_floor(habits: Habits) -> int | None:
    """Tokens in which 95 % of the answers find room."""
    length = quantile(habits.output_tokens, 0.95)
    return None if length is None else math.ceil(length)


def _index(value: float) -> int:
    if value <= SMALLEST:
        return 0
    if value >= LARGEST:
        return BUCKETS - 1
    return int(math.log2(value / SMALLEST) * PER_OCTAVE)


def _middle(index: int) -> float:
    """The bucket's geometric middle: half a bucket from either edge."""
    return SMALLEST * float(2 ** ((index + 0.5) / PER_OCTAVE))

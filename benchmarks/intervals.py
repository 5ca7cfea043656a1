"""Means with their 95 % intervals, by the bootstrap over requests."""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.rounds import percentile

RESAMPLES = 1000
SEED = 20


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return sum(values) / len(values) if values else None


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the mean; None of nothing. The same values give the same interval."""
    if not values:
        return None
    chance = random.Random(SEED)
    means = [sum(chance.choices(values, k=len(values))) / len(values) for _ in range(RESAMPLES)]
    return percentile(means, 0.025), percentile(means, 0.975)

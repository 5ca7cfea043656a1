"""Evidence from an answer's log-probabilities. What cannot be known stays absent."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cascade.types import Evidence, Response, TokenLogprob

_FLOOR = -9000.0
"""At or below it a number is the wire's sign (-9999) for "too improbable to report"."""

_CEILING = 1e-3
"""A logarithm of a probability is at most 0; providers overshoot by rounding."""


def evidence(response: Response) -> Evidence:
    """Return what the response shows about itself.

    ``p10_logprob`` is the 10 % quantile by nearest rank: the smallest value that at least a
    tenth of the tokens do not exceed, so it is always one that occurs. ``first_margin`` is the
    lead of the first token that is not blank over its best rival, negative where another token
    was likelier. ``output_tokens`` is the provider's count, reasoning included.

    A token reported as -9999 is less probable than the provider says: its value is unknown, and
    every figure that rests on it is absent. One value that is no log-probability (not finite, or
    above 0) makes all of them absent.
    """
    tokens = response.logprobs or ()
    usage = response.usage
    count = None if usage is None else float(usage.output_tokens)
    values = sorted(token.logprob for token in tokens)
    # NaN does not sort: look at all of them.
    if not values or not all(-math.inf < value <= _CEILING for value in values):
        return Evidence(output_tokens=count)
    known = values[0] > _FLOOR
    return Evidence(
        mean_logprob=math.fsum(values) / len(values) if known else None,
        min_logprob=values[0] if known else None,
        p10_logprob=_above_floor(values[(len(values) + 9) // 10 - 1]),
        first_margin=_first_margin(tokens),
        output_tokens=count,
    )


def _first_margin(tokens: Sequence[TokenLogprob]) -> float | None:
    first = next((token for token in tokens if token.token.strip()), None)
    if first is None or first.logprob <= _FLOOR:
        return None
    rivals = [rival.logprob for rival in first.top if rival.token != first.token]
    if not rivals or not all(-math.inf < value <= _CEILING for value in rivals):
        return None
    best = _above_floor(max(rivals))
    return None if best is None else first.logprob - best


def _above_floor(value: float) -> float | None:
    return value if value > _FLOOR else None

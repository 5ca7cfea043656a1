"""Which of a rung's endpoints is called first, and which after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from cascade.policy.health import CLEAN, Standing, failing_share, is_admitted, is_drained
from cascade.types import Balance, Endpoint

OFTEN: Final = 0.5
"""The share of failed calls from which an endpoint goes behind its better siblings. No breaker is
for that: it tells who is down, and one that answers every other call is not."""

CHANCES: Final = 0.1
"""The share of requests that try it in its own place all the same: else nobody would see that it
has recovered."""


def arrange(
    endpoints: Sequence[Endpoint],
    balance: Balance,
    standings: Mapping[str, Standing],
    pending: Mapping[str, int],
    *,
    input_tokens: int,
    output_tokens: int,
    now: float,
    draw: float,
) -> tuple[Endpoint, ...]:
    """Return the endpoints that may be called, in the order in which they shall be.

    Those that fail often come behind those that fail less, except for a few draws. Those that
    said that their rate limits do not hold the request come last: better a 429 than nobody.

    Args:
        endpoints: of one rung, as they stand in the configuration.
        balance: ``in_order`` keeps that order, ``weight`` draws by weight, ``least_pending``
            begins with the fewest calls under way.
        standings: by endpoint name; one that is not there is clean.
        pending: calls under way by endpoint name.
        input_tokens: about how many the prompt has.
        output_tokens: about how many the answer will have.
        now: Unix seconds.
        draw: chance, in [0, 1); the order follows from it.
    """

    def standing(endpoint: Endpoint) -> Standing:
        return standings.get(endpoint.name, CLEAN)

    def failing(endpoint: Endpoint) -> float:
        share = failing_share(standing(endpoint))
        return share if share >= OFTEN else 0.0

    def drained(endpoint: Endpoint) -> bool:
        under_way = pending.get(endpoint.name, 0)
        return is_drained(standing(endpoint), input_tokens, output_tokens, under_way, now)

    admitted = [endpoint for endpoint in endpoints if is_admitted(standing(endpoint), now)]
    behind = False
    if len({failing(endpoint) for endpoint in admitted}) > 1:
        behind, draw = _split(draw)
    match balance:
        case "in_order":
            order = admitted
        case "weight":
            order = _drawn(admitted, draw)
        case "least_pending":
            order = sorted(admitted, key=lambda e: pending.get(e.name, 0))
        case _:
            assert_never(balance)
    if behind:
        order = sorted(order, key=failing)
    return tuple(sorted(order, key=drained))


def _split(draw: float) -> tuple[bool, float]:
    """Whether this draw puts those behind that fail often, and a draw as good as a fresh one."""
    if draw < CHANCES:
        return False, draw / CHANCES
    return True, (draw - CHANCES) / (1.0 - CHANCES)


def _drawn(endpoints: list[Endpoint], draw: float) -> list[Endpoint]:
    """Draw by weight, one after the other. Where a draw falls within an endpoint's share is the
    next draw, as good as a fresh one. What has no weight comes last."""
    left = [endpoint for endpoint in endpoints if endpoint.weight > 0]
    order = []
    while left:
        mark = draw * sum(endpoint.weight for endpoint in left)
        chosen = left[-1]  # also where rounding leads beyond the last share
        for endpoint in left[:-1]:
            if mark < endpoint.weight:
                chosen = endpoint
                break
            mark -= endpoint.weight
        draw = mark / chosen.weight
        left.remove(chosen)
        order.append(chosen)
    return order + [endpoint for endpoint in endpoints if endpoint.weight <= 0]

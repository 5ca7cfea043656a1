"""Which of a rung's endpoints is called first, and which after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from cascade.policy.health import CLEAN, Standing, is_admitted, is_drained
from cascade.types import Balance, Endpoint


def arrange(
    endpoints: Sequence[Endpoint],
    balance: Balance,
    standings: Mapping[str, Standing],
    pending: Mapping[str, int],
    *,
    tokens: int,
    now: float,
    draw: float,
) -> tuple[Endpoint, ...]:
    """Return the endpoints that may be called, in the order in which they shall be.

    Those that said that their rate limits do not hold the request come last: better a 429 than
    nobody.

    Args:
        endpoints: of one rung, as they stand in the configuration.
        balance: ``order`` keeps that order, ``weight`` draws by weight, ``pending`` begins with
            the fewest calls under way.
        standings: by endpoint name; one that is not there is clean.
        pending: calls under way by endpoint name.
        tokens: of the request, input and output.
        now: Unix seconds.
        draw: chance, in [0, 1); the order follows from it.
    """
    admitted = [e for e in endpoints if is_admitted(standings.get(e.name, CLEAN), now)]
    match balance:
        case "order":
            order = admitted
        case "weight":
            order = _drawn(admitted, draw)
        case "pending":
            order = sorted(admitted, key=lambda e: pending.get(e.name, 0))
        case _:
            assert_never(balance)

    def drained(endpoint: Endpoint) -> bool:
        standing = standings.get(endpoint.name, CLEAN)
        return is_drained(standing, tokens, pending.get(endpoint.name, 0), now)

    return tuple(sorted(order, key=drained))


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

"""What to do about each kind of failure: a table, and the arithmetic of retries."""

from __future__ import annotations

from typing import Literal

from cascade.policy.model import Option, Tally
from cascade.types import Kind

Remedy = Literal["stop", "elsewhere", "again", "climb"]

REMEDY: dict[Kind, Remedy] = {
    Kind.CALLER: "stop",
    Kind.AUTH: "elsewhere",
    Kind.QUOTA: "elsewhere",
    Kind.MISSING: "elsewhere",
    Kind.TIMED_OUT: "elsewhere",
    Kind.TOO_LONG: "climb",
    Kind.FILTERED: "climb",
    Kind.UNSUPPORTED: "climb",
    Kind.LIMITED: "again",
    Kind.OVERLOADED: "again",
    Kind.UNAVAILABLE: "again",
    Kind.BROKEN: "again",
    Kind.MALFORMED: "again",
}
"""``stop`` ends the request; ``elsewhere`` goes to another endpoint of the option; ``again`` does
so too and tries the same one again where there is no other; ``climb`` is done with the option."""

RETRIES = 2
SHORTEST_WAIT = 0.25
LONGEST_WAIT = 2.0


def offers_left(option: Option, tally: Tally, busy: tuple[int, ...] = ()) -> list[int]:
    """Offers that may be called, those that failed least first; ``busy`` ones are left out."""
    left = [
        index
        for index in range(len(option.offers))
        if index not in tally.closed and index not in busy
    ]
    if tally.failed:
        left.sort(key=tally.failed.count)
    return left


def after_failure(
    tally: Tally, offer: int, kind: Kind, retry_after: float | None, now: float
) -> Tally:
    """The history with this failure in it. A ``retry_after`` (seconds) too long to wait for closes
    the offer."""
    pause = retry_after or 0.0
    closes = REMEDY[kind] == "elsewhere" or pause > LONGEST_WAIT
    return Tally(
        calls=tally.calls,
        retries=tally.retries,
        failed=(*tally.failed, offer),
        closed=(*tally.closed, offer) if closes else tally.closed,
        answered=tally.answered,
        over=tally.over or REMEDY[kind] == "climb",
        resume=tally.resume if closes else max(tally.resume, now + pause),
    )


def retry_delay(seed: int, call: int) -> float:
    """Seconds until the next try: full jitter, which follows from the plan's seed."""
    return SHORTEST_WAIT + (LONGEST_WAIT - SHORTEST_WAIT) * _fraction(seed, call)


def _fraction(seed: int, call: int) -> float:
    """A number in [0, 1) that follows from seed and call (splitmix64's mixing function)."""
    mask = (1 << 64) - 1
    x = (seed + (call + 1) * 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return ((x ^ (x >> 31)) >> 11) / (1 << 53)

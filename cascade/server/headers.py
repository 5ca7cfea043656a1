"""Response headers that tell who answered, how well, from where and at what cost.

``x-cascade-outcome`` is ``accepted`` or ``best_effort``: nobody cleared the bar, and this is the
best there was. A live stream's head leaves too early for it, for the cost and for the confidence:
they stand under ``cascade`` at the stream's end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, get_args

from cascade import money
from cascade.types import Answer, CacheStatus, Outcome, Request

if TYPE_CHECKING:
    from cascade.server.asked import Asked
    from cascade.server.dialects import Dialect

Header = tuple[bytes, bytes]

_HIT = b"cascade; hit"
_MISS = b"cascade; fwd=miss"
_BY_REQUEST = b"cascade; fwd=request"  # the request itself forbade a stored answer
_COLLAPSED = b"cascade; fwd=miss; collapsed"

_LONGEST = 200  # characters of a name in a header
_CACHES: dict[CacheStatus, Header] = {
    status: (b"x-cascade-cache", status.encode())
    for status in ("miss", "collapsed", "exact", "off")
}
_OUTCOMES: dict[Outcome, Header] = {
    outcome: (b"x-cascade-outcome", outcome.encode()) for outcome in get_args(Outcome)
}
_ATTEMPTS = tuple((b"x-cascade-attempts", b"%d" % number) for number in range(16))


def of_identity(identity: str, dialect: Dialect) -> list[Header]:
    """Return under which id the request is known."""
    value, own = identity.encode(), dialect.id_header
    common = (b"x-request-id", value)
    return [common] if own is None else [common, (own, value)]


def of_answer(answer: Answer, asked: Asked) -> list[Header]:
    """Return what is told of a whole answer. What is not known has no header."""
    headers = [
        (b"cache-status", _cache_status(answer.cache, asked.request)),
        _CACHES[answer.cache],
        _OUTCOMES[answer.outcome],
        (b"x-cascade-rung", _safe(answer.rung)),
        (b"x-cascade-model", _safe(answer.model)),
        _attempts(len(answer.attempts)),
        (b"x-cascade-request-id", answer.id.encode()),
        *of_identity(answer.id, asked.dialect),
        (b"server-timing", b"total;dur=%.3f" % (asked.elapsed_s * 1000)),
    ]
    if answer.age_s is not None and answer.cache == "exact":
        headers.append((b"age", b"%d" % answer.age_s))
    if answer.cost is not None:
        headers.append((b"x-cascade-cost-usd", _usd(answer.cost)))
        if answer.estimated:
            headers.append((b"x-cascade-cost-estimated", b"true"))
    if answer.saved is not None:
        headers.append((b"x-cascade-saved-usd", _usd(answer.saved)))
    if answer.confidence is not None:
        headers.append((b"x-cascade-confidence", b"%.4f" % answer.confidence))
    if answer.dropped:
        headers.append(_dropped(answer.dropped))
    return headers


def of_beginning(
    asked: Asked,
    identity: str,
    rung: str | None = None,
    model: str | None = None,
    dropped: Sequence[str] = (),
) -> list[Header]:
    """Return what is known of a live stream when its first piece leaves.

    ``rung`` and ``model`` are None where something has to leave before anybody has answered.
    """
    request = asked.request
    status: CacheStatus = "off" if request.cache == "off" else "miss"
    headers = [
        (b"cache-status", _cache_status(status, request)),
        _CACHES[status],
        (b"x-cascade-request-id", identity.encode()),
        *of_identity(identity, asked.dialect),
        (b"server-timing", b"first;dur=%.3f" % (asked.elapsed_s * 1000)),
    ]
    if rung is not None:
        headers.append((b"x-cascade-rung", _safe(rung)))
    if model is not None:
        headers.append((b"x-cascade-model", _safe(model)))
    if dropped:
        headers.append(_dropped(dropped))
    return headers


def _dropped(names: Sequence[str]) -> Header:
    return (b"x-cascade-dropped", ",".join(names).encode())


def _attempts(number: int) -> Header:
    known = number < len(_ATTEMPTS)
    return _ATTEMPTS[number] if known else (b"x-cascade-attempts", b"%d" % number)


def _cache_status(status: CacheStatus, request: Request) -> bytes:
    """Return the value of ``Cache-Status`` (RFC 9211)."""
    if status == "exact":
        return _HIT
    if status == "collapsed":
        return _COLLAPSED
    return _BY_REQUEST if request.cache in ("off", "refresh") else _MISS


@lru_cache(maxsize=1024)
def _safe(name: str) -> bytes:
    """A model's name may come from a provider: nothing of it may end the header's line."""
    shown = "".join(c if " " <= c <= "~" else "?" for c in name[:_LONGEST])
    return shown.encode("ascii")


@lru_cache(maxsize=1024)
def _usd(units: int) -> bytes:
    """Write an amount as US dollars, exactly and without an exponent."""
    whole, rest = divmod(abs(units), money.UNITS_PER_USD)
    digits = f"{whole}.{rest:012d}".rstrip("0").rstrip(".")
    return (f"-{digits}" if units < 0 else digits).encode("ascii")

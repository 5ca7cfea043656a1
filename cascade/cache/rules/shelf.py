"""What may be stored, for how long, and who may take it."""

from __future__ import annotations

from cascade.cache.rules.entry import Entry
from cascade.cache.rules.subjects import is_about_now, is_about_the_asker
from cascade.types import Bar, CacheTable, Request, Response

SPREAD = 0.1
"""Entries live between 90 and 100 % of their time, so that they do not all expire at once."""


def may_store(request: Request, table: CacheTable) -> bool:
    """Whether an answer to this request may be kept, as far as the request can tell."""
    if request.cache == "off":
        return False
    if request.temperature and not table.sampled:
        return False
    if request.tools and not table.tool_calls:
        return False
    return table.per_user or not is_about_the_asker(request)


def may_keep(response: Response, table: CacheTable) -> bool:
    """Whether this answer may be kept: whole, no refusal, no tool calls unless configured."""
    if response.message.refusal:
        return False
    if response.finish_reason == "tool_calls" or response.message.tool_calls:
        return table.tool_calls
    return response.finish_reason == "stop"


def lifetime(request: Request, table: CacheTable, jitter: float) -> float:
    """Seconds to keep an answer; ``jitter`` in [0, 1) spreads the expiry."""
    ttl = min(table.ttl, table.now_ttl) if is_about_now(request) else table.ttl
    return ttl * (1.0 - SPREAD * jitter)


def fresh(entry: Entry, now: float, max_age: float | None) -> bool:
    """Whether the entry is still good. ``now`` is unix time, ``max_age`` seconds."""
    if now >= entry.expires_at:
        return False
    return max_age is None or now - entry.stored_at <= max_age


def takes(entry: Entry, *, bar: Bar | None, rung_index: int, strongest_index: int) -> bool:
    """Whether a request would accept this answer if it were fresh from its rung.

    Args:
        entry: what is stored.
        bar: what this request demands at the entry's rung, None where it accepts unchecked.
        rung_index: the entry's rung on this request's ladder.
        strongest_index: the strongest rung that is open to this request.
    """
    if entry.basis == "reference" and rung_index >= strongest_index:
        return True
    if bar is None:
        return True
    if bar.cleared_by(entry.evidence, entry.confidence):
        return True
    return bar.when_unsure == "accept" and bar.is_unsure(entry.evidence, entry.confidence)

"""What may be stored, for how long, and who may take it."""

from __future__ import annotations

from typing import Final

from cascade.cache.rules.entry import Entry
from cascade.cache.rules.subjects import is_about_now, is_about_the_asker
from cascade.types import Bar, CacheTable, Request, Response

SPREAD: Final = 0.1
"""Entries live between 90 and 100 % of their time, so that they do not all expire at once."""

SLACK: Final = 60.0
"""Seconds by which a clock may have been set back. An older entry cannot be from the future."""


def may_store(request: Request, table: CacheTable) -> bool:
    """Whether an answer to this request may be kept, as far as the request can tell.

    Not where it asks for chance (a temperature above 0), offers tools or forbids it, unless the
    configuration keeps such answers; and never what is somebody's own where nobody is named.
    """
    if request.cache == "off" or not may_look(request, table):
        return False
    kept_apart = table.per_user and request.user is not None
    return kept_apart or not is_about_the_asker(request)


def may_look(request: Request, table: CacheTable) -> bool:
    """Whether stored answers are for requests of this kind, under today's configuration: what was
    kept under another one is not served any more."""
    if request.temperature and not table.sampled:
        return False
    return not request.tools or table.tool_calls


def may_keep(response: Response, table: CacheTable) -> bool:
    """Whether this answer may be kept: whole, no refusal, no tool calls unless configured."""
    message = response.message
    if message.refusal:
        return False
    if response.finish_reason == "tool_calls" or message.tool_calls:
        whole = response.finish_reason in ("tool_calls", "stop") and bool(message.tool_calls)
        return table.tool_calls and whole
    return response.finish_reason == "stop" and bool(message.text.strip())


def lifetime(request: Request, table: CacheTable, jitter: float) -> float:
    """Seconds to keep an answer; ``jitter`` in [0, 1) spreads the expiry."""
    ttl = min(table.ttl, table.now_ttl) if is_about_now(request) else table.ttl
    return ttl * (1.0 - SPREAD * jitter)


def fresh(entry: Entry, now: float, max_age: float | None) -> bool:
    """Whether the entry is still good. ``now`` is unix time; ``max_age`` seconds, 0 takes none."""
    age = now - entry.stored_at
    if now >= entry.expires_at or age < -SLACK:
        return False
    return max_age is None or max(age, 0.0) < max_age


def takes(entry: Entry, *, bar: Bar | None, rung_index: int, strongest_index: int) -> bool:
    """Whether a request would accept this answer if it were fresh from its rung.

    Stored confidence clears nothing: no calibration is in force that could vouch for it.

    Args:
        entry: what is stored.
        bar: what this request demands at the entry's rung, None where it accepts unchecked. It
            says nothing of the strongest rung: whatever is taken there is the reference's.
        rung_index: the entry's rung on this request's ladder.
        strongest_index: the strongest rung that is open to this request.
    """
    if rung_index >= strongest_index:
        return entry.basis == "reference"
    if bar is None:
        return True
    if bar.cleared_by(entry.evidence, None) is not None:
        return True
    return bar.when_unsure == "accept" and bar.is_unsure(entry.evidence, None)

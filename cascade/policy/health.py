"""The standing of an endpoint: whether it is called, as its failures and its own words decide.

An endpoint is *open*; or *closed* until some time, because it failed or asked for it; or, once
that time has come, *on trial*: one call at a time, the probe, goes there, and what becomes of it
decides. (A circuit breaker is named the other way round: where an endpoint is closed its breaker
is open, and on trial is half open.)

Two rules keep the books straight when many calls are under way. A closed endpoint hears nothing
but a request to stay away longer. And a call that began before the last change is old news: it
left before the trouble, or before its end, and can neither lengthen a closing nor lift it.

All times are Unix seconds, all functions are total, and nothing here depends on a clock that runs
evenly: a time further ahead than any closing reaches shows that the clock was set, and counts as
come.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal

import msgspec
from msgspec.structs import replace

from cascade.types import Bucket, Kind, RateLimits

Blame = Literal["none", "passing", "lasting"]

BLAME: Final[dict[Kind, Blame]] = {
    Kind.CALLER: "none",
    Kind.TOO_LONG: "none",
    Kind.FILTERED: "none",
    Kind.UNSUPPORTED: "none",
    Kind.LIMITED: "passing",
    Kind.OVERLOADED: "passing",
    Kind.UNAVAILABLE: "passing",
    Kind.TIMED_OUT: "passing",
    Kind.BROKEN: "passing",
    Kind.MALFORMED: "passing",
    Kind.AUTH: "lasting",
    Kind.QUOTA: "lasting",
    Kind.MISSING: "lasting",
}
"""What a failure says of the endpoint: ``none`` is the request's own fault, ``passing`` may be
gone at the next call, ``lasting`` is mended by people only and closes at once."""

IN_A_ROW: Final = 5
"""Passing failures in a row that close an endpoint which hardly ever fails."""

MOST_IN_A_ROW: Final = 20
"""The most that it takes to close one which often fails."""

CHANCE: Final = 1e-6
"""A row of failures that chance brings more often than this, at the endpoint's own rate, does not
close it. At a rate of 30 % every 590th call ends a row of five."""

SHORTEST: Final = 2.0
LONGEST_PASSING: Final = 60.0
"""Seconds of the first closing for passing failures, and of the longest that doubling reaches."""

SHORTEST_LASTING: Final = 60.0
LONGEST: Final = 300.0
"""The same for lasting failures. No closing reaches further, whoever asks for it: one vendor was
seen to ask for 50 days."""

LAPSE: Final = 60.0
"""Seconds after which a rate limit whose reset was not told is no longer believed."""

A_MOMENT: Final = 0.1
LONGEST_PAUSE: Final = 2.0
"""Seconds between two looks at an endpoint whose probe is out, and the longest peace that is worth
waiting for within one request."""

_MEMORY: Final = 64
"""Successes over which the usual number of failures between two of them is averaged."""

Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an endpoint stands. The default is that of an endpoint nobody has heard of.

    ``failures`` counts those in a row, ``last`` is the kind of the last one; ``strays`` is how
    many usually lie between two successes. ``closed_until`` is None while it is open,
    ``changed_at`` is when it was last closed or opened; a call that began before is old news.
    ``period`` is how many seconds the last closing for failures took. ``probe_since`` and
    ``probe_until`` are of a probe under way. ``limits`` is what was left of its rate limits at
    ``limits_at``.
    """

    failures: Count = 0
    last: Kind | None = None
    strays: Seconds = 0.0
    closed_until: Seconds | None = None
    changed_at: Seconds = 0.0
    period: Seconds = 0.0
    probe_since: Seconds | None = None
    probe_until: Seconds | None = None
    limits: RateLimits | None = None
    limits_at: Seconds = 0.0


CLEAN: Final = Standing()


# --- what happens to it ---


def after_failure(
    standing: Standing, kind: Kind, retry_after: float | None, *, since: float, now: float
) -> Standing:
    """The standing after a call failed that began at ``since``. ``retry_after`` is in seconds.

    The later end of a closing wins. What the endpoint asks for counts whichever call it comes
    with, since it speaks of the time from now on; failures count for those that are heard.
    """
    if BLAME[kind] == "none":
        return after_cancel(standing, since=since)
    asked = max(0.0, retry_after or 0.0)
    heard = _is_heard(standing, since, now)
    failures = standing.failures + heard
    closes = (
        BLAME[kind] == "lasting"
        or failures >= _enough(standing)
        or (standing.closed_until is not None and not asked)
    )
    period = _next_period(standing, kind) if heard and closes else 0.0
    wait = min(max(asked, period), LONGEST)
    if not wait:
        return replace(standing, failures=failures, last=kind) if heard else standing
    if now + wait <= (_closing_end(standing, now) or 0.0):
        return standing
    return replace(
        standing,
        failures=max(failures, 1),
        last=kind,
        closed_until=now + wait,
        changed_at=now,
        period=period or standing.period,
        probe_since=None,
        probe_until=None,
    )


def after_success(standing: Standing, *, since: float, now: float) -> Standing:
    """The standing after a call succeeded that began at ``since``: it opens, and all is forgotten
    but how often it usually fails. A success of old does not open it: the trouble came later."""
    if not _is_heard(standing, since, now):
        return standing
    if standing.closed_until is not None:
        return _opened(standing, now)
    strays = standing.strays + (standing.failures - standing.strays) / _MEMORY
    if strays < 1 / _MEMORY**2:
        strays = 0.0
    if not standing.failures and not standing.period and strays == standing.strays:
        return standing
    return replace(standing, failures=0, last=None, strays=strays, period=0.0)


def after_first_piece(standing: Standing, *, since: float, now: float) -> Standing:
    """The standing once the call that began at ``since`` has shown the first piece of its answer.

    If it is the probe, that is its success: a long answer must not keep the endpoint shut. It
    counts as open from ``since`` on, so that what becomes of the rest is heard as of any call. Only
    a whole answer shortens the next closing: an endpoint may break every stream that it begins.
    """
    if standing.probe_since != since or not _is_heard(standing, since, now):
        return standing
    return replace(_opened(standing, since), period=standing.period)


def after_cancel(standing: Standing, *, since: float) -> Standing:
    """The standing after a call that says nothing of the endpoint. If it was the probe, another
    call may be it."""
    if standing.probe_since is None or standing.probe_since != since:
        return standing
    return replace(standing, probe_since=None, probe_until=None)


def probed(standing: Standing, now: float, patience: float) -> Standing:
    """The standing when a call begins: on trial it is the probe, for ``patience`` seconds at
    most, so that one which is lost does not block the endpoint for ever."""
    if standing.closed_until is None or not is_admitted(standing, now):
        return standing
    until = now + min(max(0.0, patience), LONGEST)
    return replace(standing, probe_since=now, probe_until=until)


def with_limits(standing: Standing, limits: RateLimits, now: float) -> Standing:
    """The standing with what the endpoint has just told of its rate limits."""
    return replace(standing, limits=limits, limits_at=now)


def resumed(standing: Standing, now: float) -> Standing:
    """The standing in a new process: no probe is under way, and a closing for lasting failures
    ends, since whoever starts the program again may have mended it."""
    until = standing.closed_until
    if until is not None and standing.last is not None and BLAME[standing.last] == "lasting":
        until = min(until, now)
    return replace(standing, closed_until=until, probe_since=None, probe_until=None)


# --- what it means ---


def is_admitted(standing: Standing, now: float) -> bool:
    """Whether it may be called now: it is open, or on trial with no probe under way."""
    return opens_at(standing, now) is None


def opens_at(standing: Standing, now: float) -> float | None:
    """When it may be called again, at the latest; None where it may be called now."""
    closed = _closing_end(standing, now)
    return closed if closed is not None else _ahead(standing.probe_until, now)


def reopens_in(standing: Standing, now: float) -> float:
    """Seconds after which it is worth asking again, for people and their clients: the rest of a
    closing; a moment where a probe is out, since it may end at any time; 0 where it is admitted."""
    closed = _closing_end(standing, now)
    if closed is not None:
        return closed - now
    return 0.0 if is_admitted(standing, now) else A_MOMENT


def failing_share(standing: Standing) -> float:
    """The share of its calls that fail, as the recent ones did."""
    return standing.strays / (1.0 + standing.strays)


def asked_pause(standing: Standing, now: float) -> float | None:
    """Seconds after which it is worth looking again, within one request, at an endpoint that is
    not admitted: it merely asked for a moment's peace, or its probe after one is out. None where
    it failed, or asked for longer."""
    if standing.failures >= IN_A_ROW or standing.last not in (Kind.LIMITED, Kind.OVERLOADED):
        return None
    left = (_closing_end(standing, now) or now) - now
    return max(left, A_MOMENT) if left <= LONGEST_PAUSE else None


def is_drained(
    standing: Standing, input_tokens: int, output_tokens: int, pending: int, now: float
) -> bool:
    """Whether, as it said itself, what is left of its rate limits does not hold one more request
    of so many tokens beside ``pending`` others: then a call is likely to earn a 429."""
    limits = standing.limits
    if limits is None:
        return False
    wanted = (
        (limits.requests, pending + 1),
        (limits.tokens, input_tokens + output_tokens),
        (limits.input_tokens, input_tokens),
        (limits.output_tokens, output_tokens),
    )
    return any(
        bucket is not None
        and bucket.remaining < amount
        and _is_current(bucket, standing.limits_at, now)
        for bucket, amount in wanted
    )


def why_closed(standing: Standing, now: float) -> str:
    """For people: whether it may be called, and why not."""
    if standing.closed_until is None:
        return "open"
    kind = "unknown" if standing.last is None else standing.last.replace("_", " ")
    because = (
        f"after a failure ({kind})"
        if standing.failures == 1
        else f"after {standing.failures} failures in a row, the last one {kind}"
    )
    end = _closing_end(standing, now)
    if end is not None:
        return f"closed for {max(end - now, 0.1):.1f} s more {because}"
    probing = not is_admitted(standing, now)
    return f"on trial {because}" + (": one call is finding out" if probing else "")


# --- how it is decided ---


def _is_heard(standing: Standing, since: float, now: float) -> bool:
    """Whether what becomes of a call that began at ``since`` says anything."""
    if _closing_end(standing, now) is not None:
        return False
    return not since < standing.changed_at <= now


def _closing_end(standing: Standing, now: float) -> float | None:
    """The end of the closing that lasts now."""
    return _ahead(standing.closed_until, now)


def _ahead(time: float | None, now: float) -> float | None:
    """The time if it is still to come, and not further ahead than any can be."""
    return time if time is not None and now < time <= now + LONGEST else None


def _opened(standing: Standing, at: float) -> Standing:
    """Open, and all forgotten but how often it usually fails and what it told of its limits."""
    return Standing(
        strays=standing.strays,
        changed_at=at,
        limits=standing.limits,
        limits_at=standing.limits_at,
    )


def _enough(standing: Standing) -> int:
    """How many failures in a row close it: more than its own chance would bring."""
    share = failing_share(standing)
    if share**IN_A_ROW <= CHANCE:
        return IN_A_ROW
    if share**MOST_IN_A_ROW >= CHANCE:
        return MOST_IN_A_ROW
    return math.ceil(math.log(CHANCE) / math.log(share))


def _next_period(standing: Standing, kind: Kind) -> float:
    """Seconds of the next closing: twice the last one, within what the failure's blame allows."""
    if BLAME[kind] == "lasting":
        return min(max(SHORTEST_LASTING, 2 * standing.period), LONGEST)
    return min(max(SHORTEST, 2 * standing.period), LONGEST_PASSING)


def _is_current(bucket: Bucket, told_at: float, now: float) -> bool:
    resets_at = told_at + LAPSE if bucket.resets_at is None else bucket.resets_at
    return told_at <= now < min(resets_at, told_at + LONGEST)

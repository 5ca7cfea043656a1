"""An attempt whose endpoint is watched: it waits outside while the endpoint is closed, and what
becomes of the call is learned from."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from cascade.engine.attempt import Landing, run_attempt
from cascade.engine.standings import Ending, Standings
from cascade.policy import health
from cascade.policy.health import CLEAN
from cascade.policy.model import Call, Failed
from cascade.policy.quantiles import UNKNOWN, hedge_after
from cascade.providers.endpoint import Caller, Progress
from cascade.types import Attempt, Clocks, Delta, Kind, Request, Rung

HANGS = 3.0
"""Times the p95 of the first token after which a call that was cancelled without one has hung."""

FAIR_S = 5.0
"""Seconds after which a time-out is the endpoint's own fault, however little time the caller
gave. Earlier it is, where one of the rung's own clocks ran out."""


async def watched_attempt(
    standings: Standings,
    call: Call,
    caller: Caller,
    rung: Rung,
    request: Request,
    *,
    logprobs: bool,
    stream: bool,
    on_delta: Callable[[Delta], None] | None,
    reserved: frozenset[str],
    alone: bool,
) -> Landing:
    """Make the call, unless its endpoint is closed for now; a cancelled call lands too.

    ``alone`` says that its option has no other endpoint: then a moment's peace that this one
    asked for is waited for here.
    """
    name = caller.endpoint.name
    if not await _admitted(standings, name, waits=alone):
        return _turned_away(standings, call, caller, rung)
    patience = _patience(standings, name)
    since = standings.begins(name, call.clocks.total)
    progress = Progress(on_delta)
    landing: Landing | None = None
    try:
        landing = await run_attempt(
            call,
            caller,
            rung,
            request,
            progress,
            logprobs=logprobs,
            stream=stream,
            reserved=reserved,
        )
        return landing
    finally:
        standings.ended(name, since, _ending(landing, progress, rung, stream, patience))


async def _admitted(standings: Standings, name: str, *, waits: bool) -> bool:
    """Whether the endpoint takes the call, at once or after the pause that it asked for."""
    until = standings.now() + health.LONGEST_PAUSE
    while not standings.is_admitted(name):
        now = standings.now()
        pause = health.asked_pause(standings.standings.get(name, CLEAN), now)
        if not waits or pause is None or now + pause > until:
            return False
        try:
            await asyncio.sleep(pause)
        except asyncio.CancelledError:  # as any call that is cancelled, it lands
            return False
    return True


def _patience(standings: Standings, name: str) -> float:
    """Seconds after which a call without a first token hangs, as this endpoint's calls go."""
    usual = hedge_after(standings.habits.get(name, UNKNOWN))
    return math.inf if usual is None else HANGS * usual


def _turned_away(standings: Standings, call: Call, caller: Caller, rung: Rung) -> Landing:
    """The endpoint was closed since the plan was made: nothing is sent, and nothing is owed."""
    endpoint = caller.endpoint
    standing = standings.standings.get(endpoint.name, CLEAN)
    now = standings.now()
    opens = health.opens_at(standing, now)
    kind = standing.last or Kind.UNAVAILABLE
    attempt = Attempt(
        rung=rung.name,
        endpoint=endpoint.name,
        model=endpoint.model,
        purpose="answer",
        result="refused",
        kind=kind,
        why=health.why_closed(standing, now),
        cost=0,
    )
    pause = health.asked_pause(standing, now)
    wait = pause if pause is not None or opens is None else opens - now
    return Landing(Failed(call.call, kind, 0, wait), attempt)


def _ending(
    landing: Landing | None,
    progress: Progress,
    rung: Rung,
    stream: bool,
    patience: float,
) -> Ending:
    """What the call's end tells of its endpoint."""
    sent = stream and progress.sent_at is not None
    if landing is None or landing.defect is not None:
        return Ending(blameless=True, limits=progress.limits)
    attempt, event = landing.attempt, landing.event
    cancelled = attempt.result == "cancelled"
    # A hedge that wins ends the slow call: else nobody would ever learn that it hangs.
    hung = cancelled and sent and attempt.first_token_s is None and attempt.latency_s > patience
    kind = attempt.kind if attempt.result == "failed" else None
    return Ending(
        kind=Kind.TIMED_OUT if hung else kind,
        retry_after=event.retry_after if isinstance(event, Failed) else None,
        blameless=(cancelled and not hung) or landing.ours or _was_hurried(attempt, rung),
        limits=progress.limits,
        watched=sent,
        first_token_s=attempt.first_token_s,
        latency_s=attempt.latency_s,
        output_tokens=_length(landing),
    )


def _was_hurried(attempt: Attempt, rung: Rung) -> bool:
    """Whether it timed out because its caller gave it less time than is fair."""
    if attempt.kind is not Kind.TIMED_OUT:
        return False
    clocks = rung.clocks
    own: list[float] = [
        clock for name in Clocks.__struct_fields__ if (clock := getattr(clocks, name)) is not None
    ]
    return attempt.latency_s < min(FAIR_S, *own)


def _length(landing: Landing) -> int | None:
    """The answer's length in tokens, None where it was cut or is not known."""
    response = landing.response
    if response is None or response.finish_reason == "length":
        return None
    usage = landing.attempt.usage
    return None if usage is None or landing.attempt.estimated else usage.output_tokens

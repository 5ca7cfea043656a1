"""An attempt whose endpoint is watched: it waits outside while the endpoint is closed, and what
becomes of the call is learned from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from cascade.engine.attempt import Landing, run_attempt
from cascade.engine.standings import Ending, Standings
from cascade.policy import health
from cascade.policy.blame import ClockName, is_held_against
from cascade.policy.health import CLEAN
from cascade.policy.model import Call, Failed
from cascade.policy.quantiles import UNKNOWN
from cascade.providers.endpoint import Caller, Progress, Unsent
from cascade.providers.watchdog import ClockRanOut
from cascade.types import Attempt, Clocks, Delta, Kind, Request, Rung


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
    waits: bool,
) -> Landing:
    """Make the call, unless its endpoint is closed for now; a cancelled call lands too.

    ``waits`` says that a moment's peace which the endpoint asked for is waited for here: nobody
    else could be called meanwhile.
    """
    name = caller.endpoint.name
    try:
        waited = await _admission(standings, name, waits=waits)
    except asyncio.CancelledError:  # as any call that is cancelled, it lands
        return _unsent(call, caller, rung, "cancelled", Kind.BROKEN, None, None)
    if waited is None:
        return _turned_away(standings, call, caller, rung)
    if waited:
        call = replace(call, clocks=_shortened(call.clocks, waited))
    since = standings.begins(name, _patience(call.clocks, stream))
    hearing = _Hearing(standings, name, since, on_delta) if stream else None
    progress = Progress(hearing, lambda limits: standings.told(name, limits))
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
        ending = Ending(blameless=True)
        if landing is not None and landing.defect is None:
            seen = stream and progress.sent_at is not None
            ending = _ending(standings, landing, call, name, rung.clocks, seen)
        standings.ended(name, since, ending)


class _Hearing:
    """Hears a stream's pieces: the first one shows that the endpoint is at work."""

    def __init__(
        self,
        standings: Standings,
        name: str,
        since: float,
        on_delta: Callable[[Delta], None] | None,
    ) -> None:
        self._standings, self._name, self._since = standings, name, since
        self._on_delta = on_delta
        self._told = False

    def __call__(self, delta: Delta) -> None:
        if not self._told and (delta.has_content or delta.reasoning):
            self._told = True
            self._standings.speaks(self._name, self._since)
        if self._on_delta is not None:
            self._on_delta(delta)


async def _admission(standings: Standings, name: str, *, waits: bool) -> float | None:
    """Wait until the endpoint takes the call; return for how many seconds, None where it does
    not, at once or after the pause that it asked for."""
    waited = 0.0
    while not standings.is_admitted(name):
        pause = health.asked_pause(standings.standings.get(name, CLEAN), standings.now())
        if not waits or pause is None or waited + pause > health.LONGEST_PAUSE:
            return None
        await asyncio.sleep(pause)
        waited += pause
    return waited


def _shortened(clocks: Clocks, waited: float) -> Clocks:
    """What is left of a call's time after it has waited outside."""
    if clocks.total is None:
        return clocks
    return replace(clocks, total=max(0.0, clocks.total - waited))


def _patience(clocks: Clocks, stream: bool) -> float | None:
    """How long the call may take to show that the endpoint is at work."""
    limits = (clocks.total, clocks.first_token if stream else None)
    return min((limit for limit in limits if limit is not None), default=None)


def _turned_away(standings: Standings, call: Call, caller: Caller, rung: Rung) -> Landing:
    """The endpoint was closed since the plan was made: nothing is sent, and nothing is owed."""
    standing, now = standings.standings.get(caller.endpoint.name, CLEAN), standings.now()
    kind = standing.last or Kind.UNAVAILABLE
    why = health.why_closed(standing, now)
    wait = health.reopens_in(standing, now)
    return _unsent(call, caller, rung, "refused", kind, why, wait)


def _unsent(
    call: Call,
    caller: Caller,
    rung: Rung,
    result: Literal["refused", "cancelled"],
    kind: Kind,
    why: str | None,
    wait: float | None,
) -> Landing:
    """The landing of a call that never left."""
    endpoint = caller.endpoint
    attempt = Attempt(
        rung=rung.name,
        endpoint=endpoint.name,
        model=endpoint.model,
        purpose="answer",
        result=result,
        kind=kind if result == "refused" else None,
        why=why,
        cost=0,
    )
    return Landing(Failed(call.call, kind, 0, wait), attempt)


def _ending(
    standings: Standings, landing: Landing, call: Call, name: str, own: Clocks, seen: bool
) -> Ending:
    """What the call's end tells of its endpoint. ``seen`` says that a first token would have been
    seen."""
    attempt, failure = landing.attempt, landing.failure
    cancelled = attempt.result == "cancelled"
    held = is_held_against(
        standings.habits.get(name, UNKNOWN),
        kind=None if failure is None else failure.kind,
        cancelled=cancelled,
        blames=failure is None or failure.blames,
        clock=_clock_of(failure),
        clocks=call.clocks,
        own=own,
        elapsed=attempt.latency_s,
        spoke=attempt.first_token_s is not None if seen else None,
    )
    kind = Kind.TIMED_OUT if cancelled else None if failure is None else failure.kind
    return Ending(
        kind=kind if held else None,
        retry_after=None if failure is None else failure.retry_after,
        blameless=not held and (cancelled or failure is not None),
        watched=seen,
        first_token_s=attempt.first_token_s,
        latency_s=attempt.latency_s,
        output_tokens=_length(landing),
    )


def _clock_of(failure: Exception | None) -> ClockName | None:
    """Which of our clocks ended the call."""
    return failure.clock if isinstance(failure, ClockRanOut | Unsent) else None


def _length(landing: Landing) -> int | None:
    """The answer's length in tokens, None where it was cut or is not known."""
    response = landing.response
    if response is None or response.finish_reason == "length":
        return None
    usage = landing.attempt.usage
    return None if usage is None or landing.attempt.estimated else usage.output_tokens

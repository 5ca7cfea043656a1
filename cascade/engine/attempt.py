"""One attempt: a call, the checks on its answer, its bill, and the record of all that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from cascade import money
from cascade.checks import structure
from cascade.checks.logprobs import evidence as read_evidence
from cascade.engine.estimate import count_whole, estimate_cut_off
from cascade.engine.showing import shown
from cascade.policy.model import Answered, Call, Candidate, Failed
from cascade.providers.endpoint import Caller, Progress, Unsent
from cascade.types import (
    Attempt,
    Delta,
    Evidence,
    Kind,
    Request,
    Response,
    Result,
    Rung,
    Usage,
)
from cascade.wire.failures import CallFailure

_SILENT = frozenset({Kind.TIMED_OUT, Kind.BROKEN, Kind.MALFORMED})
"""Failures after which the provider may have worked, and may send a bill."""


class Landing(msgspec.Struct, frozen=True):
    """How an attempt ended: the machine's event, the record, and the answer if there is one."""

    event: Answered | Failed
    attempt: Attempt
    response: Response | None = None


async def run_attempt(
    call: Call,
    caller: Caller,
    rung: Rung,
    request: Request,
    *,
    logprobs: bool,
    stream: bool,
    on_delta: Callable[[Delta], None] | None,
) -> Landing:
    """Make the call and judge what came back. A cancelled call lands too: it may have a bill."""
    started = asyncio.get_running_loop().time()
    progress = Progress(on_delta)
    record = _Record(call, caller, rung, request, progress, started)
    try:
        response = await caller.call(
            request,
            progress,
            clocks=call.clocks,
            limit=call.limit,
            logprobs=logprobs,
            stream=stream,
        )
    except CallFailure as failure:
        return record.failed(failure)
    except asyncio.CancelledError:
        # The machine's own Cancel, or the engine's closing: either way the bill is recorded.
        return record.cancelled()
    return await record.answered(response)


class _Record:
    """What is needed to make an ``Attempt`` of a call, however it ends."""

    def __init__(
        self,
        call: Call,
        caller: Caller,
        rung: Rung,
        request: Request,
        progress: Progress,
        started: float,
    ) -> None:
        self.call, self.caller, self.rung = call, caller, rung
        self.request, self.progress, self.started = request, progress, started

    async def answered(self, response: Response) -> Landing:
        verdict = structure.inspect(
            response,
            self.request,
            pattern=self.rung.pattern,
            own_limit=self.call.own_limit,
        )
        evidence = read_evidence(response)
        usage, estimated = response.usage, False
        if usage is None:
            usage, estimated = await self._count(response), True
        cost = self._cost(usage)
        candidate = Candidate(
            ref=self.call.call,
            option=self.call.option,
            usable=verdict.refuted is None,
            storable=verdict.complete and not verdict.declined,
            declined=verdict.declined,
            evidence=evidence,
        )
        attempt = self._attempt(
            "short" if verdict.refuted is None else "refuted",
            usage=usage,
            cost=cost,
            estimated=estimated,
            response=response,
            evidence=evidence,
            why=verdict.refuted,
        )
        event = Answered(self.call.call, candidate, cost or 0)
        return Landing(event, attempt, shown(response, self.request))

    def failed(self, failure: CallFailure) -> Landing:
        billable = failure.kind in _SILENT and not isinstance(failure, Unsent)
        usage = self._partial_usage() if billable else None
        cost = self._cost(usage) if billable else 0
        attempt = self._attempt(
            "failed",
            kind=failure.kind,
            why=failure.message,
            usage=usage,
            cost=cost,
            estimated=billable,
            response=self.progress.partial(),
        )
        event = Failed(self.call.call, failure.kind, cost or 0, failure.retry_after)
        return Landing(event, attempt)

    def cancelled(self) -> Landing:
        usage = self._partial_usage() if self.progress.sent else None
        cost = self._cost(usage) if self.progress.sent else 0
        attempt = self._attempt(
            "cancelled",
            usage=usage,
            cost=cost,
            estimated=self.progress.sent,
            response=self.progress.partial(),
        )
        return Landing(Failed(self.call.call, Kind.BROKEN, cost or 0), attempt)

    def _partial_usage(self) -> Usage:
        partial = self.progress.partial()
        if partial is not None and partial.usage is not None:
            return partial.usage
        return estimate_cut_off(
            self.request,
            partial,
            unseen_s=self._now() - (self.progress.last_at or self.started),
            limit=self.call.limit or self.request.max_tokens,
        )

    async def _count(self, response: Response) -> Usage:
        """Counting is CPU work, and the first time loads the vocabulary: off the loop."""
        loop = asyncio.get_running_loop()
        counting = loop.run_in_executor(None, count_whole, self.request, response)
        while True:
            try:
                return await asyncio.shield(counting)
            except asyncio.CancelledError:
                if counting.cancelled():
                    raise
                # Whoever stops the call now still owes for it: the bill is finished first.

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _cost(self, usage: Usage | None) -> int | None:
        price = self.caller.endpoint.price
        return None if price is None or usage is None else money.bill(price, usage)

    def _attempt(
        self,
        result: Result,
        *,
        usage: Usage | None,
        cost: int | None,
        estimated: bool,
        response: Response | None,
        kind: Kind | None = None,
        why: str | None = None,
        evidence: Evidence | None = None,
    ) -> Attempt:
        first = self.progress.first_at
        return Attempt(
            rung=self.rung.name,
            endpoint=self.caller.endpoint.name,
            model=response.model if response is not None else self.caller.endpoint.model,
            purpose="answer",
            result=result,
            kind=kind,
            why=why,
            evidence=evidence or Evidence(),
            text="" if response is None else response.message.text,
            usage=usage,
            cost=cost,
            estimated=estimated,
            overrun=bool(self.call.hold) and (cost or 0) > self.call.hold,
            latency_s=self._now() - self.started,
            first_token_s=None if first is None else first - self.started,
        )

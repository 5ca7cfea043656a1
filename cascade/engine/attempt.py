"""One attempt: a call, the checks on its answer, its bill, and the record of all that."""

from __future__ import annotations

import asyncio

import msgspec

from cascade.checks import structure
from cascade.checks.logprobs import evidence as read_evidence
from cascade.engine.estimate import NOTHING, Bill, count_whole, estimate_cut_off, reported
from cascade.engine.showing import shown
from cascade.policy.model import Answered, Call, Candidate, Failed
from cascade.providers.endpoint import Caller, Progress, Unsent
from cascade.types import (
    Attempt,
    Evidence,
    Kind,
    Request,
    Response,
    Result,
    Rung,
)
from cascade.wire.failures import CallFailure

MOST_TOKENS = 10**9
"""Tokens beyond which a reported usage is no usage: no model reads or writes as many."""


class Landing(msgspec.Struct, frozen=True):
    """How an attempt ended: the machine's event, the record, and the answer if there is one.

    ``failure`` is why the call failed, where it did. ``defect`` is an error that is no failure of
    the call: it must reach the caller.
    """

    event: Answered | Failed
    attempt: Attempt
    response: Response | None = None
    failure: CallFailure | None = None
    defect: Exception | None = None


async def run_attempt(
    call: Call,
    caller: Caller,
    rung: Rung,
    request: Request,
    progress: Progress,
    *,
    logprobs: bool,
    stream: bool,
    reserved: frozenset[str] = frozenset(),
) -> Landing:
    """Make the call and judge what came back. A cancelled call lands too: it may have a bill.

    ``progress`` outlives the call; ``reserved`` are tools that this rung may not call.
    """
    started = asyncio.get_running_loop().time()
    record = _Record(call, caller, rung, request, progress, started, reserved)
    try:
        record.response = await caller.call(
            request,
            progress,
            clocks=call.clocks,
            limit=call.limit,
            logprobs=logprobs,
            stream=stream,
        )
        return await record.answered(record.response)
    except CallFailure as failure:
        return record.failed(failure)
    except asyncio.CancelledError:
        # The machine's own Cancel, or the engine's closing: either way the bill is recorded.
        return record.cancelled()
    except Exception as error:  # noqa: BLE001 - handed on, beside the bill that it leaves behind
        return record.broken_down(error)


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
        reserved: frozenset[str],
    ) -> None:
        self.call, self.caller, self.rung = call, caller, rung
        self.request, self.progress, self.started = request, progress, started
        self.reserved = reserved
        self.response: Response | None = None

    async def answered(self, response: Response) -> Landing:
        verdict = structure.inspect(
            response,
            self.request,
            pattern=self.rung.pattern,
            own_limit=self.call.own_limit,
            reserved=self.reserved,
        )
        evidence = read_evidence(response)
        usage = response.usage
        if usage is None or max(usage.input_tokens, usage.output_tokens) > MOST_TOKENS:
            bill = await self._count(response)
        else:
            bill = reported(usage, self.caller.endpoint)
        candidate = Candidate(
            ref=self.call.call,
            option=self.call.option,
            usable=verdict.refuted is None,
            storable=verdict.complete and not verdict.declined,
            declined=verdict.declined,
            reserved=verdict.reserved,
            evidence=evidence,
        )
        attempt = self._attempt(
            "short" if verdict.refuted is None else "refuted",
            bill=bill,
            response=response,
            evidence=evidence,
            why=verdict.refuted,
        )
        event = Answered(self.call.call, candidate, bill.cost or 0)
        return Landing(event, attempt, shown(response, self.request))

    def failed(self, failure: CallFailure) -> Landing:
        if failure.response is not None:  # what came, though it is no answer, has its usage
            self.response = failure.response
        bill = NOTHING if isinstance(failure, Unsent) else self._bill_of_a_part()
        attempt = self._attempt(
            "failed",
            kind=failure.kind,
            why=failure.message,
            bill=bill,
            response=self.response or self.progress.partial(),
        )
        event = Failed(
            self.call.call, failure.kind, bill.cost or 0, failure.retry_after, failure.needs
        )
        return Landing(event, attempt, failure=failure)

    def cancelled(self) -> Landing:
        bill = self._bill_of_a_part()
        attempt = self._attempt("cancelled", bill=bill, response=self.progress.partial())
        return Landing(Failed(self.call.call, Kind.BROKEN, bill.cost or 0), attempt)

    def broken_down(self, error: Exception) -> Landing:
        bill = self._bill_of_a_part()
        response = self.response or self.progress.partial()
        attempt = self._attempt("failed", why=type(error).__name__, bill=bill, response=response)
        event = Failed(self.call.call, Kind.BROKEN, bill.cost or 0)
        return Landing(event, attempt, defect=error)

    def _bill_of_a_part(self) -> Bill:
        """What may be owed for a call that gave no answer. What came decides, not what failed."""
        if not self.progress.may_cost:
            return NOTHING
        endpoint = self.caller.endpoint
        received = self.response or self.progress.partial()
        final = self.response is not None or self.progress.accounted
        if final and received is not None and received.usage is not None:
            return reported(received.usage, endpoint)
        return estimate_cut_off(
            self.request,
            received,
            endpoint,
            unseen_s=self.progress.unseen_s(self._now()),
            unread=0 if self.response is not None else self.progress.body,
            limit=self._limit(),
            hold=self.call.hold,
        )

    async def _count(self, response: Response) -> Bill:
        """Counting is CPU work, and the first time loads the vocabulary: off the loop."""
        loop = asyncio.get_running_loop()
        endpoint = self.caller.endpoint
        counting = loop.run_in_executor(
            None, count_whole, self.request, response, endpoint, self._limit()
        )
        while True:
            try:
                return await asyncio.shield(counting)
            except asyncio.CancelledError:
                if counting.cancelled():
                    raise
                # Whoever stops the call now still owes for it: the bill is finished first.

    def _limit(self) -> int | None:
        """The output limit that was sent, in tokens."""
        return self.request.max_tokens if self.call.limit is None else self.call.limit

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _attempt(
        self,
        result: Result,
        *,
        bill: Bill,
        response: Response | None,
        kind: Kind | None = None,
        why: str | None = None,
        evidence: Evidence | None = None,
    ) -> Attempt:
        first = self.progress.first_at
        return Attempt(
            rung=self.rung.name,
            endpoint=self.caller.endpoint.name,
            model=(response and response.model) or self.caller.endpoint.model,
            purpose="answer",
            result=result,
            kind=kind,
            why=why,
            evidence=evidence or Evidence(),
            text="" if response is None else response.message.text,
            usage=bill.usage,
            cost=bill.cost,
            estimated=bill.estimated,
            overrun=bool(self.call.hold) and (bill.cost or 0) > self.call.hold,
            latency_s=self._now() - self.started,
            first_token_s=None if first is None else first - self.started,
        )

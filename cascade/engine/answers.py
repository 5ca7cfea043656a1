"""From how a request ended to what its caller gets: an answer, or an error that says why."""

from __future__ import annotations

import os
from itertools import groupby

from cascade import money
from cascade.cache.rules.entry import Entry
from cascade.engine.acceptance import Place
from cascade.engine.loop import Ended
from cascade.errors import (
    Broken,
    CapTooLow,
    CascadeError,
    Closed,
    DeadlineExceeded,
    Failed,
    Rejected,
)
from cascade.policy.model import Plan
from cascade.policy.parameters import dropped
from cascade.types import (
    Answer,
    Attempt,
    CacheStatus,
    Complexity,
    Endpoint,
    Ladder,
    Request,
    Response,
    Usage,
)
from cascade.wire.codec import Asking
from cascade.wire.codecs import CODECS

_WHY = {
    "gave_up": "no rung is left",
    "deadline": "the deadline came first",
    "cap": "the cost cap leaves no room",
    "caller": "a provider refused the request",
}


def new_id() -> str:
    """An id that nobody can guess."""
    return "ans_" + os.urandom(12).hex()


def from_ended(
    ended: Ended,
    plan: Plan,
    request: Request,
    ladder: Ladder,
    complexity: Complexity,
    *,
    id: str,  # noqa: A002 - it is the answer's own name for it
    latency_s: float,
    cache: CacheStatus,
) -> Answer:
    """The answer of a request whose calls were made for it."""
    response, chosen = ended.response, ended.chosen
    if response is None or chosen is None:
        raise failure(ended, plan)
    rung = next(rung for rung in ladder.rungs if rung.name == chosen.rung)
    endpoint = next(e for e in rung.endpoints if e.name == chosen.endpoint)
    cost = total_cost(ended.attempts)
    return Answer(
        id=id,
        response=response,
        rung=chosen.rung,
        model=response.model or chosen.model,
        endpoint=chosen.endpoint,
        outcome=ended.finish.outcome,
        basis=ended.finish.basis,
        complexity=complexity,
        cache=cache,
        confidence=chosen.confidence,
        cost=cost,
        saved=_saved(ladder, chosen.usage, cost),
        latency_s=latency_s,
        first_token_s=chosen.first_token_s,
        usage=chosen.usage,
        dropped=_dropped(request, endpoint),
        attempts=ended.attempts,
        why=_WHY.get(ended.finish.why, ""),
    )


def from_entry(
    entry: Entry,
    request: Request,
    ladder: Ladder,
    place: Place,
    *,
    latency_s: float,
    cache: CacheStatus,
    now: float,
) -> Answer:
    """The answer of a request for which nothing had to be called. ``now`` is unix time.

    The rung has its name of today, which may be another one than when the answer was stored.
    """
    response = entry.response
    return Answer(
        id=new_id(),
        response=response,
        rung=place.rung.name,
        model=entry.model,
        endpoint=entry.endpoint,
        outcome="accepted",
        basis=entry.basis,
        complexity=entry.complexity,
        cache=cache,
        age_s=max(0.0, now - entry.stored_at),
        confidence=entry.confidence,
        cost=0,
        saved=_saved(ladder, response.usage, 0),
        latency_s=latency_s,
        usage=response.usage,
        dropped=_dropped(request, place.endpoint),
    )


def _dropped(request: Request, endpoint: Endpoint) -> tuple[str, ...]:
    """What did not reach the model as it was given: advisory parameters that it lacks or that its
    protocol has no place for beside the others, and what no model is sent."""
    lacked = dropped(request, endpoint.lacks)
    asking = Asking(endpoint.model, max_output=endpoint.max_output, lacks=endpoint.lacks)
    changed = CODECS[endpoint.protocol].left_out(request, asking)
    names = lacked if not changed else (*lacked, *(n for n in changed if n not in lacked))
    return names if not request.ignored else (*names, *request.ignored)


def total_cost(attempts: tuple[Attempt, ...]) -> int | None:
    """What all attempts cost together; None as soon as one of them has no known price."""
    total = 0
    for attempt in attempts:
        if attempt.cost is None:
            return None
        total += attempt.cost
    return total


def _saved(ladder: Ladder, usage: Usage | None, cost: int | None) -> int | None:
    """Against the ladder's reference, had it given an answer of the same size at once."""
    price = ladder.rungs[-1].endpoints[0].price
    if price is None or usage is None or cost is None:
        return None
    return money.bill(price, usage) - cost


def failure(ended: Ended, plan: Plan) -> CascadeError:
    """The error that says what happened, attempt by attempt."""
    finish, attempts = ended.finish, ended.attempts
    story = _told(attempts)
    if ended.trouble is not None:
        story += f" Of the rule that was given: {ended.trouble}; that counts as no choice."
    if (used_up := _used_up(attempts, plan)) is not None:
        story += f" {used_up}"
    if finish.outcome == "cancelled":  # its caller would not ask: somebody else closed us
        return Closed(f"It was closed while the request was under way. {story}")
    if finish.outcome == "broken":
        return Broken(f"the stream broke after its first byte had left. {story}", attempts)
    if finish.why == "cap":
        cheapest = money.to_usd(_cheapest(plan))
        return CapTooLow(
            f"max_cost = {money.show(plan.cap)}: the cheapest call may cost"
            f" {money.show(_cheapest(plan))}. Raise the cap or shorten the request.",
            cheapest,
        )
    if finish.why == "deadline":
        return DeadlineExceeded(f"no answer before the deadline. {story}", attempts)
    if finish.why == "caller":
        return Rejected(f"the provider refused the request. {story}", attempts)
    return Failed(f"no rung gave an answer. {story}", attempts)


def _used_up(attempts: tuple[Attempt, ...], plan: Plan) -> str | None:
    """That the cap is why nobody else was called, where it is."""
    spent = total_cost(attempts)
    if plan.cap is None or not attempts or spent is None or spent + _cheapest(plan) <= plan.cap:
        return None
    guessed = sum(attempt.cost or 0 for attempt in attempts if attempt.estimated)
    may = f", {money.show(guessed)} of it at most, by estimate" if guessed else ""
    return (
        f"max_cost = {money.show(plan.cap)} leaves no room for another call:"
        f" {money.show(spent)} is spent{may}."
    )


def _cheapest(plan: Plan) -> int:
    """The least that any call of this plan may have to hold, in money units."""
    return min(
        offer.input_hold + option.floor * offer.output_price
        for option in plan.options
        for offer in option.offers
        if offer.input_hold is not None and offer.output_price is not None
    )


def _told(attempts: tuple[Attempt, ...]) -> str:
    """All attempts in order, those that went alike together."""
    if not attempts:
        return "No call was made."
    alike = [(words, len(list(group))) for words, group in groupby(map(_told_once, attempts))]
    told = [words if times == 1 else f"{words} ({times} times)" for words, times in alike]
    return "Attempts: " + "; ".join(told) + "."


def _told_once(attempt: Attempt) -> str:
    where = "" if attempt.endpoint == attempt.rung else f" at {attempt.endpoint}"
    kind = f" ({attempt.kind.value})" if attempt.kind else ""
    why = f": {attempt.why}" if attempt.why else ""
    return f"{attempt.rung}{where} {attempt.result}{kind}{why}"


def entry_of(
    ended: Ended,
    response: Response,
    chosen: Attempt,
    complexity: Complexity,
    *,
    now: float,
    lifetime: float,
    tags: tuple[str, ...],
) -> Entry | None:
    """What is kept of an accepted answer. ``now`` is unix time, ``lifetime`` seconds."""
    if ended.finish.basis is None:
        return None
    return Entry(
        response=response,
        rung=chosen.rung,
        endpoint=chosen.endpoint,
        model=response.model or chosen.model,
        basis=ended.finish.basis,
        complexity=complexity,
        stored_at=now,
        expires_at=now + lifetime,
        evidence=chosen.evidence,
        confidence=chosen.confidence,
        cost=total_cost(ended.attempts),
        tags=tags,
    )

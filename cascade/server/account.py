"""What an answer's body tells beyond the answer: who gave it, why, at what cost."""

from __future__ import annotations

import time
from typing import Any

from msgspec.structs import replace

from cascade.types import Answer, Attempt, Response


def named(answer: Answer) -> Response:
    """The answer's response with an id and a time, which clients rely on. Where the provider sent
    none, the answer's own id and the present stand there."""
    response = answer.response
    if response.id and response.created:
        return response
    return replace(
        response,
        id=response.id or answer.id,
        created=response.created or int(time.time()),
    )


def account(answer: Answer) -> dict[str, Any]:
    """The ``cascade`` object of an answer. US dollars and seconds; what is not known is null."""
    return {
        "id": answer.id,
        "rung": answer.rung,
        "endpoint": answer.endpoint,
        "model": answer.model,
        "outcome": answer.outcome,
        "basis": answer.basis,
        "confidence": answer.confidence,
        "cache": answer.cache,
        "age_s": answer.age_s,
        "cost_usd": answer.cost_usd,
        "saved_usd": answer.saved_usd,
        "saved_basis": answer.saved_basis,
        "latency_s": answer.latency_s,
        "first_token_s": answer.first_token_s,
        "level": answer.complexity.level,
        "dropped": answer.dropped,
        "attempts": [attempted(attempt) for attempt in answer.attempts],
    }


def attempted(attempt: Attempt) -> dict[str, Any]:
    """One call as JSON. Its text is left out: it is the answer's, or was not good enough."""
    return {
        "rung": attempt.rung,
        "endpoint": attempt.endpoint,
        "model": attempt.model,
        "purpose": attempt.purpose,
        "result": attempt.result,
        "kind": attempt.kind,
        "why": attempt.why,
        "confidence": attempt.confidence,
        "cost_usd": attempt.cost_usd,
        "estimated": attempt.estimated,
        "latency_s": attempt.latency_s,
    }

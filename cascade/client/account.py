"""An answer's account as JSON: who gave it, why, at what cost. US dollars and seconds."""

from __future__ import annotations

from typing import Any

from cascade.types import Answer, Attempt


def account(answer: Answer) -> dict[str, Any]:
    """What an answer tells beyond its text. What is not known is null."""
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
        "cost_estimated": answer.estimated,
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

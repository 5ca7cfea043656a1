"""An answer's story in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascade.money import show

if TYPE_CHECKING:
    from cascade.types.answer import Answer, Attempt

_BASES = {
    "confidence": "its confidence cleared the bar",
    "rule": "it cleared the rung's bar for a {level} request",
    "reference": "it is the strongest model open to this request",
    "unchecked": "it was accepted without a check",
}


def tell(answer: Answer) -> str:
    """Who answered, why, what it cost, what that saved; and what is not known."""
    parts = [_who(answer), _cost(answer)]
    if not answer.calibrated:
        parts.append("not calibrated")
    return "; ".join(parts) + "."


def _who(answer: Answer) -> str:
    if answer.cache == "exact":
        return f"From the cache ({_age(answer.age_s or 0.0)} old), first answered by {answer.rung}"
    if answer.cache == "collapsed":
        return f"Shared with an identical request in flight, answered by {answer.rung}"
    climbed = [
        f"{attempt.rung} {_fate(attempt)}"
        for attempt in answer.attempts
        if attempt.result not in ("accepted", "hedge_lost") and attempt.purpose == "answer"
    ]
    after = f" after {_listed(climbed)}" if climbed and answer.outcome == "accepted" else ""
    if answer.outcome == "accepted" and answer.basis is not None:
        return f"{answer.rung} answered{after}: {_BASES[answer.basis].format(level=answer.level)}"
    if answer.outcome == "best_effort":
        return f"{answer.rung} gave the best answer in hand, below its bar ({answer.why})"
    return f"{answer.rung}: the answer was {answer.outcome}"


def _fate(attempt: Attempt) -> str:
    if attempt.result == "failed" and attempt.kind is not None:
        return f"failed ({attempt.kind.value.replace('_', ' ')})"
    if attempt.result == "short":
        return "fell short"
    return f"was {attempt.result}"


def _cost(answer: Answer) -> str:
    text = f"it cost {show(answer.cost)}"
    if answer.saved is None:
        return f"{text}; what that saved is not known"
    if answer.saved < 0:
        return f"{text}, {show(-answer.saved)} more than the strongest model alone (modelled)"
    return f"{text} and saved {show(answer.saved)} against the strongest model (modelled)"


def _age(seconds: float) -> str:
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]

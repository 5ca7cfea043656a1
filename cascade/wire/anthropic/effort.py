"""How hard a model shall think, as this protocol says it: ``thinking`` and ``output_config``."""

from __future__ import annotations

from typing import Any

from cascade.errors import UnsupportedParameter
from cascade.types import Request
from cascade.wire.anthropic.blocks import is_own

__all__ = ["effort_of", "thinking_of"]

_EFFORTS = {
    "none": None,  # thinking is disabled instead
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
_LEAST_BUDGET = 1024
# Newer models show nothing of their thoughts unless they are asked to, and a stream that is silent
# while its model thinks looks dead.
_SHOWN = "summarized"


def effort_of(request: Request, lacks: frozenset[str]) -> str | None:
    """Return the effort to ask for, None for none.

    Raises:
        UnsupportedParameter: an effort that the protocol does not know.
    """
    wanted = request.reasoning_effort
    if wanted is None or "reasoning_effort" in lacks:
        return None
    if wanted not in _EFFORTS:
        mend = f"Send one of {', '.join(_EFFORTS)}"
        raise UnsupportedParameter("reasoning_effort", wanted, "Anthropic does not know it", mend)
    return _EFFORTS[wanted]


def thinking_of(request: Request, lacks: frozenset[str], limit: int) -> dict[str, Any] | None:
    """Return how to think, None to leave it to the model. ``limit`` is the output's, in tokens,
    and thoughts count against it: a budget that does not fit is cut, or not sent.

    An effort, and a budget for a model that takes none, mean that the model thinks as it sees
    fit. A call that must be made and thinking exclude each other: the call binds, so it wins.
    """
    effort = request.reasoning_effort if "reasoning_effort" not in lacks else None
    budget = request.reasoning_budget
    takes_budget = "reasoning_budget" not in lacks
    if effort == "none" or (budget == 0 and takes_budget):
        return {"type": "disabled"}
    choice = request.tool_choice
    if request.tools and choice is not None and choice.mode in ("required", "function"):
        return None
    if budget is not None and budget > 0 and takes_budget:
        fitting = min(max(budget, _LEAST_BUDGET), limit - 1)
        if fitting < _LEAST_BUDGET or _goes_on_without_thought(request):
            return None
        return {"type": "enabled", "budget_tokens": fitting, "display": _SHOWN}
    if effort is not None or (budget and "reasoning_effort" not in lacks):
        return {"type": "adaptive", "display": _SHOWN}
    return None


def _goes_on_without_thought(request: Request) -> bool:
    """Whether the model is to go on from tools' results of a turn that has no thought of its own
    kind, as when another model made the calls: with a budget the protocol refuses that."""
    if request.messages[-1].role != "tool":
        return False
    turn = next((m for m in reversed(request.messages) if m.role == "assistant"), None)
    return turn is None or not any(map(is_own, turn.thoughts))

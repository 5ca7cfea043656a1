"""How hard a model shall think, as this protocol says it: ``thinking`` and ``output_config``."""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.errors import UnsupportedParameter
from cascade.types import Request
from cascade.types.parameters import Advisory
from cascade.wire.anthropic.blocks import is_own

__all__ = ["Effort", "effort_of"]

_EFFORTS = {
    "none": None,  # thinking is disabled instead
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
_DISABLED = {"type": "disabled"}
_LEAST_BUDGET = 1024
# Newer models show nothing of their thoughts unless they are asked to, and a stream that is silent
# while its model thinks looks dead.
_SHOWN = "summarized"


class Effort(msgspec.Struct, frozen=True):
    """How hard to think, as it is written: ``thinking`` and ``output_config.effort``, None for
    nothing. ``left_out`` is what was asked for and is not said by them as it was."""

    thinking: dict[str, Any] | None
    effort: str | None
    left_out: tuple[Advisory, ...]


def effort_of(request: Request, lacks: frozenset[str], limit: int) -> Effort:
    """Return how hard to think. ``limit`` is the output's, in tokens, and thoughts count against
    it: a budget that does not fit is cut, or not sent.

    Raises:
        UnsupportedParameter: an effort that the protocol does not know.
    """
    wanted = None if "reasoning_effort" in lacks else request.reasoning_effort
    budget = None if "reasoning_budget" in lacks else request.reasoning_budget
    if wanted is not None and wanted not in _EFFORTS:
        mend = f"Send one of {', '.join(_EFFORTS)}"
        raise UnsupportedParameter("reasoning_effort", wanted, "Anthropic does not know it", mend)
    effort = None if wanted is None else _EFFORTS[wanted]
    thinking = _thinking(request, lacks, wanted, budget, limit)
    left_out: list[Advisory] = []
    if effort is not None and effort != wanted:
        left_out.append("reasoning_effort")
    if budget is not None and not _says(thinking, budget):
        left_out.append("reasoning_budget")
    return Effort(thinking, effort, tuple(left_out))


def _thinking(
    request: Request, lacks: frozenset[str], effort: str | None, budget: int | None, limit: int
) -> dict[str, Any] | None:
    """Return how to think, None to leave it to the model.

    An effort, and a budget for a model that takes none, mean that the model thinks as it sees
    fit. A call that must be made and thinking exclude each other: the call binds, so it wins.
    """
    if effort == "none" or budget == 0:
        return _DISABLED
    choice = request.tool_choice
    if request.tools and choice is not None and choice.mode in ("required", "function"):
        return None
    if budget is not None and budget > 0:
        fitting = min(max(budget, _LEAST_BUDGET), limit - 1)
        if fitting < _LEAST_BUDGET or _goes_on_without_thought(request):
            return None
        return {"type": "enabled", "budget_tokens": fitting, "display": _SHOWN}
    if effort is not None or (request.reasoning_budget and "reasoning_effort" not in lacks):
        return {"type": "adaptive", "display": _SHOWN}
    return None


def _says(thinking: dict[str, Any] | None, budget: int) -> bool:
    """Whether this is what a budget asks for; a negative one leaves it to the model."""
    if budget <= 0:
        return budget < 0 or thinking is _DISABLED
    return thinking is not None and thinking.get("budget_tokens") == budget


def _goes_on_without_thought(request: Request) -> bool:
    """Whether the model is to go on from tools' results of a turn that has no thought of its own
    kind, as when another model made the calls: with a budget the protocol refuses that."""
    if request.messages[-1].role != "tool":
        return False
    turn = next((m for m in reversed(request.messages) if m.role == "assistant"), None)
    return turn is None or not any(map(is_own, turn.thoughts))

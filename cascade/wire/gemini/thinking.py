"""How much a model shall think: levels, budgets, and the words of other protocols."""

from __future__ import annotations

from typing import Any

from cascade.errors import RequestError
from cascade.types import Request
from cascade.wire.codec import Asking
from cascade.wire.gemini.generations import is_older

__all__ = ["LEVELS", "read_thinking", "thinking_config"]

LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_LEVEL_OF = {each.lower(): each for each in LEVELS} | {"xhigh": "HIGH", "max": "HIGH"}
# Google's own equivalents, in tokens, for models that know no levels.
_BUDGET_OF = {"MINIMAL": 1024, "LOW": 1024, "MEDIUM": 8192, "HIGH": 24576}
_NO_THINKING = {"thinkingBudget": 0}
_AS_THE_MODEL_LIKES = -1


def thinking_config(request: Request, asking: Asking) -> dict[str, Any] | None:
    """Write how much to think; None leaves it to the model.

    A request may carry both an effort and a budget, Google takes one: what the model's generation
    works by. Thoughts are always asked for: they are paid for anyway, and a model that shows them
    is seen to work. (Without either, nothing is written: a model that cannot think answers an
    error to the whole field.)

    Raises:
        RequestError: an effort that Google has no level for.
    """
    effort = None if "reasoning_effort" in asking.lacks else request.reasoning_effort
    budget = None if "reasoning_budget" in asking.lacks else request.reasoning_budget
    older = is_older(asking.model)
    if budget is not None and (older or effort is None):
        return {"includeThoughts": True, "thinkingBudget": budget} if budget else _NO_THINKING
    if effort is None:
        return None
    if effort == "none":
        return _NO_THINKING
    level = _LEVEL_OF.get(effort)
    if level is None:
        mend = f"Send one of none, {', '.join(_LEVEL_OF)}"
        raise RequestError("reasoning_effort", effort, "Gemini has no level for it", mend)
    if older:
        return {"includeThoughts": True, "thinkingBudget": _BUDGET_OF[level]}
    return {"includeThoughts": True, "thinkingLevel": level}


def read_thinking(
    place: str, level: str | None, budget: int | None
) -> tuple[str | None, int | None]:
    """Read level and budget as effort and budget.

    Raises:
        RequestError: both are given, or one of them is none of the values known.
    """
    named = (level or "").upper()
    if level is not None and budget is not None:
        problem = f"thinkingBudget says {budget}"
        raise RequestError(f"{place}.thinkingLevel", level, problem, "Send one of the two")
    if named in ("", "THINKING_LEVEL_UNSPECIFIED"):
        return _read_budget(place, budget)
    if named not in (*LEVELS, "XHIGH"):
        mend = f"Send one of {', '.join(LEVELS)}"
        raise RequestError(f"{place}.thinkingLevel", level, "there is no such level", mend)
    return named.lower(), None


def _read_budget(place: str, budget: int | None) -> tuple[str | None, int | None]:
    if budget is None or budget == _AS_THE_MODEL_LIKES:
        return None, None
    if budget < 0:
        mend = "Send a number of tokens, 0 for none, or -1 to leave it to the model"
        raise RequestError(f"{place}.thinkingBudget", budget, "it is negative", mend)
    return (None, budget) if budget else ("none", None)

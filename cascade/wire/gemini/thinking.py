"""How much a model shall think: levels, budgets, and the words of other protocols."""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.errors import RequestError
from cascade.types import Request
from cascade.types.parameters import Advisory
from cascade.wire.codec import Asking
from cascade.wire.gemini.generations import is_older

__all__ = ["LEVELS", "Thinking", "read_thinking", "thinking_of"]

LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_BEYOND = ("xhigh", "max")  # Google's highest level is sent in their place
_LEVEL_OF = {each.lower(): each for each in LEVELS} | dict.fromkeys(_BEYOND, "HIGH")
# Google's own equivalents, in tokens, for models that know no levels.
_BUDGET_OF = {"MINIMAL": 1024, "LOW": 1024, "MEDIUM": 8192, "HIGH": 24576}
_NO_THINKING = {"thinkingBudget": 0}
_AS_THE_MODEL_LIKES = -1


class Thinking(msgspec.Struct, frozen=True):
    """How much to think, as it is written: ``thinkingConfig``, None for nothing. ``left_out`` is
    what was asked for and is not said by it."""

    config: dict[str, Any] | None
    left_out: tuple[Advisory, ...] = ()


def thinking_of(request: Request, asking: Asking) -> Thinking:
    """Write how much to think; nothing leaves it to the model.

    A request may carry both an effort and a budget, Google takes one: what the model's generation
    works by. Thoughts are always asked for: they are paid for anyway, and a model that shows them
    is seen to work. (Without either, nothing is written: a model that cannot think answers an
    error to the whole field.)

    Raises:
        RequestError: an effort that Google has no level for.
    """
    effort = None if "reasoning_effort" in asking.lacks else request.reasoning_effort
    budget = None if "reasoning_budget" in asking.lacks else request.reasoning_budget
    if effort is None and budget is None:
        return Thinking(None)
    older = is_older(asking.model)
    by_effort = None if effort is None else _of_effort(effort, older=older)
    by_budget = None if budget is None else _of_budget(budget)
    first, second = (by_budget, by_effort) if older else (by_effort, by_budget)
    config = second if first is None else first
    left_out: list[Advisory] = []
    if effort is not None and (by_effort != config or effort in _BEYOND):
        left_out.append("reasoning_effort")
    if by_budget is not None and by_budget != config:
        left_out.append("reasoning_budget")
    return Thinking(config, tuple(left_out))


def _of_effort(effort: str, *, older: bool) -> dict[str, Any]:
    if effort == "none":
        return _NO_THINKING
    level = _LEVEL_OF.get(effort)
    if level is None:
        mend = f"Send one of none, {', '.join(_LEVEL_OF)}"
        raise RequestError("reasoning_effort", effort, "Gemini has no level for it", mend)
    if older:
        return {"includeThoughts": True, "thinkingBudget": _BUDGET_OF[level]}
    return {"includeThoughts": True, "thinkingLevel": level}


def _of_budget(budget: int) -> dict[str, Any]:
    return {"includeThoughts": True, "thinkingBudget": budget} if budget else _NO_THINKING


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

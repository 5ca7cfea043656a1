"""Gemini's answers as they stand on the wire, whole and in chunks, and how to read them.

Every field may be missing or null, and unknown ones are skipped. A field of the wrong type is
refused by the decoder.
"""

from __future__ import annotations

from typing import Any

from cascade.types import FinishReason, Response, TokenLogprob, TopLogprob, Usage
from cascade.wire import answer_parts
from cascade.wire.answer_parts import likely
from cascade.wire.failures import Malformed

__all__ = [
    "AnswerShape",
    "CandidateShape",
    "PartShape",
    "UsageShape",
    "counts_output",
    "finish_of",
    "logprobs_of",
    "no_answer",
    "usage_of",
]


class Lenient(answer_parts.Lenient, rename="camel"):
    """In this protocol's spelling."""


class CallShape(Lenient):
    name: str | None = None
    args: dict[str, Any] | None = None
    id: str | None = None


class PartShape(Lenient):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: CallShape | None = None


class ContentShape(Lenient):
    parts: list[PartShape] | None = None


class TokenShape(Lenient):
    token: str | None = None
    log_probability: float | None = None


class TopShape(Lenient):
    candidates: list[TokenShape] | None = None


class LogprobsShape(Lenient):
    chosen_candidates: list[TokenShape] | None = None
    top_candidates: list[TopShape] | None = None


class CandidateShape(Lenient):
    content: ContentShape | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: int | None = None
    logprobs_result: LogprobsShape | None = None


class FeedbackShape(Lenient):
    block_reason: str | None = None
    block_reason_message: str | None = None


class UsageShape(Lenient):
    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    thoughts_token_count: int | None = None
    total_token_count: int | None = None


class AnswerShape(Lenient):
    candidates: list[CandidateShape] | None = None
    prompt_feedback: FeedbackShape | None = None
    usage_metadata: UsageShape | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None


def usage_of(read: UsageShape) -> Usage | None:
    """Normalise a usage; None where the provider reports none.

    Google counts thoughts beside the answer; what the total holds beyond all that is listed is
    output that is billed and not listed.
    """
    prompt = _count(read.prompt_token_count) + _count(read.tool_use_prompt_token_count)
    if not prompt or (read.candidates_token_count is None and read.total_token_count is None):
        return None
    thought = _count(read.thoughts_token_count)
    output = _count(read.candidates_token_count) + thought
    output = max(output, _count(read.total_token_count) - prompt)
    cached = min(_count(read.cached_content_token_count), prompt)
    return Usage(prompt, output, cached, reasoning_tokens=thought)


def counts_output(read: UsageShape) -> bool:
    """Whether a usage counts what was written, and not only what was asked. Google leaves out a
    count of zero, so a running usage may hold the prompt alone."""
    usage = usage_of(read)
    return usage is not None and (
        read.candidates_token_count is not None or usage.output_tokens > 0
    )


def _count(tokens: int | None) -> int:
    return max(tokens or 0, 0)


_FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
# LANGUAGE, OTHER, ESCALATION and whatever comes next say nothing that we could act on.
_NO_ANSWER = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
    }
)


def finish_of(reason: str) -> FinishReason:
    """Read a finish reason; one that we do not know stays ``unknown``."""
    return _FINISH.get(reason, "unknown")


def no_answer(reason: str, response: Response | None) -> Malformed | None:
    """Return the failure where the provider says that what its model wrote is no answer, else
    None. ``response`` is what came, where its usage is known."""
    if reason not in _NO_ANSWER:
        return None
    why = f"the model wrote what is no answer: {reason}"
    return Malformed(why, blames=False, response=response)


def logprobs_of(read: LogprobsShape) -> tuple[TokenLogprob, ...] | None:
    """Read log-probabilities; null and anything below the sentinel become the sentinel."""
    if read.chosen_candidates is None:
        return None
    tops = [top.candidates or [] for top in read.top_candidates or ()]
    tops += [[]] * (len(read.chosen_candidates) - len(tops))
    return tuple(
        TokenLogprob(
            chosen.token or "",
            likely(chosen.log_probability),
            tuple(TopLogprob(each.token or "", likely(each.log_probability)) for each in top),
        )
        for chosen, top in zip(read.chosen_candidates, tops, strict=False)
    )

"""Chat completion answers as they stand on the wire, whole and in chunks, and how to read them.

Providers differ: every field may be missing or null, and unknown ones are skipped. A field of the
wrong type is refused by the decoder.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.types import FinishReason, Kind, Response, TokenLogprob, TopLogprob, Usage
from cascade.wire.answer_parts import Lenient, likely
from cascade.wire.failures import CallFailure

__all__ = [
    "CalledShape",
    "Choice",
    "Chunk",
    "Completion",
    "MessageShape",
    "UsageShape",
    "arguments_of",
    "broken_off",
    "finish_of",
    "logprobs_of",
    "text_and_thought",
    "usage_of",
]


class Thought(Lenient):
    text: str | None = None


class Piece(Lenient):
    """A part of a content that is a list, as Mistral's reasoning models send it."""

    type: str | None = None
    text: str | None = None
    thinking: str | list[Thought] | None = None


class RivalShape(Lenient):
    token: str
    logprob: float | None = None


class TokenShape(Lenient):
    token: str
    logprob: float | None = None
    top_logprobs: list[RivalShape] | None = None


class LogprobsShape(Lenient):
    content: list[TokenShape] | None = None


class FunctionShape(Lenient):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CalledShape(Lenient):
    function: FunctionShape | None = None
    id: str | None = None
    index: int | None = None


class MessageShape(Lenient):
    """A message, or the delta of one."""

    content: str | list[Piece] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[CalledShape] | None = None


class Choice(Lenient):
    index: int | None = None
    message: MessageShape | None = None
    finish_reason: str | None = None
    logprobs: LogprobsShape | None = None


class ChunkChoice(Lenient):
    index: int | None = None
    delta: MessageShape | None = None
    finish_reason: str | None = None
    logprobs: LogprobsShape | None = None


class PromptDetails(Lenient):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputDetails(Lenient):
    reasoning_tokens: int | None = None


class UsageShape(Lenient):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None


class Completion(Lenient):
    choices: list[Choice] | None = None
    id: str | None = None
    created: int | float | None = None
    model: str | None = None
    usage: UsageShape | None = None
    error: Any = None


class Chunk(Lenient):
    choices: list[ChunkChoice] | None = None
    id: str | None = None
    created: int | float | None = None
    model: str | None = None
    usage: UsageShape | None = None
    error: Any = None


def usage_of(read: UsageShape) -> Usage | None:
    """Normalise a usage; None where the provider reports none.

    A prompt of zero tokens is no report (Mistral's default is zero). Where the total exceeds
    prompt and completion, the rest is output that is billed and not listed: reasoning.
    """
    prompt, output = read.prompt_tokens, read.completion_tokens
    if not prompt or prompt < 0:
        return None
    rest = max((read.total_tokens or 0) - prompt, 0)
    if output is None and read.total_tokens is None:
        return None
    output = max(output or 0, rest)
    prompt_details, output_details = read.prompt_tokens_details, read.completion_tokens_details
    cached = (prompt_details and prompt_details.cached_tokens) or read.prompt_cache_hit_tokens or 0
    written = (prompt_details and prompt_details.cache_write_tokens) or 0
    thought = (output_details and output_details.reasoning_tokens) or 0
    cached = min(max(cached, 0), prompt)
    return Usage(
        prompt, output, cached, min(max(written, 0), prompt - cached), min(max(thought, 0), output)
    )


_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "model_length": "length",
    "eos": "stop",
}
_CUT_OFF = frozenset({"error", "insufficient_system_resource"})


def finish_of(reason: str) -> FinishReason:
    """Read a finish reason; one that we do not know stays ``unknown``."""
    return _FINISH.get(reason, "unknown")


def broken_off(reason: str, response: Response | None) -> CallFailure | None:
    """Return the failure where the provider says that it could not finish, else None.
    ``response`` is what came, where its usage is known."""
    if reason not in _CUT_OFF:
        return None
    why = f"the provider broke its answer off: {reason}"
    return CallFailure(Kind.BROKEN, why, response=response)


def logprobs_of(tokens: list[TokenShape]) -> tuple[TokenLogprob, ...]:
    """Read log-probabilities; null and anything below the sentinel become the sentinel."""
    return tuple(
        [
            TokenLogprob(
                each.token,
                likely(each.logprob),
                tuple([TopLogprob(rival.token, likely(rival.logprob)) for rival in rivals])
                if (rivals := each.top_logprobs)
                else (),
            )
            for each in tokens
        ]
    )


def arguments_of(function: FunctionShape) -> str:
    """Return a call's arguments as text, also where a server sends them as an object."""
    arguments = function.arguments
    if isinstance(arguments, dict):
        return msgspec.json.encode(arguments).decode()
    return arguments or ""


def text_and_thought(read: MessageShape) -> tuple[str | None, str]:
    """Return a message's text, None where it has none, and its reasoning."""
    content = read.content
    thought = read.reasoning_content or read.reasoning or ""
    if not isinstance(content, list):
        return content, thought
    texts = [piece.text or "" for piece in content if piece.thinking is None]
    return "".join(texts), thought + "".join(map(_thinking, content))


def _thinking(piece: Piece) -> str:
    if isinstance(piece.thinking, list):
        return "".join(thought.text or "" for thought in piece.thinking)
    return piece.thinking or ""

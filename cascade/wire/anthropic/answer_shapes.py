"""Messages answers as they stand on the wire, whole and in events, and how to read them.

Providers differ: every field may be missing or null, and unknown ones are skipped. A field of the
wrong type is refused by the decoder.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.types import FinishReason, Usage
from cascade.wire.answer_parts import Lenient

__all__ = [
    "BlockShape",
    "DeltaShape",
    "EventShape",
    "MessageShape",
    "UsageShape",
    "arguments_of",
    "finish_of",
    "merge",
    "usage_of",
]


class CacheCreation(Lenient):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class OutputDetails(Lenient):
    thinking_tokens: int | None = None


class UsageShape(Lenient):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None


class BlockShape(Lenient):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")


class StopDetails(Lenient):
    explanation: str | None = None


class MessageShape(Lenient):
    """A whole answer, or the one that opens a stream."""

    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[BlockShape] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: UsageShape | None = None
    error: Any = None


class DeltaShape(Lenient):
    """What is new in a block, or in the message as a whole."""

    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class EventShape(Lenient):
    type: str | None = None
    index: int | None = None
    delta: DeltaShape | None = None
    content_block: BlockShape | None = None
    message: MessageShape | None = None
    usage: UsageShape | None = None
    error: Any = None


_FINISH: dict[str | None, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def finish_of(reason: str | None) -> FinishReason:
    """Read a stop reason; one that we do not know stays ``unknown``."""
    return _FINISH.get(reason, "unknown")


def usage_of(read: UsageShape) -> Usage | None:
    """Normalise a usage; None where the provider reports none. An input of zero tokens is no
    report. On this wire the input leaves out what the prompt cache read and wrote."""
    plain = max(read.input_tokens or 0, 0)
    cached = max(read.cache_read_input_tokens or 0, 0)
    written, for_an_hour = _written(read)
    if not plain + cached + written or read.output_tokens is None:
        return None
    output = max(read.output_tokens, 0)
    details = read.output_tokens_details
    thought = (details and details.thinking_tokens) or 0
    return Usage(
        plain + cached + written,
        output,
        cached,
        written,
        min(max(thought, 0), output),
        for_an_hour,
    )


def _written(read: UsageShape) -> tuple[int, int]:
    """The tokens written to the prompt cache, and those of them that stay for an hour."""
    parts = read.cache_creation or CacheCreation()
    hour = max(parts.ephemeral_1h_input_tokens or 0, 0)
    total = read.cache_creation_input_tokens
    if total is None:
        total = hour + max(parts.ephemeral_5m_input_tokens or 0, 0)
    return max(total, 0), min(hour, max(total, 0))


def merge(so_far: UsageShape, news: UsageShape) -> None:
    """Take in a later usage of one stream. Its counts are running totals; what it leaves out, or
    has as zero, stands as it was."""
    for name in UsageShape.__struct_fields__:
        value = getattr(news, name)
        if value or getattr(so_far, name) is None:
            setattr(so_far, name, value)


def arguments_of(block: BlockShape) -> str:
    """Return a call's arguments as the model wrote them."""
    return bytes(block.input).decode()

"""Answers of every protocol, broken in ways that providers were seen to break them."""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.wire.sse import SseReader

__all__ = ["emptied", "emptied_events", "malformed", "unfinished"]

_CHOICES = ("choices", "content", "candidates")  # OpenAI's, Anthropic's, Gemini's
_FINISHES = ("finish_reason", "stop_reason", "finishReason")


def malformed(events: bytes) -> bytes:
    """Return framed events, the first of which lacks its last brace."""
    first, end, rest = events.partition(b"\n\n")
    return first[:-1] + end + rest


def emptied(body: bytes) -> bytes:
    """Return an answer with nothing among its choices."""
    answer = msgspec.json.decode(body)
    return msgspec.json.encode(_emptied(answer))


def emptied_events(events: bytes) -> bytes:
    """Return a stream's events with nothing among their choices."""
    changed = bytearray()
    for event in SseReader().feed(events):
        data = event.data
        if data.startswith(b"{"):
            data = emptied(data)
        if event.event is not None:
            changed += b"event: " + event.event.encode() + b"\n"
        changed += b"data: " + data + b"\n\n"
    return bytes(changed)


def unfinished(body: bytes) -> bytes:
    """Return an answer that does not say why it ended."""
    answer = msgspec.json.decode(body)
    for part in (answer, *answer.get("choices", ()), *answer.get("candidates", ())):
        for name in _FINISHES:
            if name in part:
                part[name] = None
    return msgspec.json.encode(answer)


def _emptied(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: [] if name in _CHOICES else value for name, value in answer.items()}

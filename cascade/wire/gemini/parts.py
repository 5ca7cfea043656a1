"""What a model said, written as parts: to Google as history, to a client as an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from cascade.types import Message, Text, Thought, ToolCall
from cascade.wire.gemini.results import object_of
from cascade.wire.seals import is_googles

__all__ = ["Part", "Seal", "call_part", "is_closing", "model_parts", "sealed", "thought_part"]

Part: TypeAlias = dict[str, Any]
Seal: TypeAlias = Callable[[Thought], str | None]
"""What of a thought's signature goes out; None where nothing does."""


def model_parts(message: Message, seal: Seal, reasoning: str = "") -> list[Part]:
    """Write a model's thoughts and texts as parts; its calls go behind them.

    A signed part ends a thought, whose text is all that was thought since the last one; what
    ``reasoning`` holds beyond that follows unsigned. Google signs answers too: a signature without
    a thought, which closes the text.
    """
    thoughts = list(message.thoughts)
    closing = thoughts.pop() if thoughts and is_closing(thoughts[-1]) else None
    parts = [part for each in thoughts if (part := thought_part(each, seal)) is not None]
    told = "".join(each.text for each in thoughts)
    if reasoning.startswith(told) and len(reasoning) > len(told):
        parts.append({"text": reasoning[len(told) :], "thought": True})
    texts = [{"text": text} for text in _texts(message) if text]
    if closing is not None:
        if not texts:
            texts = [{"text": ""}]
        texts[-1] = sealed(texts[-1], seal(closing))
    return parts + texts


def is_closing(thought: Thought) -> bool:
    """Whether it is Google's signature of an answer's text, not of a thought."""
    return not thought.text and thought.redacted is None and is_googles(thought.signature)


def thought_part(thought: Thought, seal: Seal) -> Part | None:
    """Write a thought; None where its signature is none of those that go out."""
    signature = seal(thought)
    if signature is None:
        return None
    return {"text": thought.text, "thought": True, "thoughtSignature": signature}


def call_part(call: ToolCall, seal: Seal) -> Part | None:
    """Write a call; None where its arguments are no JSON object."""
    arguments = object_of(call.arguments or "{}")
    if arguments is None:
        return None
    called: dict[str, Any] = {"name": call.name, "args": arguments}
    if call.id:
        called["id"] = call.id
    return sealed({"functionCall": called}, seal(Thought(signature=call.signature)))


def sealed(part: Part, signature: str | None) -> Part:
    """Return the part with a signature, where there is one."""
    return part if signature is None else {**part, "thoughtSignature": signature}


def _texts(message: Message) -> list[str]:
    content, refusal = message.content, message.refusal or ""
    if isinstance(content, tuple):
        return [*(part.text for part in content if isinstance(part, Text)), refusal]
    return [content or "", refusal]

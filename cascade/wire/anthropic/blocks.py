"""Parts of messages as content blocks of a request."""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.errors import RequestError
from cascade.types import Image, Mark, Message, Text, Thought, ToolCall
from cascade.wire.seals import is_googles

__all__ = ["Block", "Blocks", "is_own"]

Block = dict[str, Any]

_MEDIA_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_ALIASES = {"image/jpg": "image/jpeg"}


class Blocks:
    """Writes content blocks. Without ``marks``, those for the prompt cache are left out.

    The protocol refuses empty texts: they are left out. ``place`` is for errors.
    """

    def __init__(self, *, marks: bool) -> None:
        self._marks = marks

    def marked(self, block: Block, mark: Mark | None) -> Block:
        """Put a mark on a block."""
        if mark is not None and self._marks:
            control = {"type": "ephemeral"}
            if mark != "5m":  # what the protocol means without saying
                control["ttl"] = mark
            block["cache_control"] = control
        return block

    def content(self, place: str, content: str | tuple[Text | Image, ...] | None) -> list[Block]:
        """Write a message's content.

        Raises:
            RequestError: an image that the protocol cannot carry.
        """
        if not content:
            return []
        if isinstance(content, str):
            return [{"type": "text", "text": content}]
        return [
            self.marked(_part(f"{place}.content[{number}]", part), part.mark)
            for number, part in enumerate(content)
            if isinstance(part, Image) or part.text
        ]

    def result(self, place: str, message: Message) -> Block:
        """Write a tool's result."""
        content = message.content
        block: Block = {
            "type": "tool_result",
            "tool_use_id": message.tool_call_id,
            "content": (content or "")
            if not isinstance(content, tuple)
            else self.content(place, content),
        }
        if message.is_error:
            block["is_error"] = True
        return self.marked(block, message.mark)

    def assistant(self, place: str, message: Message) -> list[Block]:
        """Write an assistant's message: thoughts, content, refusal, calls.

        Raises:
            RequestError: a call's arguments are no JSON object.
        """
        blocks = [_thought(thought) for thought in message.thoughts if is_own(thought)]
        blocks += self.content(place, message.content)
        blocks += self.content(place, message.refusal)
        for number, call in enumerate(message.tool_calls):
            block = _call(f"{place}.tool_calls[{number}].function.arguments", call)
            blocks.append(self.marked(block, call.mark))
        return blocks


def _part(place: str, part: Text | Image) -> Block:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    return {"type": "image", "source": _source(place, part.url)}


def _source(place: str, url: str) -> dict[str, str]:
    if url[:5].lower() != "data:":
        return {"type": "url", "url": url}
    head, comma, data = url[5:].partition(",")
    media_type, _, encoding = head.lower().partition(";")
    media_type = _ALIASES.get(media_type, media_type)
    if not comma or encoding != "base64":
        mend = "Send it as data:image/…;base64,…, or its https: URL"
        raise RequestError(place, url, "the image is not base64", mend)
    if media_type not in _MEDIA_TYPES:
        mend = f"Send one of {', '.join(_MEDIA_TYPES)}"
        raise RequestError(place, url, "Anthropic takes no such image", mend)
    return {"type": "base64", "media_type": media_type, "data": data}


def is_own(thought: Thought) -> bool:
    """Whether Anthropic sealed it: it takes back no other, and nothing without a seal."""
    if thought.redacted is not None:
        return True
    return bool(thought.signature) and not is_googles(thought.signature)


def _thought(thought: Thought) -> Block:
    if thought.redacted is not None:
        return {"type": "redacted_thinking", "data": thought.redacted}
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def _call(place: str, call: ToolCall) -> Block:
    """Arguments stay the model's own bytes: their keys keep their order."""
    text = call.arguments.strip() or "{}"
    try:
        good = isinstance(msgspec.json.decode(text), dict)
    except (ValueError, RecursionError):  # all that the decoder raises on bad input
        good = False
    if not good:
        mend = "Send the JSON object that the model wrote"
        raise RequestError(place, call.arguments, "it is no JSON object", mend)
    return {
        "type": "tool_use",
        "id": call.id,
        "name": call.name,
        "input": msgspec.Raw(text.encode()),
    }

"""The turns of a client's Messages request as messages of the vocabulary.

One turn may become several messages: each tool's result is one of its own, and reasoning that
comes after a text begins another message of the same role, so that it keeps its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from cascade.errors import RequestError, UnsupportedParameter
from cascade.types import Image, Mark, Message, Text, Thought, ToolCall
from cascade.wire.anthropic.request_shapes import (
    Base64Source,
    Block,
    CacheControl,
    ImageBlock,
    RedactedBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
)

__all__ = ["mark_of", "marked_at_the_end", "messages_of", "system_of"]


def mark_of(control: CacheControl | None) -> Mark | None:
    """Read a mark for the prompt cache; five minutes is the protocol's own default."""
    return None if control is None else control.ttl or "5m"


def system_of(system: str | Sequence[TextBlock] | None) -> tuple[Message, ...]:
    """Return the system prompt as a message, or none."""
    if not system:
        return ()
    if isinstance(system, str):
        return (Message("system", system),)
    return (Message("system", tuple(map(_text, system))),)


def messages_of(number: int, turn: Turn) -> list[Message]:
    """Return the messages that a turn holds. ``number`` is its place, for errors.

    Raises:
        UnsupportedParameter: a block that the turn's role does not have.
        RequestError: anything else that is wrong with it.
    """
    content, place = turn.content, f"messages[{number}].content"
    if isinstance(content, str):
        return [Message(turn.role, content)]
    if not content:
        mend = "Send a text or at least one block"
        raise RequestError(place, [], "it is an empty list", mend)
    if turn.role == "user":
        return _of_user(place, content)
    if turn.role == "assistant":
        return _of_assistant(place, content)
    texts = [_text(block) for block in content if isinstance(block, TextBlock)]
    if len(texts) < len(content):
        strange = next(n for n, block in enumerate(content) if not isinstance(block, TextBlock))
        raise _misplaced(f"{place}[{strange}]", content[strange], "text")
    return [Message("system", tuple(texts))]


def marked_at_the_end(messages: list[Message], mark: Mark) -> None:
    """Mark the last block, as the protocol's mark for a whole request means it."""
    last = messages[-1]
    if last.role == "tool":
        messages[-1] = replace(last, mark=last.mark or mark)
    elif last.tool_calls:
        *calls, call = last.tool_calls
        messages[-1] = replace(last, tool_calls=(*calls, replace(call, mark=call.mark or mark)))
    elif last.content:
        content = last.content
        *parts, part = (Text(content),) if isinstance(content, str) else content
        messages[-1] = replace(last, content=(*parts, replace(part, mark=part.mark or mark)))


def _of_user(place: str, content: list[Block]) -> list[Message]:
    messages: list[Message] = []
    parts: list[Text | Image] = []
    for number, block in enumerate(content):
        match block:
            case TextBlock() | ImageBlock():
                parts.append(_part(f"{place}[{number}]", block))
            case ToolResultBlock():
                if parts:
                    messages.append(Message("user", tuple(parts)))
                    parts = []
                messages.append(_result(f"{place}[{number}]", block))
            case _:
                raise _misplaced(f"{place}[{number}]", block, "text, image or tool_result")
    if parts:
        messages.append(Message("user", tuple(parts)))
    return messages


def _of_assistant(place: str, content: list[Block]) -> list[Message]:
    messages: list[Message] = []
    thoughts: list[Thought] = []
    texts: list[Text] = []
    calls: list[ToolCall] = []
    for number, block in enumerate(content):
        match block:
            case ThinkingBlock() | RedactedBlock():
                # Calls stay together: their results must follow them.
                if texts and not calls:
                    messages.append(_assistant(thoughts, texts, calls))
                    thoughts, texts = [], []
                thoughts.append(_thought(block))
            case TextBlock():
                texts.append(_text(block))
            case ToolUseBlock():
                calls.append(_call(f"{place}[{number}]", block))
            case _:
                raise _misplaced(f"{place}[{number}]", block, "text, tool_use or thinking")
    return [*messages, _assistant(thoughts, texts, calls)]


def _assistant(thoughts: list[Thought], texts: list[Text], calls: list[ToolCall]) -> Message:
    content: str | tuple[Text, ...] | None = tuple(texts) or None
    if len(texts) == 1 and texts[0].mark is None:
        content = texts[0].text
    return Message("assistant", content, tool_calls=tuple(calls), thoughts=tuple(thoughts))


def _thought(block: ThinkingBlock | RedactedBlock) -> Thought:
    if isinstance(block, RedactedBlock):
        return Thought(redacted=block.data)
    return Thought(block.thinking, block.signature or None)


def _text(block: TextBlock) -> Text:
    return Text(block.text, mark_of(block.cache_control))


def _part(place: str, block: TextBlock | ImageBlock) -> Text | Image:
    if isinstance(block, TextBlock):
        return _text(block)
    source = block.source
    if isinstance(source, Base64Source):
        url = f"data:{source.media_type};base64,{source.data}"
    else:
        url = source.url
        if not url[:8].lower().startswith(("https://", "http://")):
            mend = "Send an https: URL, or the image itself as base64"
            raise RequestError(f"{place}.source.url", url, "it is no address of an image", mend)
    return Image(url, mark=mark_of(block.cache_control))


def _call(place: str, block: ToolUseBlock) -> ToolCall:
    arguments = bytes(block.input)
    if not arguments.startswith(b"{"):
        value = msgspec.json.decode(arguments)
        raise RequestError(f"{place}.input", value, "it is no JSON object", "Send a JSON object")
    return ToolCall(block.id, block.name, arguments.decode(), mark=mark_of(block.cache_control))


def _result(place: str, block: ToolResultBlock) -> Message:
    content = block.content or ""
    return Message(
        "tool",
        content
        if isinstance(content, str)
        else tuple(
            _part(f"{place}.content[{number}]", part) for number, part in enumerate(content)
        ),
        tool_call_id=block.tool_use_id,
        is_error=bool(block.is_error),
        mark=mark_of(block.cache_control),
    )


def _misplaced(place: str, block: Block, allowed: str) -> RequestError:
    kind = type(block).__struct_config__.tag
    problem = "a message of this role holds no such block"
    return UnsupportedParameter(f"{place}.type", kind, problem, f"Send {allowed}")

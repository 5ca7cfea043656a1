"""Whole Messages answers: from a provider's bytes, and to a client's."""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.types import FinishReason, Kind, Message, Response, Thought, ToolCall, Usage
from cascade.wire.anthropic.answer_shapes import (
    BlockShape,
    MessageShape,
    arguments_of,
    finish_of,
    usage_of,
)
from cascade.wire.failures import CutOff, Malformed, failure_of

__all__ = ["decode_response", "encode_response", "message_body", "stop_reason_of", "usage_body"]

_message = msgspec.json.Decoder(MessageShape)
_encode = msgspec.json.Encoder().encode
_UNSAID = {"service_tier": None, "inference_geo": None}


def decode_response(body: bytes) -> Response:
    """Read a provider's whole answer.

    Raises:
        Malformed: it is not what the protocol allows.
        CallFailure: it is an error inside a 200.
    """
    try:
        read = _message.decode(body)
        if read.type == "error" or read.error is not None:
            response = _response(read, [])
            raise failure_of(body, Kind.MALFORMED, response if response.usage else None)
        if read.content is None:
            raise Malformed("the answer holds no content")
        response = _response(read, read.content)
    except (ValueError, RecursionError) as error:  # all that the decoder raises on bad input
        raise Malformed(f"the answer is no message: {error}") from None
    if not read.stop_reason:
        raise CutOff(response)
    return response


def _response(read: MessageShape, content: list[BlockShape]) -> Response:
    said = "".join(block.text or "" for block in content if block.type == "text") or None
    finish = finish_of(read.stop_reason)
    refused = finish == "content_filter"
    explained = read.stop_details.explanation if read.stop_details is not None else None
    return Response(
        message=Message(
            role="assistant",
            content=None if refused else said,
            tool_calls=tuple(_call(block) for block in content if block.type == "tool_use"),
            refusal=(said or explained or None) if refused else None,
            thoughts=tuple(thought for block in content if (thought := _thought(block))),
        ),
        finish_reason=finish,
        model=read.model or "",
        id=read.id or "",
        usage=None if read.usage is None else usage_of(read.usage),
        reasoning="".join(block.thinking or "" for block in content if block.type == "thinking"),
        stop_sequence=read.stop_sequence,
    )


def _thought(block: BlockShape) -> Thought | None:
    """What has to be sent back: without a seal there is nothing that the provider would take."""
    if block.type == "redacted_thinking":
        return Thought(redacted=block.data or "")
    if block.type == "thinking" and block.signature:
        return Thought(block.thinking or "", block.signature)
    return None


def _call(block: BlockShape) -> ToolCall:
    if not block.name:
        raise Malformed("the answer holds a tool call without a name")
    return ToolCall(block.id or "", block.name, arguments_of(block))


def encode_response(
    response: Response,
    *,
    model: str | None = None,
    extra: dict[str, Any] | None = None,
) -> bytes:
    """Write an answer for a client.

    ``model`` takes the place of the answer's own; ``extra`` (cost, rung, …) goes under ``cascade``
    and ``usage.cascade``. Where the usage is not known it is written as zero, since the protocol
    wants one.
    """
    body = message_body(response.id, response.model if model is None else model)
    body["content"] = _content(response)
    body["stop_reason"] = stop_reason_of(
        response.finish_reason,
        refused=response.message.refusal is not None,
        stop_sequence=response.stop_sequence,
    )
    body["stop_sequence"] = response.stop_sequence
    body["usage"] = usage_body(response.usage, extra) | _UNSAID
    if extra is not None:
        body["cascade"] = extra
    return _encode(body)


def message_body(id: str, model: str) -> dict[str, Any]:  # noqa: A002  the protocol's word
    """Write a message without content, as it opens a stream."""
    return {
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        "usage": usage_body(None) | _UNSAID,
    }


def _content(response: Response) -> list[dict[str, Any]]:
    message = response.message
    blocks: list[dict[str, Any]] = []
    if response.reasoning and not any(thought.text for thought in message.thoughts):
        blocks.append({"type": "thinking", "thinking": response.reasoning, "signature": ""})
    for thought in message.thoughts:
        if thought.redacted is not None:
            blocks.append({"type": "redacted_thinking", "data": thought.redacted})
        else:
            signature = thought.signature or ""
            blocks.append({"type": "thinking", "thinking": thought.text, "signature": signature})
    texts = [text for text in (message.text, message.refusal) if text]
    blocks += [{"type": "text", "text": text, "citations": None} for text in texts]
    return blocks + [
        {
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": _input(call.arguments),
            "caller": {"type": "direct"},
        }
        for call in message.tool_calls
    ]


def _input(arguments: str) -> Any:
    """A call's arguments as the object that this wire wants. What is none goes under the key that
    Anthropic's documentation gives invalid JSON, so that no tool runs on half of its input."""
    text = arguments.strip() or "{}"
    try:
        if isinstance(msgspec.json.decode(text), dict):
            return msgspec.Raw(text.encode())
    except (ValueError, RecursionError):  # the model's text is no JSON
        pass
    return {"INVALID_JSON": arguments}


_STOP_REASONS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "unknown": "max_tokens",  # it has no word for that, and the answer may not be whole
}


def stop_reason_of(finish: FinishReason, *, refused: bool, stop_sequence: str | None) -> str:
    """Write a finish reason as this protocol has it."""
    if refused:
        return "refusal"
    if finish == "stop" and stop_sequence is not None:
        return "stop_sequence"
    return _STOP_REASONS[finish]


def usage_body(usage: Usage | None, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write a usage as this protocol has it, zeros for None, with ``extra`` under ``cascade``."""
    usage = usage or Usage(0, 0)
    body: dict[str, Any] = {
        "input_tokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - usage.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
        "server_tool_use": None,
    }
    if extra is not None:
        body["cascade"] = extra
    return body

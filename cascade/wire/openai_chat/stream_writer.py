"""Streamed chat completions: writing chunks for a client."""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.types import Delta, FinishReason, ToolCallDelta, Usage
from cascade.wire.openai_chat.response import finish_word, logprobs_body, usage_body

__all__ = ["StreamWriter"]

_encode = msgspec.json.Encoder().encode

_DONE = b"data: [DONE]\n\n"
_END = b"}\n\n"
_GOES_ON = b',"logprobs":null,"finish_reason":null}]}\n\n'


class StreamWriter:
    """Writes one answer as server-sent events: ``start``, any number of ``write``, then ``end``.

    ``id``, ``created`` (Unix seconds) and ``model`` stand in every chunk. ``include_usage`` says
    that the client asked for the usage.
    """

    def __init__(
        self,
        id: str,  # noqa: A002  the protocol's word
        created: int,
        model: str,
        include_usage: bool,
    ) -> None:
        self._include_usage = include_usage
        self._finish: FinishReason | None = None
        head = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        self._choice = self._head + b'{"index":0,"delta":'
        self._text = self._choice + b'{"content":'

    def start(self, usage: Usage | None = None) -> bytes:
        """Write the chunk that names the role; the usage comes at the end only."""
        return self._choice + b'{"role":"assistant","content":""}' + _GOES_ON

    def write(self, delta: Delta) -> bytes:
        """Write a delta; nothing where it carries nothing for the client. Its finish reason waits
        for the end: a provider may give one before its last piece."""
        self._finish = delta.finish_reason or self._finish
        logprobs = delta.logprobs
        if delta.text and not (logprobs or delta.reasoning or delta.refusal or delta.tool_calls):
            return self._text + _encode(delta.text) + b"}" + _GOES_ON
        part = _part(delta)
        if not (part or logprobs):
            return b""
        return self._chunk(part, logprobs_body(logprobs) if logprobs else None, None) + _END

    def end(self, usage: Usage | None, extra: dict[str, Any] | None = None) -> bytes:
        """Write the finish reason, the usage, where it was asked for, and the clean end.

        ``extra`` (cost, rung, …) goes beside the usage and into it, under ``cascade``. A client
        that did not ask for the usage gets it beside the finish reason: many read ``choices[0]``
        blindly, so that a chunk without choices is not for them.
        """
        last = b"" if self._finish is None else self._chunk({}, None, finish_word(self._finish))
        if not self._include_usage:
            told = b"" if extra is None else b',"cascade":' + _encode(extra)
            return (last + told + _END if last else b"") + _DONE
        if last:
            last += _END
        if usage is None and extra is None:
            return last + _DONE
        tail: dict[str, Any] = {"usage": None if usage is None else usage_body(usage, extra)}
        if extra is not None:
            tail["cascade"] = extra
        return last + self._head + b"]," + _encode(tail)[1:-1] + _END + _DONE

    def _chunk(
        self, part: dict[str, Any], logprobs: dict[str, Any] | None, finish: str | None
    ) -> bytes:
        """Write a chunk without its closing brace."""
        tail = {"logprobs": logprobs, "finish_reason": finish}
        return self._choice + _encode(part) + b"," + _encode(tail)[1:] + b"]"


def _part(delta: Delta) -> dict[str, Any]:
    part: dict[str, Any] = {}
    if delta.text:
        part["content"] = delta.text
    if delta.reasoning:
        part["reasoning_content"] = delta.reasoning
    if delta.refusal:
        part["refusal"] = delta.refusal
    if delta.tool_calls:
        part["tool_calls"] = [_call(call) for call in delta.tool_calls]
    return part


def _call(call: ToolCallDelta) -> dict[str, Any]:
    function: dict[str, str] = {}
    if call.name is not None:
        function["name"] = call.name
    function["arguments"] = call.arguments
    if call.id is None:
        return {"index": call.index, "function": function}
    return {"index": call.index, "id": call.id, "type": "function", "function": function}

"""Streamed answers: writing chunks for a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cascade.types import Delta, FinishReason, ToolCall, Usage
from cascade.wire.assembly import Calling
from cascade.wire.gemini.parts import Part, call_part, is_closing, sealed
from cascade.wire.gemini.response import finish_body, logprobs_body, tail_body
from cascade.wire.gemini.seals import for_client

__all__ = ["StreamWriter"]

_encode = msgspec.json.Encoder().encode


class StreamWriter:
    """Writes one answer as server-sent events: ``start``, any number of ``write``, then ``end``.

    ``id`` and ``model`` stand in every chunk; ``created`` has no place. A client of this protocol
    always gets the usage. Calls must be whole in it: their pieces are held until the model stops.
    """

    def __init__(
        self,
        id: str,  # noqa: A002  the protocol's word
        created: int,
        model: str,
        include_usage: bool,
    ) -> None:
        self._model = model
        self._id = id
        self._head = b'data: {"candidates":[{"content":{"parts":['
        tail = _encode(tail_body(model, id))
        self._tail = (
            b'],"role":"model"},"index":0}]'
            + (b"," + tail[1:] if tail != b"{}" else b"}")
            + b"\n\n"
        )
        self._calls: dict[int, Calling] = {}
        self._finish: FinishReason = "unknown"

    def start(self, usage: Usage | None = None) -> bytes:
        """Write nothing: the first chunk of this protocol is the first piece of the answer."""
        return b""

    def write(self, delta: Delta) -> bytes:
        """Write a delta; nothing where it carries nothing for the client."""
        if delta.text and not (
            delta.logprobs
            or delta.finish_reason
            or delta.reasoning
            or delta.thought
            or delta.refusal
            or delta.tool_calls
        ):
            return self._head + b'{"text":' + _encode(delta.text) + b"}" + self._tail
        for piece in delta.tool_calls:
            call = self._calls.setdefault(piece.index, Calling())
            call.id, call.name = call.id or piece.id or "", call.name or piece.name or ""
            call.signature = call.signature or piece.signature
            call.arguments.append(piece.arguments)
        if delta.finish_reason is not None:
            self._finish = delta.finish_reason
        parts = _parts(delta)
        if delta.logprobs:
            listed = {"logprobsResult": logprobs_body(delta.logprobs)}
            return self._event(parts, listed, tail_body(self._model, self._id))
        if not parts:
            return b""
        return self._head + b",".join(map(_encode, parts)) + self._tail

    def end(self, usage: Usage | None, extra: dict[str, Any] | None = None) -> bytes:
        """Write the calls, why the model stopped, the usage, and ``extra`` (cost, rung, …) under
        ``cascade``: the last chunk. The end of the body is the end of the stream."""
        calls = [
            call_part(
                ToolCall(each.id, each.name, "".join(each.arguments), each.signature), for_client
            )
            for _, each in sorted(self._calls.items())
        ]
        parts = [call for call in calls if call is not None] or [{"text": ""}]
        tail = tail_body(self._model, self._id, usage, extra)
        return self._event(parts, finish_body(self._finish, calls), tail)

    def _event(self, parts: list[Part], more: Mapping[str, Any], tail: dict[str, Any]) -> bytes:
        candidate = {"content": {"parts": parts, "role": "model"}, **more, "index": 0}
        return b"data: " + _encode({"candidates": [candidate], **tail}) + b"\n\n"


def _parts(delta: Delta) -> list[Part]:
    parts: list[Part] = []
    if delta.reasoning:
        parts.append({"text": delta.reasoning, "thought": True})
    thought = delta.thought
    closing = thought is not None and is_closing(thought)
    signature = None if thought is None else for_client(thought)
    if signature is not None and not closing:  # it signs the text that was written before
        parts.append({"text": "", "thought": True, "thoughtSignature": signature})
    if delta.text or closing:
        parts.append(sealed({"text": delta.text}, signature if closing else None))
    if delta.refusal:
        parts.append({"text": delta.refusal})
    return parts

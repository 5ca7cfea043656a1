"""Streamed Messages answers: writing events for a client."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec
from msgspec.structs import replace

from cascade.types import Delta, FinishReason, Thought, ToolCallDelta, Usage
from cascade.wire.anthropic.response import message_body, stop_reason_of, usage_body

__all__ = ["StreamWriter"]

_encode = msgspec.json.Encoder().encode


class _Block:
    """A content block from its first piece to its last.

    This wire has one block open at a time. A piece of any other block waits in ``held`` until
    those before it are closed.
    """

    __slots__ = ("arguments", "head", "held", "opened", "sealed", "seen")

    def __init__(self, head: dict[str, Any]) -> None:
        self.head = head
        self.held: list[dict[str, Any]] = []
        self.arguments: list[str] = []
        self.seen = False
        self.opened = False
        self.sealed = False

    @property
    def kind(self) -> str:
        return str(self.head["type"])

    @property
    def ready(self) -> bool:
        """Whether it can be opened: of a call, the name has to be known."""
        return self.kind != "tool_use" or bool(self.head["name"])

    @property
    def over(self) -> bool:
        """Whether nothing more can come once another block has begun: not so for a call, until
        its arguments are a whole object."""
        if self.kind != "tool_use":
            return True
        try:
            whole = isinstance(msgspec.json.decode("".join(self.arguments)), dict)
        except (ValueError, RecursionError):  # not JSON yet, or never
            return False
        return whole and self.ready


class StreamWriter:
    """Writes one answer as server-sent events: ``start``, any number of ``write``, then ``end``.

    ``created`` and ``include_usage`` mean nothing to this protocol: it has no place for the one,
    and always tells the usage.
    """

    def __init__(
        self,
        id: str,  # noqa: A002  the protocol's word
        created: int,
        model: str,
        include_usage: bool,
    ) -> None:
        self._message = message_body(id, model)
        self._waiting: deque[_Block] = deque()  # the first is the one that is open
        self._calls: dict[int, _Block] = {}
        self._index = 0
        self._finish: FinishReason = "unknown"
        self._refused = False
        self._stop_sequence: str | None = None

    def start(self, usage: Usage | None = None) -> bytes:
        """Write the message's opening with the usage of its input; zero where nothing is known."""
        message = self._message
        if usage is not None:
            told = usage_body(replace(usage, output_tokens=0, reasoning_tokens=0))
            message = message | {"usage": message["usage"] | told}
        return _write("message_start", {"message": message})

    def write(self, delta: Delta) -> bytes:
        """Write a delta; nothing where it carries nothing for the client."""
        out = b""
        if delta.reasoning:
            out += self._say("thinking", {"type": "thinking_delta", "thinking": delta.reasoning})
        if delta.thought is not None:
            out += self._seal(delta.thought)
        for text in (delta.text, delta.refusal):
            if text:
                out += self._say("text", {"type": "text_delta", "text": text})
        for call in delta.tool_calls:
            out += self._call(call)
        self._refused = self._refused or bool(delta.refusal)
        self._finish = delta.finish_reason or self._finish
        self._stop_sequence = delta.stop_sequence or self._stop_sequence
        return out

    def end(self, usage: Usage | None, extra: dict[str, Any] | None = None) -> bytes:
        """Write what is left of the blocks, the stop reason, the usage and the clean end.

        ``extra`` (cost, rung, …) goes into the usage, under ``cascade``.
        """
        out = b""
        while self._waiting:
            out += self._open() + self._close()
        delta = {
            "stop_reason": stop_reason_of(
                self._finish, refused=self._refused, stop_sequence=self._stop_sequence
            ),
            "stop_sequence": self._stop_sequence,
            "stop_details": None,
            "container": None,
        }
        out += _write("message_delta", {"delta": delta, "usage": usage_body(usage, extra)})
        return out + _write("message_stop", {})

    def _say(self, kind: str, piece: dict[str, Any]) -> bytes:
        """Add to the text or the thought at the end, or begin one."""
        out, last = b"", self._waiting[-1] if self._waiting else None
        if last is None or last.kind != kind or last.sealed:
            last = _Block(_HEADS[kind])
            out = self._add(last)
        return out + self._put(last, piece)

    def _seal(self, thought: Thought) -> bytes:
        """End a thought. A redacted one is a block of its own."""
        if thought.redacted is not None:
            return self._add(_Block({"type": "redacted_thinking", "data": thought.redacted}))
        piece = {"type": "signature_delta", "signature": thought.signature or ""}
        out = self._say("thinking", piece)
        self._waiting[-1].sealed = True
        return out

    def _call(self, delta: ToolCallDelta) -> bytes:
        block, out = self._calls.get(delta.index), b""
        if block is None:
            head = {"type": "tool_use", "id": "", "name": "", "input": {}, "caller": _DIRECT}
            block = self._calls[delta.index] = _Block(head)
        block.head["id"] = block.head["id"] or delta.id or ""
        block.head["name"] = block.head["name"] or delta.name or ""
        if not block.seen:
            out = self._add(block)
        if not delta.arguments:
            return out + self._flush()
        block.arguments.append(delta.arguments)
        return out + self._put(block, {"type": "input_json_delta", "partial_json": delta.arguments})

    def _add(self, block: _Block) -> bytes:
        """Put a block at the end; close and open what can be closed and opened by that."""
        self._waiting.append(block)
        block.seen = True
        out = b""
        while len(self._waiting) > 1 and self._waiting[0].over:
            out += self._open() + self._close()
        return out + self._flush()

    def _put(self, block: _Block, piece: dict[str, Any]) -> bytes:
        block.held.append(piece)
        return self._flush()

    def _flush(self) -> bytes:
        """Write what the first block holds, if it can be opened; the others go on waiting."""
        return self._open() if self._waiting[0].ready else b""

    def _open(self) -> bytes:
        """Open the first block, unless it is open, and write what it holds."""
        block, index, out = self._waiting[0], self._index, b""
        if not block.opened:
            block.opened = True
            out = _write("content_block_start", {"index": index, "content_block": block.head})
        for piece in block.held:
            out += _write("content_block_delta", {"index": index, "delta": piece})
        block.held.clear()
        return out

    def _close(self) -> bytes:
        self._waiting.popleft()
        self._index += 1
        return _write("content_block_stop", {"index": self._index - 1})


_DIRECT = {"type": "direct"}
_HEADS: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": "", "citations": None},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}


def _write(name: str, body: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode({"type": name, **body}))

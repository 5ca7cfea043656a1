"""Streamed Messages answers: reading a provider's events."""

from __future__ import annotations

import msgspec

from cascade.types import Delta, Kind, Thought
from cascade.wire.anthropic.answer_shapes import (
    BlockShape,
    DeltaShape,
    EventShape,
    UsageShape,
    arguments_of,
    finish_of,
    merge,
    usage_of,
)
from cascade.wire.assembly import AssemblingReader
from cascade.wire.failures import Malformed, failure_of

__all__ = ["StreamReader"]

_event = msgspec.json.Decoder(EventShape)


class _Open:
    """A content block that is still coming. ``place`` is a tool call's."""

    __slots__ = ("input", "kind", "place", "signature", "texts")

    def __init__(self, block: BlockShape) -> None:
        self.kind = block.type
        self.texts: list[str] = []
        self.signature = block.signature or ""
        self.input = arguments_of(block)
        self.place = 0


class StreamReader(AssemblingReader):
    """Reads a stream's events one by one and keeps what they add up to. Its last word is
    ``message_stop``."""

    def __init__(self) -> None:
        super().__init__()
        self._usage = UsageShape()
        self._blocks: dict[int, _Open] = {}

    def feed(self, data: bytes) -> Delta | None:
        """Take one event's data; return what it adds, None where it adds nothing.

        Raises:
            Malformed: it is no event, or does not fit the ones before it.
            CallFailure: it is an error.
        """
        if self._done:
            return None
        try:
            read = _event.decode(data)
            return self._take(read, data)
        except (ValueError, RecursionError) as error:  # all that the decoder raises on bad input
            if data.strip() in (b"", b"[DONE]"):  # some servers speak OpenAI's last word too
                return None
            raise Malformed(f"an event of the stream cannot be read: {error}") from None

    def _take(self, read: EventShape, data: bytes) -> Delta | None:
        match read.type:
            case "content_block_delta":
                return self._grow(self._open_block(read), read.delta or DeltaShape())
            case "content_block_start":
                return self._begin(read)
            case "content_block_stop":
                block = self._open_block(read)
                del self._blocks[read.index or 0]
                return self._close(block)
            case "message_start":
                return self._start(read)
            case "message_delta":
                return self._finish(read)
            case "message_stop":
                self._done = True
        if read.error is not None or read.type == "error":
            raise failure_of(data, Kind.BROKEN)
        return None  # ping, and kinds of events that are not known yet

    def _start(self, read: EventShape) -> Delta | None:
        if read.message is None:
            raise Malformed("the stream's first event holds no message")
        stream_id, model = self._answer.begin(read.message.id, read.message.model)
        self._count(read.message.usage)
        return Delta(id=stream_id, model=model) if stream_id or model else None

    def _count(self, usage: UsageShape | None) -> None:
        if usage is not None:
            merge(self._usage, usage)
            self._answer.usage = usage_of(self._usage)

    def _open_block(self, read: EventShape) -> _Open:
        block = self._blocks.get(-1 if read.index is None else read.index)
        if block is None:
            raise Malformed(f"the stream goes on with a block that is not open: {read.index}")
        return block

    def _begin(self, read: EventShape) -> Delta | None:
        shape, index = read.content_block, read.index
        if shape is None or index is None or index in self._blocks:
            raise Malformed(f"the stream begins a block that it cannot: {index}")
        block = self._blocks[index] = _Open(shape)
        if block.kind == "tool_use":
            block.place = len(self._answer.calls)
            return Delta(tool_calls=(self._answer.call(block.place, shape.id, shape.name),))
        if block.kind == "redacted_thinking":
            block.texts.append(shape.data or "")
            return None
        return self._grow(block, DeltaShape(text=shape.text, thinking=shape.thinking))

    def _grow(self, block: _Open, part: DeltaShape) -> Delta | None:
        """Add a piece to a block. Blocks of other kinds (a provider's own tools) are skipped."""
        match block.kind:
            case "text" if part.text:
                self._answer.texts.append(part.text)
                return Delta(part.text)
            case "tool_use" if part.partial_json:
                block.texts.append(part.partial_json)
                call = self._answer.call(block.place, arguments=part.partial_json)
                return Delta(tool_calls=(call,))
            case "thinking":
                block.signature += part.signature or ""
                if part.thinking:
                    block.texts.append(part.thinking)
                    self._answer.reasoning.append(part.thinking)
                    return Delta(reasoning=part.thinking)
        return None

    def _close(self, block: _Open) -> Delta | None:
        """End a block: a thought is whole now, and a call without pieces has the arguments it
        began with."""
        if block.kind == "tool_use" and not block.texts:
            call = self._answer.call(block.place, arguments=block.input)
            return Delta(tool_calls=(call,))
        if block.kind == "redacted_thinking":
            return self._thought(Thought(redacted="".join(block.texts)))
        if block.kind == "thinking" and block.signature:
            return self._thought(Thought("".join(block.texts), block.signature))
        return None

    def _thought(self, thought: Thought) -> Delta:
        self._answer.thoughts.append(thought)
        return Delta(thought=thought)

    def _finish(self, read: EventShape) -> Delta | None:
        """Take what is said of the message as a whole. A refusal makes one of the text so far."""
        self._count(read.usage)
        answer, part = self._answer, read.delta or DeltaShape()
        finish = None
        refusal = ""
        if part.stop_reason is not None and not self._blocks:
            answer.finish = finish = finish_of(part.stop_reason)
            answer.stop_sequence = part.stop_sequence
        if finish == "content_filter":
            if answer.texts:  # a second such event finds them turned already
                answer.refusals, answer.texts = answer.texts, []
            if not answer.refusals and part.stop_details is not None:
                refusal = part.stop_details.explanation or ""
                answer.refusals = [refusal] if refusal else []
        usage = answer.usage if read.usage is not None else None
        if finish is None and usage is None:
            return None
        return Delta(
            refusal=refusal,
            finish_reason=finish,
            usage=usage,
            stop_sequence=part.stop_sequence,
        )

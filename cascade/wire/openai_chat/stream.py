"""Streamed chat completions: reading a provider's chunks."""

from __future__ import annotations

import msgspec

from cascade.types import Delta, Kind, TokenLogprob, ToolCallDelta, Usage
from cascade.wire.assembly import AssemblingReader
from cascade.wire.failures import Malformed, failure_of
from cascade.wire.openai_chat.answer_shapes import (
    CalledShape,
    Chunk,
    MessageShape,
    arguments_of,
    broken_off,
    finish_of,
    logprobs_of,
    text_and_thought,
    usage_of,
)

__all__ = ["StreamReader"]

_chunk = msgspec.json.Decoder(Chunk)


class StreamReader(AssemblingReader):
    """Reads a stream's events one by one and keeps what they add up to. Its last word is
    ``[DONE]``."""

    def __init__(self) -> None:
        super().__init__()
        self._places: dict[int, int] = {}  # a provider's index -> ours

    def feed(self, data: bytes) -> Delta | None:
        """Take one event's data; return what it adds, None where it adds nothing.

        Raises:
            Malformed: it is no chunk, or belongs to a choice that was not asked for.
            CallFailure: it is an error, or says that the answer was broken off.
        """
        if self._done:
            return None
        if data == b"[DONE]":
            self._done = True
            return None
        try:
            read = _chunk.decode(data)
        except (ValueError, RecursionError) as error:  # all that the decoder raises on bad input
            if (bare := data.strip()) in (b"", b"[DONE]"):
                self._done = bool(bare)
                return None
            raise Malformed(f"a chunk of the stream cannot be read: {error}") from None
        usage = None if read.usage is None else usage_of(read.usage)
        if usage is not None:
            self._answer.usage = usage
        if read.error is not None:
            raise failure_of(data, Kind.BROKEN, self._counted(usage))
        return self._delta(read, usage)

    def _delta(self, read: Chunk, usage: Usage | None) -> Delta | None:
        answer = self._answer
        model = stream_id = finish = None
        if not answer.id or not answer.model:
            stream_id, model = answer.begin(read.id, read.model)
            answer.created = answer.created or int(read.created or 0)
        text = thought = refusal = ""
        calls: tuple[ToolCallDelta, ...] = ()
        logprobs: tuple[TokenLogprob, ...] = ()
        if read.choices:
            choice = read.choices[0]
            if len(read.choices) > 1 or choice.index:
                raise Malformed("the stream holds other choices than the one that was asked for")
            if (part := choice.delta) is not None:
                text, thought, refusal = self._words(part)
                if part.tool_calls:
                    calls = tuple([self._call(call) for call in part.tool_calls])
            if choice.logprobs is not None and choice.logprobs.content:
                logprobs = logprobs_of(choice.logprobs.content)
                answer.logprobs += logprobs
            if choice.finish_reason:
                failure = broken_off(choice.finish_reason, self._counted(usage))
                if failure is not None:
                    raise failure
                answer.finish = finish = finish_of(choice.finish_reason)
        if text or thought or calls or refusal or logprobs or finish or usage or stream_id or model:
            return Delta(text, thought, refusal, calls, logprobs, finish, usage, model, stream_id)
        return None

    def _words(self, part: MessageShape) -> tuple[str, str, str]:
        text, thought = text_and_thought(part)
        if text:
            self._answer.texts.append(text)
        if thought:
            self._answer.reasoning.append(thought)
        if part.refusal:
            self._answer.refusals.append(part.refusal)
        return text or "", thought, part.refusal or ""

    def _call(self, read: CalledShape) -> ToolCallDelta:
        name = read.function.name if read.function else None
        arguments = arguments_of(read.function) if read.function else ""
        return self._answer.call(self._place(read, name), read.id, name, arguments)

    def _place(self, read: CalledShape, name: str | None) -> int:
        """Find which call a piece belongs to. Some servers send no index, or 0 for every call:
        then a new id, or a name without an id, begins a new one."""
        calls = self._answer.calls
        if read.index is None:
            last = calls[-1] if calls else None
            begins = last is None or (name and not read.id) or (read.id and read.id != last.id)
            return len(calls) if begins else len(calls) - 1
        place = self._places.get(read.index)
        taken = place is not None and name and read.id and calls[place].id not in ("", read.id)
        if place is None or taken:
            place = self._places[read.index] = len(calls)
        return place

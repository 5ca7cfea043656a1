"""Streamed chat completions: reading a provider's chunks."""

from __future__ import annotations

import msgspec

from cascade.types import (
    Delta,
    FinishReason,
    Kind,
    Message,
    Response,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from cascade.wire.failures import CallFailure, Malformed, failure_of
from cascade.wire.openai_chat.answer_shapes import (
    CalledShape,
    Chunk,
    MessageShape,
    arguments_of,
    finish_of,
    logprobs_of,
    text_and_thought,
    usage_of,
)

__all__ = ["StreamReader"]

_chunk = msgspec.json.Decoder(Chunk)


class _Call:
    """A tool call that is still coming."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []


class StreamReader:
    """Reads a stream's events one by one and keeps what they add up to.

    Attributes:
        done: ``[DONE]`` was seen; what follows it is skipped.
    """

    def __init__(self) -> None:
        self.done = False
        self._id = ""
        self._model = ""
        self._created = 0
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._refusals: list[str] = []
        self._calls: list[_Call] = []
        self._places: dict[int, int] = {}  # a provider's index -> ours
        self._logprobs: list[TokenLogprob] = []
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end: a finish reason was sent. A stream that stops
        before that was broken, however clean its connection closed."""
        return self._finish is not None

    def feed(self, data: bytes) -> Delta | None:
        """Take one event's data; return what it adds, None where it adds nothing.

        Raises:
            Malformed: it is no chunk, or belongs to a choice that was not asked for.
            CallFailure: it is an error, or says that the answer was broken off.
        """
        if self.done:
            return None
        if data == b"[DONE]":
            self.done = True
            return None
        try:
            read = _chunk.decode(data)
        except (ValueError, RecursionError) as error:  # all that the decoder raises on bad input
            if (bare := data.strip()) in (b"", b"[DONE]"):
                self.done = bool(bare)
                return None
            raise Malformed(f"a chunk of the stream cannot be read: {error}") from None
        if read.error is not None:
            raise failure_of(data, Kind.BROKEN)
        return self._delta(read)

    def response(self) -> Response:
        """Return the whole answer.

        Raises:
            CallFailure: the stream ended before the answer did.
        """
        if self._finish is None:
            raise CallFailure(Kind.BROKEN, "the stream ended before the answer did")
        for call in self._calls:
            if not call.name:
                raise Malformed("the stream holds a tool call without a function's name")
        return self.partial()

    def partial(self) -> Response:
        """Return what came so far, its finish reason ``unknown`` while there is none."""
        return Response(
            message=Message(
                role="assistant",
                content="".join(self._texts) if self._texts else None,
                tool_calls=tuple(
                    ToolCall(call.id, call.name, "".join(call.arguments)) for call in self._calls
                ),
                refusal="".join(self._refusals) if self._refusals else None,
            ),
            finish_reason=self._finish or "unknown",
            model=self._model,
            id=self._id,
            created=self._created,
            usage=self._usage,
            logprobs=tuple(self._logprobs) if self._logprobs else None,
            reasoning="".join(self._thoughts),
        )

    def _delta(self, read: Chunk) -> Delta | None:
        model = stream_id = usage = finish = None
        if not self._id or not self._model:
            stream_id, model = self._begin(read)
        if read.usage is not None and (usage := usage_of(read.usage)) is not None:
            self._usage = usage
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
                self._logprobs += logprobs
            if choice.finish_reason:
                self._finish = finish = finish_of(choice.finish_reason)
        if text or thought or calls or refusal or logprobs or finish or usage or stream_id or model:
            return Delta(text, thought, refusal, calls, logprobs, finish, usage, model, stream_id)
        return None

    def _begin(self, read: Chunk) -> tuple[str | None, str | None]:
        """Keep who answers; return what of it is news: the answer's id and its model."""
        news = (None if self._id else read.id or None, None if self._model else read.model or None)
        self._id = self._id or read.id or ""
        self._model = self._model or read.model or ""
        self._created = self._created or int(read.created or 0)
        return news

    def _words(self, part: MessageShape) -> tuple[str, str, str]:
        text, thought = text_and_thought(part)
        if text:
            self._texts.append(text)
        if thought:
            self._thoughts.append(thought)
        if part.refusal:
            self._refusals.append(part.refusal)
        return text or "", thought, part.refusal or ""

    def _call(self, read: CalledShape) -> ToolCallDelta:
        name = read.function.name if read.function else None
        place = self._place(read, name)
        call = self._calls[place]
        arguments = arguments_of(read.function) if read.function else ""
        call.arguments.append(arguments)
        new_id = read.id if read.id and not call.id else None
        new_name = name if name and not call.name else None
        call.id = call.id or read.id or ""
        call.name = call.name or name or ""
        return ToolCallDelta(place, new_id, new_name, arguments)

    def _place(self, read: CalledShape, name: str | None) -> int:
        """Find which call a piece belongs to. Some servers send no index, or 0 for every call:
        then a new id, or a name without an id, begins a new one."""
        if read.index is None:
            last = self._calls[-1] if self._calls else None
            begins = last is None or (name and not read.id) or (read.id and read.id != last.id)
            place = None if begins else len(self._calls) - 1
        else:
            place = self._places.get(read.index)
            if (
                place is not None
                and name
                and read.id
                and self._calls[place].id not in ("", read.id)
            ):
                place = None
        if place is None:
            place = len(self._calls)
            self._calls.append(_Call())
            if read.index is not None:
                self._places[read.index] = place
        return place

"""Streamed answers: reading a provider's chunks, each of which is an answer of its own."""

from __future__ import annotations

import msgspec

from cascade.types import Delta, FinishReason, Kind, Thought, ToolCallDelta, Usage
from cascade.wire.assembly import AssemblingReader
from cascade.wire.codec import canonical
from cascade.wire.failures import CallFailure, Malformed, failure_of
from cascade.wire.gemini.answer_shapes import (
    AnswerShape,
    CandidateShape,
    PartShape,
    counts_output,
    finish_of,
    logprobs_of,
    no_answer,
    usage_of,
)
from cascade.wire.gemini.seals import read_signature, read_thought

__all__ = ["StreamReader"]

_answer = msgspec.json.Decoder(AnswerShape)


class StreamReader(AssemblingReader):
    """Reads a stream's events one by one and keeps what they add up to.

    It is never done. The protocol has no last word, and some models say in every chunk that they
    stopped: only the end of the body ends the stream.
    """

    def __init__(self) -> None:
        super().__init__()
        self._open: list[str] = []  # what was thought since the last signature
        self._told: FinishReason | None = None  # to whoever takes the deltas
        self._uncounted = False

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end: no content came after the last finish, and where
        usages are told, one came with it or after it that counts the answer."""
        return super().complete and not self._uncounted

    def feed(self, data: bytes) -> Delta | None:
        """Take one event's data; return what it adds, None where it adds nothing.

        A usage is the sum so far in each chunk, so only that of the end goes into a delta.

        Raises:
            Malformed: it is no chunk, or belongs to a candidate that was not asked for.
            CallFailure: it is an error, or says that the prompt was blocked.
        """
        try:
            read = _answer.decode(data)
        except (ValueError, RecursionError) as error:  # all that the decoder raises on bad input
            if data.strip() in (b"", b"[DONE]"):  # some proxies end as OpenAI does
                return None
            raise Malformed(f"a chunk of the stream cannot be read: {error}") from None
        return self.take(read, data, Kind.BROKEN)

    def take(self, read: AnswerShape, data: bytes, otherwise: Kind) -> Delta | None:
        """Take one chunk, or a whole answer, that was read from ``data``; return what it adds.
        ``otherwise`` is the kind of an error that does not say its own.

        Raises:
            Malformed: it holds other candidates than the one that was asked for.
            CallFailure: it is an error, or says that the prompt was blocked.
        """
        answer = self._answer
        stream_id, model = answer.begin(read.response_id, read.model_version)
        usage = None if read.usage_metadata is None else usage_of(read.usage_metadata)
        ran, answer.usage = answer.usage is not None, usage or answer.usage
        if read.error is not None:
            raise failure_of(data, otherwise, self._counted(usage))
        if not read.candidates:
            self._check_prompt(read, usage)
            delta = Delta()
        else:
            candidate = read.candidates[0]
            if len(read.candidates) > 1 or candidate.index:
                problem = "the answer holds other candidates than the one that was asked for"
                raise Malformed(problem)
            delta = self._candidate(candidate, usage)
            if candidate.finish_reason and ran:
                self._uncounted = True
        if read.usage_metadata is not None and usage is not None:
            self._uncounted = self._has_content() and not counts_output(read.usage_metadata)
        delta = _with_news(delta, stream_id, model, usage if self.complete else None)
        return None if delta == _NOTHING else delta

    def _has_content(self) -> bool:
        answer = self._answer
        return bool(answer.texts or answer.reasoning or answer.calls)

    def _check_prompt(self, read: AnswerShape, usage: Usage | None) -> None:
        """Raise where there is no candidate because the prompt was not let through."""
        feedback = read.prompt_feedback
        if feedback is not None and feedback.block_reason:
            why = f"the prompt was blocked: {feedback.block_reason[:60]}"
            raise CallFailure(Kind.FILTERED, why, response=self._counted(usage))

    def _candidate(self, candidate: CandidateShape, usage: Usage | None) -> Delta:
        answer = self._answer
        parts = [
            delta
            for part in (candidate.content and candidate.content.parts) or ()
            if (delta := self._part(part)) is not None
        ]
        logprobs = candidate.logprobs_result and logprobs_of(candidate.logprobs_result)
        if logprobs:
            answer.logprobs += logprobs
        finish = None
        if candidate.finish_reason:
            finish = self._ended(candidate.finish_reason, usage)
        elif parts or logprobs:
            answer.finish = None  # so the finish before it was none
        if len(parts) == 1 and not logprobs and finish is None:
            return parts[0]
        return Delta(
            text="".join(part.text for part in parts),
            reasoning="".join(part.reasoning for part in parts),
            tool_calls=tuple(call for part in parts for call in part.tool_calls),
            logprobs=logprobs or (),
            finish_reason=finish,
            thought=next((part.thought for part in reversed(parts) if part.thought), None),
        )

    def _ended(self, reason: str, usage: Usage | None) -> FinishReason | None:
        """Keep why the model stopped; return it where that is news."""
        if (failure := no_answer(reason, self._counted(usage))) is not None:
            raise failure
        finish, before = finish_of(reason), self._told
        if finish == "stop" and self._answer.calls:
            finish = "tool_calls"
        self._answer.finish = self._told = finish
        return None if finish == before else finish

    def _part(self, part: PartShape) -> Delta | None:
        answer, text, thought = self._answer, part.text or "", None
        if part.function_call is not None:
            return Delta(tool_calls=(self._call(part),))
        if part.thought:
            if text:
                answer.reasoning.append(text)
                self._open.append(text)
            if part.thought_signature:
                thought = self._thought(part.thought_signature, "".join(self._open))
                if thought is not None and thought.redacted is None:
                    self._open = []
            return Delta(reasoning=text, thought=thought) if text or thought else None
        if text:
            answer.texts.append(text)
        if part.thought_signature:
            thought = self._thought(part.thought_signature, "")
        return Delta(text=text, thought=thought) if text or thought else None

    def _thought(self, signature: str, text: str) -> Thought | None:
        thought = read_thought(signature, text)
        if thought.signature is None and thought.redacted is None:
            return None
        self._answer.thoughts.append(thought)
        return thought

    def _call(self, part: PartShape) -> ToolCallDelta:
        called, calls = part.function_call, self._answer.calls
        assert called is not None, "the part is a call"
        if not called.name:
            raise Malformed("the answer holds a function call without a name")
        number, taken = len(calls), {call.id for call in calls}
        identity = called.id or f"call_{number}"
        while not called.id and identity in taken:
            number += 1
            identity = f"call_{number}"
        arguments = canonical(called.args or {}).decode()
        signature = read_signature(part.thought_signature)
        return self._answer.call(len(calls), identity, called.name, arguments, signature)


_NOTHING = Delta()


def _with_news(delta: Delta, identity: str | None, model: str | None, usage: Usage | None) -> Delta:
    if not (identity or model or usage):
        return delta
    return msgspec.structs.replace(delta, id=identity, model=model, usage=usage)

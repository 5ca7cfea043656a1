"""From a recorded answer to the answer of this call: its pieces, one a token, and its usage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from cascade.learning.tokens import split
from cascade.learning.trace import RecordedAnswer
from cascade.types import (
    Delta,
    FinishReason,
    Message,
    Request,
    Response,
    Thought,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    TopLogprob,
    Usage,
)
from cascade.wire.answer_parts import likely
from cascade.wire.assembly import Assembly

__all__ = ["Reply", "reply_to", "split", "whole"]

_SEAL = "ZW11bGF0ZWQ="  # base64, since one protocol's client decodes it


class Reply(msgspec.Struct, frozen=True):
    """What this call is answered with.

    ``pieces`` are one a token: thoughts, then text, then tool calls. A token that shows nothing
    is a piece that carries nothing. ``duration`` is the seconds from the request to the last
    token, as recorded; 0 where none was.
    """

    pieces: tuple[Delta, ...]
    finish_reason: FinishReason
    usage: Usage | None
    duration: float

    def tokens(self, pieces: int) -> int:
        """How many output tokens the first so many pieces are; 0 where none were recorded."""
        if self.usage is None or not self.pieces:
            return 0
        return self.usage.output_tokens * pieces // len(self.pieces)

    def cut(self, pieces: int, finish: FinishReason = "length") -> Reply:
        """Return the reply as if it had ended after so many pieces, by a limit unless told."""
        usage, share = self.usage, pieces / max(1, len(self.pieces))
        if usage is not None:
            left = self.tokens(pieces)
            thought = min(usage.reasoning_tokens, left)
            usage = msgspec.structs.replace(usage, output_tokens=left, reasoning_tokens=thought)
        return Reply(self.pieces[:pieces], finish, usage, self.duration * share)

    def for_mistrals_client(self) -> Reply:
        """Return the reply with each tool call in one piece, its last, and with a usage: of
        nothing where none was recorded."""
        pieces = list(self.pieces)
        at: dict[int, int] = {}
        whole: dict[int, ToolCallDelta] = {}
        for number, piece in enumerate(self.pieces):
            for part in piece.tool_calls:
                index = part.index
                begun = whole.get(index)
                arguments = part.arguments if begun is None else begun.arguments + part.arguments
                whole[index] = msgspec.structs.replace(begun or part, arguments=arguments)
                pieces[number], at[index] = Delta(), number
        for index, number in at.items():
            pieces[number] = Delta(tool_calls=(whole[index],))
        return msgspec.structs.replace(self, pieces=tuple(pieces), usage=self.usage or Usage(0, 0))


def reply_to(request: Request, answer: RecordedAnswer, calls: str = "call") -> Reply:
    """Return the recorded answer as the request wants it: cut at its limit, with or without
    log-probabilities. ``calls`` begins the ids of tool calls that were recorded without one."""
    reply = Reply(
        pieces=tuple(_pieces(request, answer, calls)),
        finish_reason=answer.finish_reason or ("tool_calls" if answer.tool_calls else "stop"),
        usage=_usage(answer),
        duration=answer.latency_s or 0.0,
    )
    recorded, limit = answer.output_tokens, request.max_tokens
    if not recorded or limit is None or limit >= recorded:
        return reply
    return reply.cut(-(-limit * len(reply.pieces) // recorded))


def whole(reply: Reply, *, id: str, created: int, model: str) -> Response:  # noqa: A002
    """Return the reply as one response."""
    sum_ = Assembly()
    for piece in reply.pieces:
        sum_.texts.append(piece.text)
        sum_.reasoning.append(piece.reasoning)
        sum_.logprobs += piece.logprobs
        if piece.thought is not None:
            sum_.thoughts.append(piece.thought)
        for part in piece.tool_calls:
            sum_.call(part.index, part.id, part.name, part.arguments)
    said = sum_.partial()
    text = said.message.text or (None if said.message.tool_calls else "")
    return Response(
        message=Message(
            role="assistant",
            content=text,
            tool_calls=said.message.tool_calls,
            thoughts=said.message.thoughts,
        ),
        finish_reason=reply.finish_reason,
        model=model,
        id=id,
        created=created,
        usage=reply.usage,
        logprobs=said.logprobs,
        reasoning=said.reasoning,
    )


def _pieces(request: Request, answer: RecordedAnswer, calls: str) -> Iterator[Delta]:
    counts = _counts(answer)
    yield from _thoughts(answer.reasoning or "", counts[0])
    yield from _texts(request, answer, counts[1])
    for index, (call, count) in enumerate(zip(answer.tool_calls, counts[2:], strict=True)):
        yield from _call(index, call, call.id or f"{calls}_{index}", count)


def _counts(answer: RecordedAnswer) -> list[int | None]:
    """Return how many tokens the thoughts, the text and each call are; None where unknown.

    Of what was counted together each part has its share by characters.
    """
    sizes = [len(answer.text), *(len(c.name) + len(c.arguments) for c in answer.tool_calls)]
    thought, total = answer.reasoning_tokens, answer.output_tokens
    if not total:
        return [thought, *(None for _ in sizes)]
    if thought is not None:
        return [thought, *_shares(total - thought, sizes)]
    return [*_shares(total, [len(answer.reasoning or ""), *sizes])]


def _shares(total: int, sizes: Sequence[int]) -> Iterator[int]:
    """Share tokens out by characters; while there are enough, every part has one at least."""
    everything = sum(sizes)
    if not everything:  # nothing to see: all of it is the text's, which stands first or second
        at = len(sizes) > 1
        yield from (total if number == at else 0 for number in range(len(sizes)))
        return
    parts = sum(size > 0 for size in sizes)
    least = int(total >= parts)
    rest = total - least * parts
    before = size_before = 0
    for size in sizes:
        size_before += size
        until = -(-rest * size_before // everything)  # rounded up
        yield until - before + (least if size else 0)
        before = until


def _thoughts(text: str, tokens: int | None) -> Iterator[Delta]:
    parts = _cut(text, tokens)
    for number, part in enumerate(parts, start=1):
        ends = bool(text) and number == len(parts)
        yield Delta(reasoning=part, thought=Thought(text, _SEAL) if ends else None)


def _texts(request: Request, answer: RecordedAnswer, tokens: int | None) -> Iterator[Delta]:
    recorded = answer.logprobs
    if recorded is None:
        parts = _cut(answer.text, tokens)
        mean = answer.mean_logprob
        entries = None if mean is None else [TokenLogprob(part, mean) for part in parts]
    else:
        parts = [entry.token for entry in recorded]
        entries = list(recorded)
        if "".join(parts) != answer.text:  # of tokens that are half a letter, or not shown
            parts = _cut(answer.text, len(recorded))
    if entries is None or not request.logprobs:
        yield from (Delta(text=part) for part in parts)
    else:
        rivals = request.top_logprobs or 0
        for part, entry in zip(parts, entries, strict=True):
            yield Delta(text=part, logprobs=(_shown(entry, rivals),))
    if recorded is not None and tokens is not None:  # ends of turns and their like
        yield from (Delta() for _ in range(tokens - len(parts)))


def _shown(entry: TokenLogprob, rivals: int) -> TokenLogprob:
    logprob = likely(entry.logprob)
    top = [TopLogprob(each.token, likely(each.logprob)) for each in entry.top[:rivals]]
    if rivals and not top:
        top = [TopLogprob(entry.token, logprob)]
    return TokenLogprob(entry.token, logprob, tuple(top))


def _call(index: int, call: ToolCall, id_: str, tokens: int | None) -> Iterator[Delta]:
    first, *rest = _cut(call.arguments, tokens) or [""]
    yield Delta(tool_calls=(ToolCallDelta(index, id_, call.name, first),))
    for part in rest:
        yield Delta(tool_calls=(ToolCallDelta(index, arguments=part),) if part else ())


def _cut(text: str, tokens: int | None) -> list[str]:
    """Cut a text into its tokens: none where it has none, yet one for a text that is there."""
    if tokens == 0:
        return [text] if text else []
    return list(split(text, tokens))


def _usage(answer: RecordedAnswer) -> Usage | None:
    if answer.input_tokens is None or answer.output_tokens is None:
        return None
    thought = answer.reasoning_tokens or 0
    return Usage(answer.input_tokens, answer.output_tokens, reasoning_tokens=thought)

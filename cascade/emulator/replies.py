"""From a recorded answer to the answer of this call: tokens, usage, log-probabilities."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from cascade.learning.trace import RecordedAnswer
from cascade.types import (
    Delta,
    FinishReason,
    Message,
    Request,
    Response,
    TokenLogprob,
    TopLogprob,
    Usage,
)

_LEAST = -9999.0  # OpenAI's own sign for a probability of 0, which JSON could not carry
_WORDS = re.compile(r"\s*\S+|\s+$")


class Reply(msgspec.Struct, frozen=True):
    """What this call is answered with.

    ``tokens`` are the texts of the answer's tokens: joined they are its text. ``duration`` is the
    seconds from the request to the last token, as recorded; 0 where none was.
    """

    tokens: tuple[str, ...]
    finish_reason: FinishReason
    usage: Usage | None
    logprobs: tuple[TokenLogprob, ...] | None
    duration: float

    @property
    def counted(self) -> bool:
        """Whether ``tokens`` are as many as were recorded, rather than words for want of them."""
        return self.usage is not None and self.usage.output_tokens == len(self.tokens)


def reply_to(request: Request, answer: RecordedAnswer) -> Reply:
    """Return the recorded answer as the request wants it: cut at its limit, with or without
    log-probabilities."""
    tokens = tuple(split(answer.text, answer.output_tokens))
    recorded = answer.output_tokens or 0
    keep = recorded if request.max_tokens is None else request.max_tokens
    cut = keep < recorded
    share = keep / recorded if cut else 1.0
    if cut:
        tokens = tokens[:keep]
    return Reply(
        tokens=tokens,
        finish_reason="length" if cut else answer.finish_reason or "stop",
        usage=_usage(answer, len(tokens) if cut else recorded),
        logprobs=_flat(tokens, answer.mean_logprob, request),
        duration=(answer.latency_s or 0.0) * share,
    )


def split(text: str, tokens: int | None) -> Iterator[str]:
    """Cut a text into as many pieces as it had tokens, evenly; joined, they are the text.

    The first pieces are never the empty ones. Without a recorded number the pieces are words,
    each with the white space before it.
    """
    if not tokens:
        yield from _WORDS.findall(text)
        return
    size = len(text)
    begin = 0
    for number in range(1, tokens + 1):
        end = -(-number * size // tokens)  # rounded up
        yield text[begin:end]
        begin = end


def whole(reply: Reply, *, id: str, created: int, model: str) -> Response:  # noqa: A002
    """Return the reply as one response."""
    return Response(
        message=Message(role="assistant", content="".join(reply.tokens)),
        finish_reason=reply.finish_reason,
        model=model,
        id=id,
        created=created,
        usage=reply.usage,
        logprobs=reply.logprobs,
    )


def deltas(reply: Reply) -> Iterator[Delta]:
    """Return the reply as the pieces of a stream, one a token."""
    if reply.logprobs is None:
        for token in reply.tokens:
            yield Delta(text=token)
    else:
        for token, logprob in zip(reply.tokens, reply.logprobs, strict=True):
            yield Delta(text=token, logprobs=(logprob,))


def _usage(answer: RecordedAnswer, output_tokens: int) -> Usage | None:
    if answer.input_tokens is None or answer.output_tokens is None:
        return None
    return Usage(input_tokens=answer.input_tokens, output_tokens=output_tokens)


def _flat(
    tokens: tuple[str, ...], mean: float | None, request: Request
) -> tuple[TokenLogprob, ...] | None:
    if mean is None or not request.logprobs:
        return None
    mean = max(mean, _LEAST)
    if not request.top_logprobs:
        return tuple(TokenLogprob(token, mean) for token in tokens)
    return tuple(TokenLogprob(token, mean, (TopLogprob(token, mean),)) for token in tokens)

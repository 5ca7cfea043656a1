"""What of an answer its caller sees: the log-probabilities it asked for, and no others."""

from __future__ import annotations

from msgspec.structs import replace

from cascade.types import Delta, Request, Response, TokenLogprob


def shown(response: Response, request: Request) -> Response:
    """Return the answer without what was asked for our own judgement only: it would be kept,
    read and replayed with every hit, and often weighs more than the text."""
    if response.logprobs is None:
        return response
    if not request.logprobs:
        return replace(response, logprobs=None)
    return replace(response, logprobs=_with_rivals(response.logprobs, request.top_logprobs or 0))


def shown_piece(delta: Delta, request: Request) -> Delta:
    """Return a piece of a stream as ``shown`` has the whole answer."""
    if not delta.logprobs:
        return delta
    if not request.logprobs:
        return replace(delta, logprobs=())
    return replace(delta, logprobs=_with_rivals(delta.logprobs, request.top_logprobs or 0))


def _with_rivals(tokens: tuple[TokenLogprob, ...], rivals: int) -> tuple[TokenLogprob, ...]:
    return tuple(
        token if len(token.top) <= rivals else replace(token, top=token.top[:rivals])
        for token in tokens
    )

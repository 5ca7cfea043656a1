"""What of an answer the client sees: what it asked for, under a name and a time."""

from __future__ import annotations

import time

from msgspec.structs import replace

from cascade.types import Answer, Delta, Request, Response, TokenLogprob


def shown(answer: Answer, request: Request) -> Response:
    """Return the answer's response without log-probabilities that nobody but us asked for.

    Some providers send neither id nor time: then the answer's own id and the present stand there.
    """
    response = answer.response
    if not (response.id and response.created):
        response = replace(
            response,
            id=response.id or answer.id,
            created=response.created or int(time.time()),
        )
    if response.logprobs is None:
        return response
    if not request.logprobs:
        return replace(response, logprobs=None)
    return replace(response, logprobs=_with_rivals(response.logprobs, request.top_logprobs or 0))


def shown_piece(delta: Delta, request: Request) -> Delta:
    """Return a live piece as ``shown`` has it."""
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

"""A whole answer as a real stream: for stored answers, and for those held until accepted."""

from __future__ import annotations

from collections.abc import Iterator

from cascade.types import Delta, Response, ToolCallDelta

__all__ = ["deltas_of"]

_PIECE = 64  # characters


def deltas_of(response: Response) -> Iterator[Delta]:
    """Yield the answer's deltas in a provider's order: who answers, reasoning, text, refusal, tool
    calls, the finish reason, the usage. Read back, they add up to the same answer.

    Text goes token by token where the log-probabilities tell the tokens, else in pieces.
    """
    message = response.message
    if response.model or response.id:
        yield Delta(model=response.model or None, id=response.id or None)
    yield from _reasoning(response)
    yield from _text(response)
    for piece in _pieces(message.refusal or ""):
        yield Delta(refusal=piece)
    for index, call in enumerate(message.tool_calls):
        yield Delta(
            tool_calls=(ToolCallDelta(index, call.id, call.name, signature=call.signature),)
        )
        for piece in _pieces(call.arguments):
            yield Delta(tool_calls=(ToolCallDelta(index, arguments=piece),))
    yield Delta(finish_reason=response.finish_reason, stop_sequence=response.stop_sequence)
    if response.usage is not None:
        yield Delta(usage=response.usage)


def _reasoning(response: Response) -> Iterator[Delta]:
    """Each thought after its own text, where the thoughts' texts are the reasoning, else all of
    them after it."""
    thoughts = response.message.thoughts
    apart = "".join(thought.text for thought in thoughts) == response.reasoning
    if not apart:
        for piece in _pieces(response.reasoning):
            yield Delta(reasoning=piece)
    for thought in thoughts:
        for piece in _pieces(thought.text if apart else ""):
            yield Delta(reasoning=piece)
        yield Delta(thought=thought)


def _text(response: Response) -> Iterator[Delta]:
    text, tokens = response.message.text, response.logprobs or ()
    if "".join(token.token for token in tokens) == text:
        for token in tokens:
            yield Delta(text=token.token, logprobs=(token,))
        return
    # Tokens that hold half a character do not add up to the text: they go ahead in one piece.
    if tokens:
        yield Delta(logprobs=tokens)
    for piece in _pieces(text):
        yield Delta(text=piece)


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]

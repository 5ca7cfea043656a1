"""Whether a client gets the model's thoughts: who did not ask for any does not expect them."""

from __future__ import annotations

from msgspec.structs import replace

from cascade.types import Delta, ProtocolName, Request, Response


def wants_thoughts(request: Request, protocol: ProtocolName) -> bool:
    """Whether thoughts are to be sent. OpenAI's clients have a field for them that nobody meets by
    chance; elsewhere they stand before the text, and only if they were asked for."""
    if protocol == "openai":
        return True
    effort = request.reasoning_effort
    return request.reasoning_budget is not None or effort not in (None, "none")


def without_thoughts(response: Response) -> Response:
    """Return the answer without its thoughts."""
    message = response.message
    if not (response.reasoning or message.thoughts):
        return response
    return replace(response, reasoning="", message=replace(message, thoughts=()))


def piece_without_thoughts(delta: Delta) -> Delta:
    """Return a piece of a stream without its thoughts."""
    if not (delta.reasoning or delta.thought):
        return delta
    return replace(delta, reasoning="", thought=None)

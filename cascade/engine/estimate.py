"""What a call is charged when the provider reported no usage: never in the spender's favour."""

from __future__ import annotations

import math

from cascade import tokens
from cascade.types import Request, Response, Usage

FASTEST = 200.0
"""Tokens per second that a model may have produced unseen: faster than the usual services are."""


def estimate(
    request: Request,
    response: Response | None,
    *,
    unseen_s: float,
    limit: int | None,
) -> Usage:
    """Estimate the usage of a call from what was sent and what came back.

    Args:
        request: what was sent.
        response: what came back, whole or in part.
        unseen_s: seconds in which the model may have produced what nobody received.
        limit: the output limit that was sent, in tokens.
    """
    received = 0 if response is None else _received(response)
    output = received + math.ceil(unseen_s * FASTEST)
    if limit is not None:
        output = max(received, min(output, limit))
    return Usage(input_tokens=tokens.count_request(request), output_tokens=output)


def _received(response: Response) -> int:
    message = response.message
    texts = [message.text, message.refusal or "", response.reasoning]
    texts += [call.name + call.arguments for call in message.tool_calls]
    return sum(tokens.count(text) for text in texts if text)

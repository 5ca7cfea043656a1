"""What a call is charged when the provider reported no usage: never in the spender's favour."""

from __future__ import annotations

import math
from collections.abc import Callable

from cascade import tokens
from cascade.types import Request, Response, Usage

FASTEST = 200.0
"""Tokens per second that a model may have produced unseen: faster than the usual services are."""


def count_whole(request: Request, response: Response) -> Usage:
    """Count what was sent and what came back. The first time loads the vocabulary (0.3 s)."""
    return Usage(tokens.count_request(request), _output(response, tokens.count))


def estimate_cut_off(
    request: Request, partial: Response | None, *, unseen_s: float, limit: int | None
) -> Usage:
    """Estimate a call that was broken off, by bytes: its end waits for no vocabulary.

    Args:
        request: what was sent.
        partial: what came back until then.
        unseen_s: seconds in which the model may have produced what nobody received.
        limit: the output limit that was sent, in tokens.
    """
    output = math.ceil(unseen_s * FASTEST)
    if partial is not None:
        output += _output(partial, tokens.estimate)
    if limit is not None:
        output = min(output, limit)
    return Usage(-(-tokens.input_bound(request) // 3), output)


def _output(response: Response, measure: Callable[[str], int]) -> int:
    message = response.message
    texts = [message.text, message.refusal or "", response.reasoning]
    texts += [call.name + call.arguments for call in message.tool_calls]
    return sum(measure(text) for text in texts if text)

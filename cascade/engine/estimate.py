"""What a call costs, and what it is charged when its provider did not say.

An estimate errs against the spender: its tokens are no fewer than what may have been read and
written, its input costs the dearest price, and it ends at the limits that were sent, hence at the
call's hold. Two things it must take on trust: ``FASTEST``, and that a model which sends pieces
sends all it makes; thought that is hidden between them is not seen.
"""

from __future__ import annotations

import math

import msgspec
from msgspec.structs import replace

from cascade import money, tokens
from cascade.types import Endpoint, Request, Response, Usage

FASTEST = 1_500.0
"""Tokens per second that a silent model is taken to have made. An assumption, not a measurement:
the fastest service in the catalogue speaks of about 1,000."""


class Bill(msgspec.Struct, frozen=True):
    """What a call is charged, in money units; None where nobody knows."""

    usage: Usage | None = None
    cost: int | None = 0
    estimated: bool = False


NOTHING = Bill()
"""Of a call that did not leave, or that was answered with an error's status."""


def reported(usage: Usage, endpoint: Endpoint) -> Bill:
    """What the provider itself counted."""
    price = endpoint.price
    return Bill(usage, None if price is None else money.bill(price, usage))


def count_whole(
    request: Request, response: Response, endpoint: Endpoint, limit: int | None
) -> Bill:
    """Count what was sent and what came back. The first time loads the vocabulary (0.3 s).

    The usage is the count; the bill takes in that other models' tokenizers make more of it.
    """
    images = request.images * (endpoint.image_tokens or 0)
    counted = Usage(tokens.count_request(request) + images, tokens.count_response(response))
    read = min(tokens.input_bound(request) + images, tokens.padded(counted.input_tokens))
    written = min(tokens.output_bound(response), tokens.padded(counted.output_tokens))
    written += tokens.PER_ANSWER
    if limit is not None:
        written = min(written, max(limit, counted.output_tokens))
    return Bill(counted, _most(Usage(read, written), request, endpoint), estimated=True)


def estimate_cut_off(
    request: Request,
    partial: Response | None,
    endpoint: Endpoint,
    *,
    unseen_s: float,
    unread: int,
    limit: int | None,
    hold: int,
) -> Bill:
    """Estimate a call that was broken off, by bytes: its end waits for no vocabulary.

    Args:
        request: what was sent.
        partial: what came back until then; a usage in it is a running count.
        endpoint: who was called.
        unseen_s: seconds in which the model may have made what nobody received.
        unread: bytes that came and could not be read as an answer.
        limit: the output limit that was sent, in tokens.
        hold: what the call may cost by its plan, in money units; 0 where no cap is set.
    """
    running = partial.usage if partial is not None else None
    output = math.ceil(unseen_s * FASTEST) + unread
    if partial is not None:
        output += tokens.output_bound(partial) + tokens.PER_ANSWER
    output = min(output, limit or output, endpoint.max_output or output)
    if running is None or not running.input_tokens:
        images = request.images * (endpoint.image_tokens or 0)
        usage = Usage(tokens.input_bound(request) + images, output)
    else:
        usage = replace(running, output_tokens=max(running.output_tokens, output))
    cost = _most(usage, request, endpoint)
    if cost is not None and hold:
        known = None if running is None else reported(running, endpoint).cost
        cost = max(min(cost, hold), known or 0)
    return Bill(usage, cost, estimated=True)


def _most(usage: Usage, request: Request, endpoint: Endpoint) -> int | None:
    """The cost if every token that is not told apart was of the dearest class."""
    price = endpoint.price
    if price is None or (request.images and endpoint.image_tokens is None):
        return None
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    return money.bill(price, usage) + max(plain, 0) * (price.dearest_input - price.input)

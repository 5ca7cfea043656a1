"""How much a provider still takes before it answers with a 429, as its headers tell."""

from __future__ import annotations

import msgspec


class Bucket(msgspec.Struct, frozen=True):
    """What is left of one allowance. ``resets_at`` is Unix time in seconds, None where it was
    not told; ``limit`` is the whole of it."""

    remaining: int
    resets_at: float | None = None
    limit: int | None = None


class RateLimits(msgspec.Struct, frozen=True):
    """What is left of an endpoint's allowances, the tightest of each kind: of requests, of tokens
    whatever they are, of a prompt's alone, and of an answer's alone."""

    requests: Bucket | None = None
    tokens: Bucket | None = None
    input_tokens: Bucket | None = None
    output_tokens: Bucket | None = None

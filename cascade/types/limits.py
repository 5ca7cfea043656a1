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
    """What is left of an endpoint's allowances: of requests, and of the tightest of its tokens."""

    requests: Bucket | None = None
    tokens: Bucket | None = None

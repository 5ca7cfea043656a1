"""What it is worth that a conversation's prefix is warm at a provider.

Caches belong to one model, so that going back down the ladder starts cold. Whether a turn starts
where the level says or stays where the conversation is, is a matter of price: the draft on the
lower rung, read cold, and the chance that it has to climb all the same, against one warm answer.
"""

from __future__ import annotations

import msgspec

from cascade.types import Endpoint, Usage

LEAST_PREFIX = 1024
"""Tokens below which no provider of an automatic cache keeps a prompt."""

LIFE: dict[str, float] = {"anthropic": 300.0, "openai": 1800.0, "gemini": 3600.0}
"""Seconds that a prompt stays warm, by protocol, where nothing else is asked for."""


class Warmth(msgspec.Struct, frozen=True):
    """Where a conversation was last answered: rung and endpoint, the tokens that its provider
    keeps, until when (Unix seconds); and how many of its turns have climbed."""

    rung: str
    endpoint: str
    tokens: int
    until: float
    turns: int = 1
    climbs: int = 0

    @property
    def climb_share(self) -> float:
        """The chance that this conversation's next draft climbs, by the rule of succession."""
        return (self.climbs + 1) / (self.turns + 2)


def kept_tokens(endpoint: Endpoint, usage: Usage) -> int:
    """How many of this call's tokens its provider keeps for the next turn. Anthropic says so;
    the others keep what is long enough."""
    if endpoint.protocol == "anthropic":
        return usage.cached_tokens + usage.cache_write_tokens
    total = usage.input_tokens + usage.output_tokens
    return total if usage.input_tokens >= LEAST_PREFIX else 0


def stays(cheap: Endpoint, last: Endpoint, warmth: Warmth, tokens: int, answer: int) -> bool:
    """Whether a turn of ``tokens`` input and about ``answer`` output tokens is no dearer at the
    rung where the conversation is than begun at the cheaper one."""
    if cheap.price is None or last.price is None:
        return False
    warm = min(warmth.tokens, tokens)
    there = (
        warm * last.price.cached + (tokens - warm) * last.price.input + answer * last.price.output
    )
    draft = tokens * cheap.price.input + answer * cheap.price.output
    # A climb pays for the draft and then for the warm answer.
    return there <= draft + warmth.climb_share * there

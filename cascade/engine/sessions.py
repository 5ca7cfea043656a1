"""Where each conversation was last answered, so that a warm provider cache has its price.

In memory only: what a provider keeps lives for minutes.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from cascade.policy.switching import LIFE, Warmth, kept_tokens
from cascade.types import Attempt, Ladder, Request, Response

MOST = 10_000
"""Conversations that are remembered; the one that was silent longest goes first."""

_encode = msgspec.msgpack.Encoder().encode


def key_of(request: Request, ladder: Ladder) -> bytes:
    """The conversation that a request goes on with: the name it gives, or a hash of all up to the
    first user turn, which every later turn sends again."""
    named = request.session
    begun: object = named
    if named is None:
        turns = request.messages
        first = next((i for i, turn in enumerate(turns) if turn.role == "user"), len(turns))
        begun = turns[: first + 1]
    text = _encode((ladder.name, named is not None, request.user, begun))
    return hashlib.blake2b(text, digest_size=16).digest()


class Sessions:
    """The conversations of one process. ``clock`` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float], most: int = MOST) -> None:
        self._clock, self._most = clock, most
        self._by_key: OrderedDict[bytes, Warmth] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_key)

    def warmth(self, key: bytes) -> Warmth | None:
        """What the conversation left warm, None where it left nothing or that has cooled down."""
        found = self._by_key.get(key)
        return found if found is not None and self._clock() < found.until else None

    def answered(
        self, key: bytes, ladder: Ladder, chosen: Attempt, response: Response, climbed: bool
    ) -> None:
        """A turn was answered. ``climbed`` says that a weaker rung had tried first."""
        rung = next((rung for rung in ladder.rungs if rung.name == chosen.rung), None)
        usage = response.usage
        if rung is None or usage is None:
            return
        endpoint = next(e for e in rung.endpoints if e.name == chosen.endpoint)
        before = self._by_key.pop(key, None)
        tokens = kept_tokens(endpoint, usage)
        if not tokens:
            return
        self._by_key[key] = Warmth(
            rung=rung.name,
            endpoint=endpoint.name,
            tokens=tokens,
            until=self._clock() + LIFE[endpoint.protocol],
            turns=(before.turns if before else 0) + 1,
            climbs=(before.climbs if before else 0) + climbed,
        )
        if len(self._by_key) > self._most:
            self._by_key.popitem(last=False)

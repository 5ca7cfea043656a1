"""The frozen tables that a configuration compiles to. Nothing here is looked up twice."""

from __future__ import annotations

from typing import Literal

import msgspec

from cascade.types.judging import Bar, Level

UNITS_PER_USD = 10**12
"""Money is in whole units of 1e-12 US dollar: see :mod:`cascade.money`."""


class Price(msgspec.Struct, frozen=True):
    """What one token costs, in money units (US dollars per million tokens x 1e6), by class."""

    input: int
    cached: int
    cache_write: int
    output: int

    @property
    def dearest_input(self) -> int:
        """The most that one input token can cost, whatever the provider's cache does."""
        return max(self.input, self.cached, self.cache_write)


class Clocks(msgspec.Struct, frozen=True):
    """Time limits of one call, in seconds; None sets no limit.

    ``first_token`` and ``idle`` can be kept only on a streamed call.
    """

    connect: float | None = 5.0
    first_token: float | None = 30.0
    idle: float | None = 30.0
    total: float | None = 120.0


ProtocolName = Literal["openai", "anthropic", "gemini"]
KeyHeader = Literal["authorization", "x-api-key", "api-key", "x-goog-api-key"]
"""The header that carries a key; in ``authorization`` it is a bearer token."""


class Endpoint(msgspec.Struct, frozen=True):
    """One provider's offer of a model.

    ``key_variables`` are names of environment variables, the first that is set wins; a provider
    without any takes no key. ``context`` and ``max_output`` are tokens, ``image_tokens`` bounds
    what one image can count as. ``lacks`` names parameters this model does not take. A price of
    None is unknown, which is not free. ``query`` goes behind every address; ``proxy`` is an
    address and ``ca`` a file of authorities of this endpoint's own. ``weight`` is its share of
    the rung's calls beside the others'.
    """

    name: str
    provider: str
    model: str
    base_url: str
    protocol: ProtocolName = "openai"
    key_variables: tuple[str, ...] = ()
    key_header: KeyHeader = "authorization"
    query: tuple[tuple[str, str], ...] = ()
    proxy: str | None = None
    ca: str | None = None
    weight: float = 1.0
    headers: tuple[tuple[str, str], ...] = ()
    price: Price | None = None
    price_source: str = "unknown"
    context: int | None = None
    max_output: int | None = None
    image_tokens: int | None = None
    lacks: frozenset[str] = frozenset()
    limit_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"


Balance = Literal["in_order", "weight", "least_pending"]
"""What orders a rung's endpoints: as they stand, by weight, or by the fewest calls under way."""


class Rung(msgspec.Struct, frozen=True):
    """One step of a ladder.

    ``accept`` is the operator's own acceptance rule, None where the preset decides. ``calls``
    bounds all calls of a request at this rung; ``hedge`` is the seconds without a first token
    after which another endpoint is called too; with ``hedge_learned`` they are learned from the
    endpoint's own calls. ``watched`` rungs are called as a stream even for a whole answer, since
    only a stream shows its first token. ``balance`` orders the endpoints. ``first_token_set`` says
    that the first-token clock is the operator's own: then no learned one takes its place.
    """

    name: str
    endpoints: tuple[Endpoint, ...]
    clocks: Clocks = Clocks()
    accept: Bar | None = None
    pattern: str | None = None
    calls: int = 3
    hedge: float | None = None
    hedge_learned: bool = False
    watched: bool = False
    balance: Balance = "in_order"
    first_token_set: bool = False


class Ladder(msgspec.Struct, frozen=True):
    """Rungs from cheapest to strongest, with what the preset makes of them.

    ``bars[level][i]`` is the bar of rung ``i`` for a request of that level, None where the rung
    accepts unchecked; ``starts[level]`` is the index of the first rung to try. ``fingerprint``
    identifies rungs, models and patterns in cache keys.
    """

    name: str
    rungs: tuple[Rung, ...]
    bars: dict[Level, tuple[Bar | None, ...]]
    starts: dict[Level, int]
    fingerprint: bytes


class Decide(msgspec.Struct, frozen=True):
    """Defaults of every decision. ``deadline`` in seconds, ``max_cost`` in money units,
    ``min_output`` in tokens: the least room for an answer that a cost cap may leave.
    ``strong_for_tools`` are tools that only the strongest rung may call."""

    preset: Literal["safe", "balanced", "cheap", "best"] = "balanced"
    delivery: Literal["verified", "live"] = "verified"
    at_the_end: Literal["best_effort", "error"] = "best_effort"
    deadline: float = 120.0
    max_cost: int | None = None
    min_output: int = 256
    strong_for_tools: frozenset[str] = frozenset()


class CacheTable(msgspec.Struct, frozen=True):
    """The response cache: ``size`` in bytes, ``ttl`` and ``now_ttl`` (questions about now) in
    seconds, ``entry_limit`` the largest entry in bytes."""

    enabled: bool = True
    size: int = 1_000_000_000
    ttl: float = 7 * 86_400.0
    now_ttl: float = 600.0
    sampled: bool = False
    tool_calls: bool = False
    per_user: bool = False
    entry_limit: int = 1_000_000


class ServerTable(msgspec.Struct, frozen=True):
    """Where the server listens, and other names under which clients may ask."""

    host: str = "127.0.0.1"
    port: int = 8700
    aliases: dict[str, str] = {}


class Tables(msgspec.Struct, frozen=True):
    """A whole configuration, compiled. ``source`` says where it was read, for people."""

    ladders: dict[str, Ladder]
    decide: Decide = Decide()
    cache: CacheTable = CacheTable()
    server: ServerTable = ServerTable()
    source: str = "defaults"

    @property
    def rungs(self) -> dict[str, Rung]:
        """All rungs of all ladders by name."""
        return {rung.name: rung for ladder in self.ladders.values() for rung in ladder.rungs}

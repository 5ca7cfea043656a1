"""What may stand in ``config.toml``, and nothing else may.

Every table is a pydantic model that refuses unknown keys. Types are strict: TOML has types, so a
text is never taken for a number. What spans several tables (does this rung exist?) is checked by
``compile``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from cascade.config.forms import (
    Address,
    ApiVersion,
    BaseUrl,
    Bytes,
    CaPath,
    Headers,
    Hedge,
    KeyName,
    ModelName,
    Pattern,
    ProxyUrl,
    Rule,
    RungName,
    Seconds,
    Tokens,
    ToolName,
    Usd,
)
from cascade.config.presets import PresetName, WhenUnsure
from cascade.types import Balance, KeyHeader, ProtocolName
from cascade.types.parameters import Lackable

SHORT, LONG = "<text>", "<table>"
"""Marks of the two forms of a rung, an endpoint or a price, which pydantic puts into its places."""


def _form(value: Any) -> str:
    return SHORT if isinstance(value, str) else LONG


class Table(BaseModel):
    """A table of the file: strict, closed, and silent about what it was given."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class TimeoutTable(Table):
    """Clocks of one call, in seconds. What is left out keeps its default."""

    connect: Seconds | None = None
    first_token: Seconds | None = None
    idle: Seconds | None = None
    total: Seconds | None = None


class EndpointTable(Table):
    """An endpoint of a rung in its long form: a model, and its share of the rung's calls."""

    model: ModelName
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class RungTable(Table):
    """A rung in its long form: one model at one or more endpoints."""

    endpoints: Annotated[
        list[
            Annotated[
                Annotated[ModelName, Tag(SHORT)] | Annotated[EndpointTable, Tag(LONG)],
                Discriminator(_form),
            ]
        ],
        Field(min_length=1),
    ]
    balance: Balance = "in_order"
    timeout: TimeoutTable = TimeoutTable()
    accept: Rule | None = None
    when_unsure: WhenUnsure | None = None
    pattern: Pattern | None = None
    calls: Annotated[int, Field(ge=1, le=100)] = 3
    hedge: Hedge | None = None


class ProviderTable(Table):
    """A provider, or what differs from the catalogue's entry of that name."""

    protocol: ProtocolName | None = None
    base_url: BaseUrl | None = None
    key: KeyName | None = None
    key_header: KeyHeader | None = None
    api_version: ApiVersion | None = None
    proxy: ProxyUrl | None = None
    ca: CaPath | None = None
    headers: Headers = {}


class PriceTable(Table):
    """US dollars per million tokens. ``cached`` and ``cache_write`` default to ``input``."""

    input: Usd
    output: Usd
    cached: Usd | None = None
    cache_write: Usd | None = None


class ModelTable(Table):
    """What the price list or the catalogue has wrong or does not know of a model."""

    price: (
        Annotated[
            Annotated[Literal["free"], Tag(SHORT)] | Annotated[PriceTable, Tag(LONG)],
            Discriminator(_form),
        ]
        | None
    ) = None
    context: Tokens | None = None
    max_output: Tokens | None = None
    image_tokens: Tokens | None = None
    lacks: list[Lackable] | None = None
    limit_parameter: Literal["max_tokens", "max_completion_tokens"] | None = None


class StartTable(Table):
    """The rung at which a request of a level starts."""

    simple: RungName | None = None
    moderate: RungName | None = None
    complex: RungName | None = None


class DecideTable(Table):
    """Defaults of every decision."""

    preset: PresetName = "balanced"
    delivery: Literal["verified", "live"] = "verified"
    when_unsure: WhenUnsure = "climb"
    at_the_end: Literal["best_effort", "error"] = "best_effort"
    start: StartTable = StartTable()
    deadline: Seconds = 120.0
    max_cost: Usd | None = None
    min_output: Tokens = 256
    strong_for_tools: list[ToolName] = []


class CacheSection(Table):
    """The response cache."""

    enabled: bool = True
    size: Bytes = 1_000_000_000
    ttl: Seconds = 7 * 86_400.0
    now_ttl: Seconds = 600.0
    sampled: bool = False
    tool_calls: bool = False
    per_user: bool = False
    entry_limit: Bytes = 1_000_000


class ServerSection(Table):
    """The server."""

    listen: Address = "127.0.0.1:8700"
    aliases: dict[str, str] = {}


class File(Table):
    """The whole file."""

    ladders: dict[RungName, Annotated[list[RungName], Field(min_length=1)]]
    rungs: dict[
        RungName,
        Annotated[
            Annotated[ModelName, Tag(SHORT)] | Annotated[RungTable, Tag(LONG)],
            Discriminator(_form),
        ],
    ] = {}
    providers: dict[str, ProviderTable] = {}
    models: dict[ModelName, ModelTable] = {}
    decide: DecideTable = DecideTable()
    cache: CacheSection = CacheSection()
    server: ServerSection = ServerSection()


TABLES = frozenset(File.model_fields)

_KEYS: dict[tuple[str, ...], type[Table]] = {
    (): File,
    ("rungs", "*"): RungTable,
    ("rungs", "*", "endpoints", "*"): EndpointTable,
    ("rungs", "*", "timeout"): TimeoutTable,
    ("providers", "*"): ProviderTable,
    ("models", "*"): ModelTable,
    ("models", "*", "price"): PriceTable,
    ("decide",): DecideTable,
    ("decide", "start"): StartTable,
    ("cache",): CacheSection,
    ("server",): ServerSection,
}


def keys_at(path: tuple[str | int, ...]) -> frozenset[str]:
    """Return the keys that a table of the file may have; empty where the names are free."""
    named = path[:1] in (("rungs",), ("providers",), ("models",)) and len(path) > 1
    pattern = tuple(
        "*" if isinstance(part, int) or (named and at == 1) else part
        for at, part in enumerate(path)
    )
    table = _KEYS.get(pattern)
    return frozenset(table.model_fields) if table else frozenset()

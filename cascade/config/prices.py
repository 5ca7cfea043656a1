"""What a model costs, where the configuration does not say: genai-prices, bundled and offline.

Prices are looked up once, when a configuration is read, for that day. The library's price lists
know more than our four numbers, and what does not fit is treated so that a bill is right or too
high, never too low:

- *Long prompts cost more* (a rate above, say, 272,000 input tokens). The base rate is taken and
  the model's context window ends at the threshold, so every bill is exact. Where the
  configuration asks for a longer context, the dearest rate is taken for everything.
- *The price depends on the hour.* The dearest hour's is taken.
- *A price per request, per character, per image* that tokens cannot express: unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from cascade.money import units_per_token
from cascade.types import Price

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

    Rate = Decimal | TieredPrices

UNKNOWN = "unknown"
_PER_CALL = ("requests_kcount", "input_mchars", "output_mchars")


class Listed(msgspec.Struct, frozen=True):
    """What the price list says of a model: its price, its context window in tokens, both None
    where it is silent, and in words where the price comes from."""

    price: Price | None = None
    context: int | None = None
    source: str = UNKNOWN


def look_up(provider: str, model: str, context: int | None, now: datetime | None = None) -> Listed:
    """Return what genai-prices knows of a provider's model.

    Names match loosely there (``gpt-5.6`` is priced as ``gpt-5.6-sol``), so ``source`` names the
    entry that was taken. ``context`` is the configured window in tokens, None where it is silent.
    """
    from genai_prices.data_snapshot import get_snapshot

    try:
        owner, entry = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return Listed()
    source = f"genai-prices: {owner.id}/{entry.id}"
    rates = _rates(entry, now or datetime.now(UTC))
    if not rates or any(getattr(rate, key, None) for rate in rates for key in _PER_CALL):
        return Listed(None, entry.context_window, f"{UNKNOWN} ({source} is not per token)")
    threshold = min(filter(None, map(_threshold, rates)), default=None)
    window = context or entry.context_window
    if threshold is None or (context is not None and context <= threshold):
        return Listed(_dearest(rates, tiers=False), window, source)
    if context is not None:
        price = _dearest(rates, tiers=True)
        return Listed(price, window, f"{source}, its rate above {threshold:,} input tokens")
    shortened = min(threshold, window or threshold)
    note = "" if shortened == window else f", up to {threshold:,} input tokens"
    return Listed(_dearest(rates, tiers=False), shortened, source + note)


def _rates(entry: ModelInfo, now: datetime) -> list[ModelPrice]:
    """The price list in force; several where it depends on the hour, none where it has gaps."""
    from genai_prices.types import ModelPrice, TimeOfDateConstraint

    if isinstance(entry.prices, ModelPrice):
        rates = [entry.prices]
    else:
        hourly = [p for p in entry.prices if isinstance(p.constraint, TimeOfDateConstraint)]
        standing = [
            p
            for p in entry.prices
            if p not in hourly and (p.constraint is None or p.constraint.active(now))
        ]
        rates = [p.prices for p in (*standing[-1:], *hourly)]
    return rates if all(map(_priced, rates)) else []


def _priced(rate: ModelPrice) -> bool:
    return rate.input_mtok is not None and rate.output_mtok is not None


def _threshold(rate: ModelPrice) -> int | None:
    """The number of input tokens above which a higher rate applies."""
    starts = [tier.start for value in _tiered(rate) for tier in value.tiers]
    return min(starts, default=None)


def _tiered(rate: ModelPrice) -> Iterable[TieredPrices]:
    from genai_prices.types import TieredPrices

    return (value for value in vars(rate).values() if isinstance(value, TieredPrices))


def _dearest(rates: list[ModelPrice], *, tiers: bool) -> Price:
    def most(*keys: str) -> int:
        found = [getattr(rate, key, None) for rate in rates for key in keys]
        return max(units_per_token(_amount(value, tiers)) for value in found if value is not None)

    return Price(
        input=most("input_mtok"),
        cached=most("cache_read_mtok") if _all(rates, "cache_read_mtok") else most("input_mtok"),
        cache_write=(
            most("cache_write_mtok") if _all(rates, "cache_write_mtok") else most("input_mtok")
        ),
        output=most("output_mtok", "output_reasoning_mtok"),
    )


def _all(rates: list[ModelPrice], key: str) -> bool:
    return all(getattr(rate, key, None) is not None for rate in rates)


def _amount(value: Rate, tiers: bool) -> Decimal:
    if isinstance(value, Decimal):
        return value
    return max(value.base, *(tier.price for tier in value.tiers)) if tiers else value.base

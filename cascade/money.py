"""Money as integers: one unit is 1e-12 US dollar.

A price in dollars per million tokens times 1e6 is a price in units per token, so that every list
price with up to six decimals is exact, and so is every bill. Floats appear at the edges only.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Decimal, InvalidOperation

from cascade.types import Price, Usage
from cascade.types.tables import UNITS_PER_USD as UNITS_PER_USD

FREE = Price(input=0, cached=0, cache_write=0, output=0)


def units_per_token(usd_per_million: float | str | Decimal) -> int:
    """Turn a list price in US dollars per million tokens into units per token.

    A price finer than a unit is rounded up: against the caller, never in their favour.

    Raises:
        ValueError: the price is negative or no number.
    """
    try:
        price = Decimal(str(usd_per_million))
    except InvalidOperation:
        raise ValueError(f"{usd_per_million!r} is not a price in US dollars") from None
    if not price.is_finite() or price < 0:
        raise ValueError(f"a price is a number of US dollars of at least 0, not {usd_per_million}")
    return int((price * 1_000_000).to_integral_value(rounding=ROUND_CEILING))


def from_usd(usd: float | str | Decimal) -> int:
    """Turn US dollars into units, downwards: a cap of a fraction of a unit is no more than that."""
    return int(Decimal(str(usd)) * UNITS_PER_USD)


def to_usd(units: int) -> float:
    """Turn units into US dollars, for people and for JSON."""
    return units / UNITS_PER_USD


def bill(price: Price, usage: Usage) -> int:
    """Return what a call with this usage costs, in units, exactly.

    ``usage.input_tokens`` is the total: cached and cache-writing tokens are part of it.
    """
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    return (
        max(plain, 0) * price.input
        + usage.cached_tokens * price.cached
        + usage.cache_write_tokens * price.cache_write
        + usage.output_tokens * price.output
    )


def show(units: int | None) -> str:
    """Write an amount for people: with as many decimals as tell it from zero."""
    if units is None:
        return "an unknown price"
    usd = to_usd(units)
    if units == 0 or usd >= 0.01:
        return "$0" if units == 0 else f"${usd:.4f}"
    return f"${usd:.{3 - math.ceil(math.log10(usd))}f}"

"""What a sound configuration may still have got wrong: each can cost money, none is a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import pairwise
from urllib.parse import urlsplit

from cascade.cli.check import endpoints_of, per_million
from cascade.config.catalogue import PROVIDERS, owner_of
from cascade.config.messages import written
from cascade.config.prices import UNKNOWN
from cascade.config.providers import is_deployment
from cascade.errors import ConfigError
from cascade.policy.options import is_hopeless
from cascade.types import Comparison, Endpoint, Ladder, Rung, Tables

_NEAR = 0.8  # likeness of a name that may have been meant; kin such as another size is farther off
_LOGPROBS = frozenset({"mean_logprob", "min_logprob", "p10_logprob"})  # none is above 0


def doubts(tables: Tables) -> list[ConfigError]:
    """Return a warning for each thing that was probably not meant."""
    return [
        *_keys_abroad(tables),
        *_without_version(tables),
        *_unknown_prices(tables),
        *(found for ladder in tables.ladders.values() for found in _out_of_order(ladder)),
        *_unclearable(tables),
        *(found for ladder in tables.ladders.values() for found in _called_last(ladder)),
    ]


def _keys_abroad(tables: Tables) -> Iterator[ConfigError]:
    """Vendors' keys that go to hosts which are not the vendor's, as the file or a variable says."""
    told: set[str] = set()
    for endpoint in endpoints_of(tables):
        abroad = {
            variable: owner
            for variable in endpoint.key_variables
            if (owner := owner_of(variable)) and not PROVIDERS[owner].owns(endpoint.base_url)
        }
        if not abroad or endpoint.provider in told:
            continue
        told.add(endpoint.provider)
        owner, keys = next(iter(abroad.values())), " or ".join(f"${name}" for name in abroad)
        parts = urlsplit(endpoint.base_url)
        yield ConfigError(
            written(("providers", endpoint.provider, "base_url")),
            endpoint.base_url,
            f"{keys}, {owner}'s key, goes to {parts.scheme}://{parts.netloc}, which is not "
            f"{owner}'s own",
            "If this is not meant, mend the address, here or in the environment, or name "
            f'another key: key = "$…" or "none" under [providers.{endpoint.provider}].',
        )


def _without_version(tables: Tables) -> Iterator[ConfigError]:
    """Azure's deployments that would answer 404: their address needs a version."""
    told: set[str] = set()
    for endpoint in endpoints_of(tables):
        if endpoint.query or endpoint.provider in told or not is_deployment(endpoint.base_url):
            continue
        told.add(endpoint.provider)
        yield ConfigError(
            written(("providers", endpoint.provider, "api_version")),
            None,
            "it is missing, and a deployment's address needs one",
            f'Add api_version = "2024-10-21" under [providers.{endpoint.provider}], or write a '
            "base_url that ends in /openai/v1.",
        )


def _unknown_prices(tables: Tables) -> Iterator[ConfigError]:
    """Models that a price list should know. Providers without one have names of their own."""
    for endpoint in endpoints_of(tables):
        catalogued = PROVIDERS.get(endpoint.provider)
        if endpoint.price_source != UNKNOWN or catalogued is None or catalogued.prices is None:
            continue
        near = _nearest(endpoint, catalogued.prices)
        yield ConfigError(
            written(("models", endpoint.name)),
            None,
            "its price is unknown: the price list has no model of this name",
            f'{near}[models."{endpoint.name}"] price = {{ input = …, output = … }} in US dollars '
            "per million tokens.",
        )


def _nearest(endpoint: Endpoint, listed_as: str) -> str:
    from genai_prices.data_snapshot import get_snapshot

    known = [model.id for model in get_snapshot().find_provider(None, listed_as, None).models]
    near = get_close_matches(endpoint.model, known, n=1, cutoff=_NEAR)
    return f'Did you mean "{endpoint.provider}/{near[0]}"? If not, add ' if near else "Add "


def _out_of_order(ladder: Ladder) -> Iterator[ConfigError]:
    """Rungs before a cheaper one; a rung's price is that of its first endpoint."""
    priced = [(rung, price) for rung in ladder.rungs if (price := _output_price(rung)) is not None]
    for (rung, price), (after, less) in pairwise(priced):
        if price > less:
            yield ConfigError(
                written(("ladders", ladder.name)),
                None,
                f"{rung.name} (${price:g} per million output tokens) stands before {after.name} "
                f"(${less:g}), which is cheaper",
                "Write the rungs from cheapest to strongest.",
            )


def _output_price(rung: Rung) -> float | None:
    price = rung.endpoints[0].price
    return None if price is None else per_million(price)["output"]


def _unclearable(tables: Tables) -> Iterator[ConfigError]:
    for rung in tables.rungs.values():
        for part in rung.accept.rule or () if rung.accept else ():
            if _never_holds(part):
                yield ConfigError(
                    written(("rungs", rung.name, "accept")),
                    str(part),
                    "no answer can clear it: a log-probability is never above 0",
                    f'Write a number below 0, such as "{part.name} >= -0.1".',
                )


def _never_holds(part: Comparison) -> bool:
    if part.name not in _LOGPROBS:
        return False
    return (part.operator == ">=" and part.value > 0) or (part.operator == ">" and part.value >= 0)


def _called_last(ladder: Ladder) -> Iterator[ConfigError]:
    """Rungs whose bar asks for what their endpoints, as is known, do not give."""
    for at, rung in enumerate(ladder.rungs):
        levels = [
            level for level, bars in ladder.bars.items() if is_hopeless(bars[at], rung.endpoints)
        ]
        if levels:
            yield ConfigError(
                written(("ladders", ladder.name)),
                rung.name,
                f"its bar for {' and '.join(levels)} requests reads log-probabilities, which none "
                "of its endpoints gives: it will be called last, since it could not be accepted",
                'Give the rung a rule it can clear, as accept = "output_tokens >= 1", or write '
                'when_unsure = "accept" under [decide].',
            )

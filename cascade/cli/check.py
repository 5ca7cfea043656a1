"""``cascade check``: what is wrong with the configuration, and what it means."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cascade.cli.options import AsJson, ConfigFile
from cascade.cli.output import print_json, say

if TYPE_CHECKING:
    from cascade.cli.probing import Probe
    from cascade.errors import ConfigError
    from cascade.types import Endpoint, Ladder, Price, Rung, Tables


def check(
    live: Annotated[
        bool, typer.Option("--live", help="Send one tiny request to each endpoint.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Show every mistake in the configuration, or what it says and what looks unmeant.

    Exit status 2 if there is a mistake or a key is missing, 1 if an endpoint does not answer.
    """
    from cascade.cli.doubts import doubts
    from cascade.config.keys import missing_keys
    from cascade.config.read import load, mistakes

    wrong = mistakes(config)
    if wrong:
        _refuse(wrong, as_json)
    tables = load(config)
    say(f"Configuration: {tables.source}")
    missing = missing_keys(tables, os.environ)
    warnings = doubts(tables)
    probes = _probe(tables) if live else None
    silent = any(not probe.ok for probe in probes or ())
    if as_json:
        print_json(_as_object(tables, missing, warnings, probes))
    else:
        from cascade.cli.settings import show

        show(tables, os.environ, _headline(missing), probes)
    for warning in warnings:
        say(f"Warning: {warning}")
    for key in missing:
        say(f"Error: {key}")
    if missing or silent:
        raise typer.Exit(2 if missing else 1)


def _refuse(wrong: list[ConfigError], as_json: bool) -> NoReturn:
    if as_json:
        print_json({"ok": False, "mistakes": [_mistake(error) for error in wrong]})
    for error in wrong:
        say(f"Error: {error}")
    say(f"{len(wrong)} mistake{'s' if len(wrong) > 1 else ''}")
    raise typer.Exit(2)


def _headline(missing: list[ConfigError]) -> str:
    """What the tables begin with: the file may be right where its keys are not."""
    from cascade.errors import MissingKey

    if not missing:
        return "No mistakes."
    what = "missing" if all(isinstance(key, MissingKey) for key in missing) else "missing or wrong"
    keys = "1 key is" if len(missing) == 1 else f"{len(missing)} keys are"
    return f"No mistakes in the file; {keys} {what}."


def _probe(tables: Tables) -> list[Probe]:
    import asyncio

    from cascade.cli.probing import probe

    return asyncio.run(probe(endpoints_of(tables), os.environ))


def endpoints_of(tables: Tables) -> list[Endpoint]:
    """Every endpoint of every ladder, once."""
    found = {
        endpoint.name: endpoint for rung in tables.rungs.values() for endpoint in rung.endpoints
    }
    return list(found.values())


def _mistake(error: ConfigError) -> dict[str, Any]:
    return {
        "place": error.place,
        "value": error.value,
        "problem": error.problem,
        "mend": error.mend,
    }


def _as_object(
    tables: Tables,
    missing: list[ConfigError],
    warnings: list[ConfigError],
    probes: list[Probe] | None,
) -> dict[str, Any]:
    from msgspec.structs import asdict

    from cascade.money import to_usd

    decide, cache = asdict(tables.decide), asdict(tables.cache)
    decide["max_cost"] = None if decide["max_cost"] is None else to_usd(decide["max_cost"])
    return {
        "ok": not missing and all(probe.ok for probe in probes or ()),
        "config": tables.source,
        "calibrated": False,
        "mistakes": [],
        "warnings": [_mistake(warning) for warning in warnings],
        "missing_keys": [_mistake(error) for error in missing],
        "models": [_model(endpoint) for endpoint in endpoints_of(tables)],
        "rungs": {name: _rung(rung) for name, rung in tables.rungs.items()},
        "ladders": {name: _ladder(ladder) for name, ladder in tables.ladders.items()},
        "decide": decide,
        "cache": cache,
        "live": probes,
    }


def _model(endpoint: Endpoint) -> dict[str, Any]:
    from cascade.config.keys import set_variable

    return {
        "name": endpoint.name,
        "protocol": endpoint.protocol,
        "base_url": endpoint.base_url,
        "proxy": endpoint.proxy,
        "ca": endpoint.ca,
        "price": None if endpoint.price is None else per_million(endpoint.price),
        "price_source": endpoint.price_source,
        "context": endpoint.context,
        "max_output": endpoint.max_output,
        "image_tokens": endpoint.image_tokens,
        "lacks": sorted(endpoint.lacks),
        "key_variables": endpoint.key_variables,
        "key_found": set_variable(endpoint.key_variables, os.environ),
    }


def _rung(rung: Rung) -> dict[str, Any]:
    return {
        "endpoints": [endpoint.name for endpoint in rung.endpoints],
        "balance": rung.balance,
        "weights": [endpoint.weight for endpoint in rung.endpoints],
        "calls": rung.calls,
        "hedge": "learned" if rung.hedge_learned else rung.hedge,
        "timeout": rung.clocks,
    }


def _ladder(ladder: Ladder) -> dict[str, Any]:
    names = [rung.name for rung in ladder.rungs]
    return {
        "rungs": names,
        "starts": {level: names[at] for level, at in ladder.starts.items()},
        "bars": {
            level: {
                name: None if bar is None else str(bar)
                for name, bar in zip(names, bars, strict=True)
            }
            for level, bars in ladder.bars.items()
        },
    }


def per_million(price: Price) -> dict[str, float]:
    """A price in US dollars per million tokens."""
    from msgspec.structs import asdict

    return {name: units / 10**6 for name, units in asdict(price).items()}

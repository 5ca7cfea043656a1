"""``cascade init``: a first configuration from the keys that are there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascade.cli.options import AsJson
from cascade.cli.output import console, print_json, print_text, say

if TYPE_CHECKING:
    from cascade.cli.starting import Found
    from cascade.types import Tables

_INPUT_TOKENS, _OUTPUT_TOKENS, _REQUESTS = 500, 250, 1000


def init(
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE", help="The file to write.")
    ] = Path("config.toml"),
    as_json: AsJson = False,
) -> None:
    """Write a first configuration for the keys in the environment.

    It never writes over a file. Keys are looked for, and neither shown nor written.
    """
    import os

    from cascade.cli.doubts import doubts
    from cascade.cli.starting import file_text, ladders_for, providers_with_keys

    _refuse_existing(config)
    found = providers_with_keys(os.environ)
    ladders = ladders_for(found)
    if not ladders:
        raise _nothing_found(found)
    tables = _compiled(ladders, os.environ)
    costs = _costs(tables)
    _write(config, file_text(ladders, costs))
    say(f"Wrote {config}")
    for warning in doubts(tables):  # such as a ladder whose models give no log-probabilities
        say(f"Warning: {warning}")
    if as_json:
        print_json(_as_object(config, found, ladders, costs))
    else:
        _tell(found, ladders, costs)


def _refuse_existing(config: Path) -> None:
    from cascade.errors import ConfigError

    if config.exists() or config.is_symlink():
        raise ConfigError(
            str(config),
            None,
            "it is there already, and init never writes over a file",
            "See what it says with cascade check, or name another: --config FILE.",
        )


def _write(config: Path, text: str) -> None:
    try:
        with config.open("x", encoding="utf-8") as file:  # x: also against a race
            file.write(text)
    except FileExistsError:
        _refuse_existing(config)


def _compiled(ladders: dict[str, list[str]], env: Mapping[str, str]) -> Tables:
    """The tables that the file will give, without what the environment would change in them."""
    from cascade.config.read import Found, check
    from cascade.errors import ConfigError

    rest = {name: value for name, value in env.items() if not name.startswith("CASCADE_")}
    tables, wrong = check(Found({"ladders": ladders}, "init"), rest)
    if tables is None:
        first: ConfigError = wrong[0]
        raise first
    return tables


def _costs(tables: Tables) -> dict[str, float | None]:
    """US dollars for 1,000 requests on each rung alone."""
    from cascade.money import bill, to_usd
    from cascade.types import Usage

    usage = Usage(_INPUT_TOKENS, _OUTPUT_TOKENS)
    prices = {name: rung.endpoints[0].price for name, rung in tables.rungs.items()}
    return {
        name: None if price is None else to_usd(_REQUESTS * bill(price, usage))
        for name, price in prices.items()
    }


def _tell(
    found: list[Found], ladders: dict[str, list[str]], costs: dict[str, float | None]
) -> None:
    from rich.table import Table

    keys = ", ".join(f"{each.provider} (${each.variable})" for each in found)
    print_text(f"Keys found: {keys}\n\n")
    table = Table(
        "ladder", "rung, cheapest first", "1,000 requests of 500 tokens in, 250 out", box=None
    )
    table.columns[2].justify = "right"
    for ladder, models in ladders.items():
        for at, model in enumerate(models):
            cost = costs[model]
            shown = "price unknown" if cost is None else f"${cost:,.2f}"
            table.add_row(ladder if at == 0 else "", model, shown)
    console().print(table)
    print_text(
        "\nEach figure is for that rung alone; a request that climbs pays every rung it tried.\n"
        'Next: cascade check --live, then cascade ask "Which rivers meet in Koblenz?"\n'
    )
    for each in found:
        if each.provider not in _providers(ladders):
            say(
                f"{each.provider}: its models have names of your own; add them to a ladder as "
                f'"{each.provider}/NAME", with a price under [models."{each.provider}/NAME"].'
            )


def _providers(ladders: dict[str, list[str]]) -> set[str]:
    return {model.partition("/")[0] for models in ladders.values() for model in models}


def _as_object(
    config: Path,
    found: list[Found],
    ladders: dict[str, list[str]],
    costs: dict[str, float | None],
) -> dict[str, Any]:
    return {
        "config": str(config),
        "found": found,
        "ladders": ladders,
        "request": {"input_tokens": _INPUT_TOKENS, "output_tokens": _OUTPUT_TOKENS},
        "rungs": [{"rung": name, "cost_usd_per_1k": cost} for name, cost in costs.items()],
    }


def _nothing_found(found: list[Found]) -> Exception:
    from cascade.cli.starting import LADDERS
    from cascade.config.catalogue import PROVIDERS
    from cascade.errors import ConfigError

    variables = [f"${PROVIDERS[name].key_variables[0]}" for name in LADDERS]
    only = f" but {found[0].provider}'s, whose models have names of your own" if found else ""
    return ConfigError(
        "keys",
        None,
        f"the environment holds none{only} (looked for {', '.join(variables)})",
        "Set one and try again: export OPENAI_API_KEY=… "
        "For a model on this machine write a config.toml of two lines: [ladders] and "
        'default = ["ollama/SMALL", "ollama/LARGE"]. To see it work without any key: cascade demo.',
    )

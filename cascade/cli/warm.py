"""``cascade warm``: fill the cache with the answers to a file of requests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cascade.cli.options import AsJson, ConfigFile, read_tables
from cascade.cli.output import print_json, print_text, say

if TYPE_CHECKING:
    from cascade.types import Tables


def warm(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="One request per line: a body of a chat completion if it begins with {, "
            "else a prompt.",
        ),
    ],
    concurrency: Annotated[int, typer.Option(metavar="N", min=1, help="Requests at a time.")] = 8,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask anew what the cache holds already.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Fill the cache with the answers to a file of requests.

    What is in the cache counts as already done, so the same command goes on where it was stopped.
    """
    import asyncio

    from cascade.cli.warming import Warming, read_lines

    tables = read_tables(config)
    _must_cache(tables)
    warming = Warming(file, read_lines(file), concurrency, refresh)
    try:
        asyncio.run(warming.run(tables))
    except KeyboardInterrupt:
        say(f"Stopped. {warming.summary()}. The same command goes on from here.")
        raise
    if as_json:
        print_json(warming.as_object())
    else:
        print_text(f"{warming.summary()}\n")
    if warming.failed:
        raise typer.Exit(1)


def _must_cache(tables: Tables) -> None:
    from cascade.errors import ConfigError

    if not tables.cache.enabled:
        raise ConfigError(
            "cache.enabled", False, "there is no cache to warm", "Write enabled = true."
        )

"""Options that several commands have, and the configuration they name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cascade.cli.output import say

if TYPE_CHECKING:
    from cascade.types import Tables

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration, instead of $CASCADE_CONFIG or ./config.toml.",
    ),
]


def read_tables(path: Path | None) -> Tables:
    """Read the configuration, and say which one it was.

    Raises:
        ConfigError: there is none, or it has a mistake.
    """
    from cascade.config.read import load

    tables = load(path)
    say(f"Configuration: {tables.source}")
    return tables

"""The application: every command and its place."""

from __future__ import annotations

from typing import Annotated

import typer

from cascade.cli import cache
from cascade.cli.ask import ask
from cascade.cli.check import check
from cascade.cli.demo import demo
from cascade.cli.init import init
from cascade.cli.serving import emulate, serve
from cascade.cli.warm import warm

# Rich help costs 0.1 s of imports before the first letter; plain help says the same.
app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"cascade-engine {version('cascade-engine')}")
        raise typer.Exit


@app.callback()
def cascade(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Answer LLM requests with the cheapest model that will do.

    Begin with `cascade demo`, which needs no key, or `cascade init`.
    """


for command in (init, check, ask, warm, serve, emulate, demo):
    app.command()(command)
app.add_typer(cache.app, name="cache")

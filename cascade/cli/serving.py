"""``cascade serve`` and ``cascade emulate``: what listens until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cascade.cli.options import ConfigFile, read_tables
from cascade.cli.output import print_json, say


def serve(
    host: Annotated[
        str | None, typer.Option(metavar="HOST", help="Instead of the configured one.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Instead of the configured one; 0 takes a free one."),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Serve OpenAI's protocol; prints one JSON line when ready.

    A signal (SIGINT, SIGTERM) ends it with status 0.
    """
    import os

    from cascade.client import AsyncCascade
    from cascade.config.keys import missing_keys
    from cascade.listen import serve as listen
    from cascade.log import log_to_stderr
    from cascade.server.app import Server

    log_to_stderr()
    tables = read_tables(config)
    for missing in missing_keys(tables, os.environ):
        say(f"Warning: {missing}")
    table = tables.server
    listen(
        Server(AsyncCascade(tables=tables)),
        table.host if host is None else host,
        table.port if port is None else port,
        on_ready=lambda url: print_json({"ready": True, "url": url}),
        lifespan=True,
    )


def emulate(
    recording: Annotated[
        Path, typer.Option(metavar="FILE", help="Recorded answers, .jsonl or .jsonl.gz.")
    ],
    host: Annotated[str, typer.Option(metavar="HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", help="0 takes a free one.")] = 0,
    speed: Annotated[
        float, typer.Option(help="1 keeps the recorded latencies, 2 halves them, 0 drops them.")
    ] = 1.0,
) -> None:
    """Serve recorded answers as a provider would; prints one JSON line when ready.

    A signal (SIGINT, SIGTERM) ends it with status 0.
    """
    from cascade.emulator import emulate as run

    def ready(url: str, models: tuple[str, ...]) -> None:
        print_json({"ready": True, "url": url, "models": models})

    run(recording, host=host, port=port, speed=speed, on_ready=ready)

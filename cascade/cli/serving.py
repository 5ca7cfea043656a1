"""``cascade serve`` and ``cascade emulate``: what listens until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cascade.cli.options import ConfigFile, read_tables
from cascade.cli.output import print_json, say

# As cascade.emulator.faults has them, which imports too much for a help text; a test compares.
FAULTS = (
    "reset, 429, 429-retry-after, 500, 503, 529 (retry-after), hang, hang-after-headers, "
    "trickle (every), cut (at), early-end (at), malformed (at), html, empty, truncated (at), "
    "slow-first-token (seconds), slow-headers (every), wrong-model, error-in-200, "
    "duplicate-length, missing-length, garbage"
)


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
    """Serve OpenAI's, Anthropic's and Google's clients; prints one JSON line when ready.

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
    faults: Annotated[
        str,
        typer.Option(
            metavar="SPEC",
            help="What goes wrong: [MODEL/]FAULT[(PARAMETER=VALUE)]=SHARE, …; seed=N. For example "
            f"429=0.3,cut(at=0.5)=0.1;seed=7. Faults: {FAULTS}; all.",
        ),
    ] = "",
    prefix_cache: Annotated[
        bool, typer.Option("--prefix-cache", help="Emulate the provider's prompt cache too.")
    ] = False,
) -> None:
    """Serve recorded answers as a provider would; prints one JSON line when ready.

    It speaks OpenAI's, Anthropic's and Gemini's protocols. With faults, the line also has
    addresses that are unreachable: one that refuses connections, one whose name is not found.
    A signal (SIGINT, SIGTERM) ends it with status 0.
    """
    from cascade.emulator import emulate as run
    from cascade.emulator import unreachable

    with unreachable(host) as addresses:

        def ready(url: str, models: tuple[str, ...]) -> None:
            more = {"unreachable": addresses} if faults else {}
            print_json({"ready": True, "url": url, "models": models, **more})

        run(
            recording,
            host=host,
            port=port,
            speed=speed,
            faults=faults,
            prefix_cache=prefix_cache,
            on_ready=ready,
        )

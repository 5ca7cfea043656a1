"""``cascade demo``: a day's traffic of a recording through the real server, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cascade.cli.options import AsJson
from cascade.cli.output import console, print_json, say

if TYPE_CHECKING:
    from rich.table import Table

    from cascade.cli.traffic import Sums

_NOTES = """\
What this is: two very small real models, recorded on one machine, and a
strongest rung whose answers were written by hand and come at once. The
prices are the example's own: nobody sells these models at them. Not
calibrated: the preset's rule of thumb decides. It shows that the parts work
together, over real sockets, not how good a cascade is. Nothing is left
running."""


def demo(
    speed: Annotated[
        float, typer.Option(help="1 keeps the recorded latencies, 2 halves them, 0 drops them.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Show it at work without a key: recorded models, the real server, eighty requests.

    Starts an emulated provider and the server on loopback, and leaves nothing behind.
    """
    import asyncio

    from cascade.cli.traffic import run_demo

    say("Starting an emulated provider and the server on loopback …")
    sums = asyncio.run(run_demo(speed))
    if as_json:
        print_json(sums.as_object())
        return
    screen = console()
    screen.print(_by_rung(sums))
    screen.print()
    screen.print(_money_and_time(sums))
    screen.print(f"\n{_NOTES}")


def _by_rung(sums: Sums) -> Table:
    from rich.table import Table

    table = Table(box=None)
    table.add_column("answered by", no_wrap=True)
    for name in ("requests", "from cache", "calls", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for rung in sums.rungs:
        table.add_row(
            rung,
            f"{sums.by_rung[rung]}",
            f"{sums.from_cache[rung]}",
            f"{sums.calls[rung]}",
            f"${sums.cost_of_calls[rung]:.6f}",
        )
    table.add_row(
        "together",
        f"{sums.by_rung.total()}",
        f"{sums.from_cache.total()}",
        f"{sums.calls.total()}",
        f"${sums.cost_usd:.6f}",
    )
    return table


def _money_and_time(sums: Sums) -> Table:
    from rich.table import Table

    hits = ", ".join(f"{count} {status}" for status, count in sums.by_cache.most_common())
    table = Table(box=None, show_header=False)
    table.add_row("cache", hits)
    table.add_row("cost", f"${sums.cost_usd:.6f}")
    table.add_row("strongest alone", f"${sums.always_strongest_usd:.6f} with every request a call")
    table.add_row("saved", f"{sums.saved_share:.1%}")
    table.add_row("latency", f"p50 {sums.percentile(50):.3f} s, p95 {sums.percentile(95):.3f} s")
    return table

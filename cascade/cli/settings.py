"""What a configuration says, for people: models, ladders, and the settings a preset makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.table import Table

from cascade.cli.check import endpoints_of, per_million
from cascade.cli.output import console, usd
from cascade.config.keys import set_variable
from cascade.config.presets import DEFAULT_BAR, PRESETS
from cascade.money import to_usd
from cascade.types import LEVELS

if TYPE_CHECKING:
    from rich.console import Console

    from cascade.cli.probing import Probe
    from cascade.types import Bar, Endpoint, Ladder, Tables


def show(tables: Tables, env: Mapping[str, str], headline: str, probes: list[Probe] | None) -> None:
    """Print it all on standard output, under a headline."""
    screen = console()
    screen.print(f"{headline}\n")
    screen.print(_models(tables, env))
    for ladder in tables.ladders.values():
        screen.print()
        screen.print(_ladder(ladder))
    _rest(screen, tables)
    if probes is not None:
        screen.print()
        screen.print(_probes(probes))


def _models(tables: Tables, env: Mapping[str, str]) -> Table:
    table = Table(
        "model",
        "protocol",
        "key",
        "in",
        "cached",
        "out",
        "price from",
        "context",
        "lacks",
        box=None,
    )
    table.title, table.title_justify = "Models (US dollars per million tokens)", "left"
    for endpoint in endpoints_of(tables):
        price = None if endpoint.price is None else per_million(endpoint.price)
        amounts = (
            ["unknown"] * 3
            if price is None
            else [f"{price[name]:g}" for name in ("input", "cached", "output")]
        )
        table.add_row(
            endpoint.name,
            endpoint.protocol,
            _key(endpoint, env),
            *amounts,
            endpoint.price_source,
            "unknown" if endpoint.context is None else f"{endpoint.context:,}",
            ", ".join(sorted(endpoint.lacks)) or "nothing known",
        )
    return table


def _key(endpoint: Endpoint, env: Mapping[str, str]) -> str:
    if not endpoint.key_variables:
        return "none needed"
    found = set_variable(endpoint.key_variables, env)
    return f"${found}" if found else f"${endpoint.key_variables[0]} is missing"


def _ladder(ladder: Ladder) -> Table:
    names = [rung.name for rung in ladder.rungs]
    table = Table("a request that looks", "starts at", *(f"{n} accepts" for n in names), box=None)
    table.title, table.title_justify = f"Ladder {ladder.name}: {' < '.join(names)}", "left"
    for level in LEVELS:
        bars = ladder.bars[level]
        shown = [_bar(bar, at == len(bars) - 1) for at, bar in enumerate(bars)]
        table.add_row(level, names[ladder.starts[level]], *shown)
    return table


def _bar(bar: Bar | None, is_last: bool) -> str:
    if bar is None:
        return "what is sound (the reference)" if is_last else "what is sound"
    reads = bool(bar.rule)
    return f"{bar}{f', else {bar.when_unsure}' if reads else ''}"


def _rest(screen: Console, tables: Tables) -> None:
    decide, cache = tables.decide, tables.cache
    cap = "none" if decide.max_cost is None else usd(to_usd(decide.max_cost))
    screen.print(
        f"\nNot calibrated. Preset {decide.preset}: {PRESETS[decide.preset].says}; "
        f"its bar on mean_logprob is {DEFAULT_BAR:g} where it sets one."
        f"\nDelivery {decide.delivery}, at the end {decide.at_the_end}, deadline "
        f"{decide.deadline:g} s, cap {cap}, at least {decide.min_output} tokens of answer."
    )
    if decide.strong_for_tools:
        tools = ", ".join(sorted(decide.strong_for_tools))
        screen.print(f"Only the strongest rung may call {tools}.")
    kept = f"{cache.size:,} bytes, {cache.ttl / 86_400:g} d" if cache.enabled else "off"
    screen.print(f"Cache: {kept}. Server: {tables.server.host}:{tables.server.port}.")


def _probes(probes: list[Probe]) -> Table:
    table = Table("endpoint", "answers", "seconds", "cost", "what went wrong", box=None)
    for probe in probes:
        table.add_row(
            probe.endpoint,
            "yes" if probe.ok else "no",
            "" if probe.latency_s is None else f"{probe.latency_s:.2f}",
            usd(probe.cost_usd) if probe.ok else "",
            "" if probe.ok else f"{probe.kind}: {probe.message}",
        )
    return table

"""Put a recording through the emulator and the engine, over real sockets.

    python -m benchmarks recording TRACE --ladder a,b,c --bar -0.1 [--price MODEL=IN/OUT …]

Every request starts at the first rung. The same requests then come a second time, and should be
answered from the cache without a call. Always-cheapest and always-strongest are taken from the
recording: they pay for the answer alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from benchmarks.children import Child
from benchmarks.prices import ListPrice, price_of, read
from benchmarks.running import run
from benchmarks.tally import Told, baseline, passed, policy, show
from cascade import AsyncCascade, CascadeError
from cascade.learning.trace import Recording, Row, read_trace
from cascade.types import Answer


class Plan(msgspec.Struct, frozen=True):
    """What is to be run. ``bars`` are least mean log-probabilities of all rungs but the last."""

    trace: Path
    ladder: tuple[str, ...]
    bars: tuple[float, ...]
    when_unsure: str
    prices: Mapping[str, ListPrice]
    speed: float
    concurrency: int
    rows: int | None


def main(arguments: list[str]) -> int:
    """Read the arguments, run, print the table; return the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        plan = _plan(given)
        recording = read_trace(plan.trace)
        missing = [model for model in plan.ladder if model not in recording.models]
        if missing:
            raise ValueError(
                f"--ladder: {', '.join(missing)} is not in the recording; it has"
                f" {', '.join(recording.models)}"
            )
    except (ValueError, CascadeError) as error:
        parser.error(str(error))
    if plan.rows is not None:
        recording = Recording(recording.rows[: plan.rows])
    report = _report(plan, recording)
    print(show(report))
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return 0 if not report["failed"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmarks recording", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("trace", type=Path)
    parser.add_argument("--ladder", required=True, help="models, cheapest first")
    parser.add_argument(
        "--bar", required=True, help="least mean log-probability: one, or one a rung but the last"
    )
    parser.add_argument("--when-unsure", choices=("climb", "accept"), default="climb")
    parser.add_argument(
        *("--price", "--prices"),
        action="extend",
        nargs="+",
        default=[],
        metavar="MODEL=IN/OUT",
        help="US dollars per million tokens",
    )
    parser.add_argument("--speed", type=float, default=0.0, help="1: recorded latencies; 0: none")
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rows", type=int, help="only the first ones")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser


def _plan(given: argparse.Namespace) -> Plan:
    ladder = tuple(name.strip() for name in given.ladder.split(","))
    bars = tuple(float(bar) for bar in given.bar.split(","))
    if len(bars) == 1:
        bars *= len(ladder) - 1
    if len(bars) != len(ladder) - 1:
        raise ValueError(f"--bar {given.bar}: give one bar, or {len(ladder) - 1} of them")
    prices = dict(read(text) for text in given.price)
    return Plan(
        *(given.trace, ladder, bars, given.when_unsure, prices),
        *(given.speed, given.concurrency, given.rows),
    )


def _report(plan: Plan, recording: Recording) -> dict[str, Any]:
    prices = {model: price_of(model, recording, plan.prices) for model in plan.ladder}
    with tempfile.TemporaryDirectory(prefix="cascade-recording-") as name:
        folder = Path(name)
        arguments = ("--recording", str(plan.trace), "--port", "0", "--speed", str(plan.speed))
        with Child("-m", "cascade", "emulate", *arguments) as emulator:
            config = _write_config(plan, prices, emulator.url, folder)
            first, again = run(_both(plan, recording, config, folder, emulator.url))
    return {
        "trace": plan.trace.name,
        "ladder": plan.ladder,
        "bars": plan.bars,
        "when_unsure": plan.when_unsure,
        "speed": plan.speed,
        "prices_usd_per_million": prices,
        "requests": len(recording.rows),
        "failed": [str(error) for error in first.errors + again.errors],
        "policy": policy(first, recording, plan.ladder),
        "baselines": {
            f"always:{model}": baseline(recording, model)
            for model in (plan.ladder[0], plan.ladder[-1])
        },
        "again": passed(again),
    }


def _write_config(
    plan: Plan, prices: Mapping[str, ListPrice | None], url: str, folder: Path
) -> Path:
    names = rung_names(len(plan.ladder))
    quoted = ", ".join(f'"{name}"' for name in names)
    lines = [f"[ladders]\ndefault = [{quoted}]"]
    for name, model, bar in zip(names, plan.ladder, (*plan.bars, None), strict=True):
        lines.append(f'[rungs.{name}]\nendpoints = ["recorded/{model}"]')
        if bar is not None:
            lines.append(f'accept = "mean_logprob >= {bar}"\nwhen_unsure = "{plan.when_unsure}"')
    lines.append(f'[providers.recorded]\nprotocol = "openai"\nbase_url = "{url}/v1"\nkey = "none"')
    for model, price in prices.items():
        if price is not None:
            amounts = f"{{ input = {price.input}, output = {price.output} }}"
            lines.append(f'[models."recorded/{model}"]\nprice = {amounts}')
    starts = ", ".join(f'{level} = "{names[0]}"' for level in ("simple", "moderate", "complex"))
    lines.append(f"[decide]\nstart = {{ {starts} }}")
    path = folder / "config.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rung_names(count: int) -> list[str]:
    """Names of rungs: those of models may hold what a name may not."""
    return [f"rung{number}" for number in range(1, count + 1)]


async def _both(
    plan: Plan, recording: Recording, config: Path, folder: Path, url: str
) -> tuple[Told, Told]:
    """The recording twice, each time by an engine of its own: the second one reads the disk."""
    tolds = []
    for _ in range(2):
        async with AsyncCascade.from_config(config, data_dir=folder / "data") as ai:
            before = _delivered(url)
            began = time.perf_counter()
            answers = [
                answer
                async for answer in ai.map(
                    [_messages(row) for row in recording.rows],
                    concurrency=plan.concurrency,
                    return_errors=True,
                )
            ]
            seconds = time.perf_counter() - began
            tolds.append(
                Told(
                    answers=[a if isinstance(a, Answer) else None for a in answers],
                    errors=[a for a in answers if isinstance(a, CascadeError)],
                    calls=_delivered(url) - before,
                    seconds=seconds,
                )
            )
    return tolds[0], tolds[1]


def _messages(row: Row) -> list[dict[str, str]]:
    system = [{"role": "system", "content": row.system}] if row.system else []
    return [*system, {"role": "user", "content": row.prompt}]


def _delivered(url: str) -> int:
    """How many calls the emulator has delivered, in its own count."""
    with httpx.Client(trust_env=False) as client:
        calls: int = client.get(f"{url}/emulator/delivered").json()["calls"]
    return calls

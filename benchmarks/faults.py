"""One of three endpoints goes wrong: what that costs in answers, in time and in calls.

``python -m benchmarks faults`` prints a table. The endpoints are one rung's; the bad one stands
first. An answer takes 20 ms, a slow one 100 ms more. *Failed* are the calls that failed, *wasted*
those of them beyond what it takes to close the endpoint: calls already under way when it closed,
and probes.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from benchmarks.figures import aligned
from benchmarks.rounds import percentile
from cascade import AsyncCascade, CascadeError
from cascade.config.read import load
from cascade.emulator import Emulator, unreachable
from cascade.learning.trace import RecordedAnswer, Recording, Row
from cascade.listen import Listener
from cascade.policy.health import IN_A_ROW
from cascade.types import Attempt

LATENCY = 0.02
SLOWER = 0.1
"""Seconds of an answer, and how many more a slow one takes."""

MODELS = ("a", "b", "c")

TROUBLES = {
    "none": "",
    "down": "",
    "slow": f"a/slow-first-token(seconds={SLOWER})=1",
    "429": "a/429=1",
    "429 with Retry-After": "a/429-retry-after(retry-after=2)=1",
    "one down, one slow, one 429": f"b/slow-first-token(seconds={SLOWER})=1,c/429=1",
}
"""What goes wrong, as the emulator's faults; nobody listens where a name has ``down`` in it."""

Balance = Literal["in_order", "weight", "least_pending"]
BALANCES: tuple[Balance, ...] = ("in_order", "weight", "least_pending")

_CONFIG = """
[ladders]
default = ["only"]

[rungs.only]
endpoints = ["one/a", "two/b", "three/c"]
balance = "BALANCE"
HEDGE

[cache]
enabled = false
"""
_PROVIDER = """
[providers.NAME]
protocol = "openai"
base_url = "URL/v1"
key = "none"
"""


class Outcome(msgspec.Struct, frozen=True):
    """What became of a run's requests: the share answered, seconds of a request, the calls that
    failed and those of them that a closed endpoint should have been spared."""

    answered: float
    p50: float
    p95: float
    failed: int
    wasted: int


def recording(count: int) -> Recording:
    """So many prompts, which all models answer alike."""
    answer = RecordedAnswer(text="Yes.", input_tokens=9, output_tokens=2, latency_s=LATENCY)
    return Recording(
        Row(prompt=f"Question number {number}?", answers=dict.fromkeys(MODELS, answer))
        for number in range(count)
    )


@contextmanager
def provider(asked: Recording, trouble: str) -> Iterator[dict[str, str]]:
    """Serve while the block runs; gives the URLs of the providers ``one``, ``two``, ``three``."""
    listener = Listener(Emulator(asked, faults=TROUBLES[trouble]), grace=1)
    thread = threading.Thread(target=listener.run, name="provider")
    thread.start()
    try:
        with unreachable() as addresses:
            urls = dict.fromkeys(("one", "two", "three"), listener.url)
            yield urls | ({"one": addresses["refused"]} if "down" in trouble else {})
    finally:
        listener.stop()
        thread.join()


def write_config(
    folder: Path, urls: dict[str, str], balance: Balance, *, hedged: bool = False
) -> Path:
    """Write the configuration of the one rung."""
    hedge = 'hedge = "learned"' if hedged else ""
    text = _CONFIG.replace("BALANCE", balance).replace("HEDGE", hedge)
    for name, url in urls.items():
        text += _PROVIDER.replace("NAME", name).replace("URL", url)
    for name, model in zip(urls, MODELS, strict=True):
        text += f'\n[models."{name}/{model}"]\nprice = {{ input = 1, output = 2 }}\n'
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


async def run(config: Path, asked: Recording, concurrency: int = 8) -> Outcome:
    """Ask all, so many at a time."""
    latencies: list[float] = []
    attempts: list[Attempt] = []
    left, answered = iter(asked.rows), 0
    async with AsyncCascade(tables=load(config, {}), data_dir=config.parent) as ai:

        async def worker() -> None:
            nonlocal answered
            for row in left:
                began = time.perf_counter()
                try:
                    attempts.extend((await ai.complete(row.prompt)).attempts)
                    answered += 1
                except CascadeError as error:
                    attempts.extend(getattr(error, "attempts", ()))
                latencies.append(time.perf_counter() - began)

        await asyncio.gather(*(worker() for _ in range(concurrency)))
    failed = [each for each in attempts if each.result == "failed"]
    names = {each.endpoint for each in failed}
    spent = [sum(each.endpoint == name for each in failed) for name in names]
    return Outcome(
        answered / len(asked.rows),
        percentile(latencies, 0.5),
        percentile(latencies, 0.95),
        len(failed),
        sum(max(0, number - IN_A_ROW) for number in spent),
    )


def measure(trouble: str, balance: Balance, count: int, *, hedged: bool = False) -> Outcome:
    """Run one trouble under one balance."""
    asked = recording(count)
    with (
        tempfile.TemporaryDirectory(prefix="cascade-benchmark-") as folder,
        provider(asked, trouble) as urls,
    ):
        return asyncio.run(run(write_config(Path(folder), urls, balance, hedged=hedged), asked))


def main(arguments: list[str]) -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser("python -m benchmarks faults", description=__doc__)
    parser.add_argument("--requests", type=int, default=400, help="of each run")
    given = parser.parse_args(arguments)
    rows = [("trouble", "balance", "answered", "p50", "p95", "failed", "wasted", "")]
    ways: list[tuple[Balance, bool]] = [*((each, False) for each in BALANCES), ("in_order", True)]
    for trouble in TROUBLES:
        for balance, hedged in ways:
            seen = measure(trouble, balance, given.requests, hedged=hedged)
            rows.append(
                (
                    trouble,
                    f"{balance}, hedged" if hedged else balance,
                    f"{seen.answered:.1%}",
                    f"{seen.p50 * 1e3:.0f} ms",
                    f"{seen.p95 * 1e3:.0f} ms",
                    str(seen.failed),
                    str(seen.wasted),
                    "",
                )
            )
    print(aligned(rows))
    return 0

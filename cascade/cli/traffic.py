"""The demo's traffic: an emulated provider, the real server, and a client that adds up."""

from __future__ import annotations

import asyncio
import math
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from cascade.cli.output import usd
from cascade.cli.progress import Progress, progress
from cascade.client import AsyncCascade
from cascade.config.read import load
from cascade.emulator import Emulator
from cascade.emulator.demo import Demo, load_demo
from cascade.errors import CascadeError
from cascade.learning.trace import Row
from cascade.listen import Application, Listener
from cascade.money import bill, to_usd
from cascade.providers.transport import default_transport
from cascade.server.app import Server
from cascade.types import Rung, Tables, Usage

_CONCURRENCY = 8
_PATIENCE = 60  # seconds


class Sums:
    """What the client saw, added up. ``rungs`` are the ladder's names, cheapest first."""

    def __init__(self, rungs: tuple[Rung, ...], always_strongest: int) -> None:
        self.rungs = [rung.name for rung in rungs]
        self.by_rung: Counter[str] = Counter()
        self.by_cache: Counter[str] = Counter()
        self.from_cache: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.cost_of_calls: dict[str, Decimal] = dict.fromkeys(self.rungs, Decimal())
        self.always_strongest_usd = to_usd(always_strongest)
        self._cost = Decimal()
        self._latencies: list[float] = []

    def count(self, response: httpx.Response, body: dict[str, Any], latency_s: float) -> None:
        """Take one answer: its headers say who answered and what it cost, its body why."""
        rung, cache = response.headers["x-cascade-rung"], response.headers["x-cascade-cache"]
        self.by_rung[rung] += 1
        self.by_cache[cache] += 1
        self.from_cache[rung] += cache != "miss"
        self._cost += Decimal(response.headers["x-cascade-cost-usd"])
        for attempt in body["cascade"]["attempts"]:
            self.calls[attempt["rung"]] += 1
            self.cost_of_calls[attempt["rung"]] += Decimal(str(attempt["cost_usd"]))
        self._latencies.append(latency_s)

    @property
    def cost_usd(self) -> float:
        """What all calls cost, in US dollars."""
        return float(self._cost)

    @property
    def saved_share(self) -> float:
        """The share of always-strongest's cost that was not spent."""
        return 1 - self.cost_usd / self.always_strongest_usd

    def percentile(self, percent: int) -> float:
        """The latency, in seconds, that this share of the requests did not exceed."""
        ordered = sorted(self._latencies)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]

    def as_object(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "requests": self.by_rung.total(),
            "by_rung": {rung: self.by_rung[rung] for rung in self.rungs},
            "by_cache": dict(self.by_cache),
            "cost_usd": self.cost_usd,
            "always_strongest_usd": self.always_strongest_usd,
            "saved_share": self.saved_share,
            "latency_s": {"p50": self.percentile(50), "p95": self.percentile(95)},
        }


async def run_demo(speed: float) -> Sums:
    """Send the demo's traffic through a server on loopback; nothing is left behind.

    ``speed`` 1 keeps the recorded latencies, 0 drops them.

    Raises:
        CascadeError: a request was not answered.
    """
    demo = load_demo()
    with (
        tempfile.TemporaryDirectory(prefix="cascade-demo-") as data,
        _listening(Emulator(demo.recording, speed)) as provider,
    ):
        # The example's configuration alone: nobody's environment changes the demo.
        tables = load(demo.config, {"CASCADE_PROVIDERS__DEMO__BASE_URL": f"{provider}/v1"})
        rungs = tables.ladders["default"].rungs
        sums = Sums(rungs, _always_strongest(demo, rungs[-1]))
        with (
            _listening(_server(tables, data), lifespan=True) as server,
            progress(len(demo.traffic)) as bar,
        ):
            await _send(demo.traffic, server, sums, bar)
    return sums


def _server(tables: Tables, data: str) -> Server:
    return Server(AsyncCascade(tables=tables, data_dir=Path(data), environ={}), environ={})


@contextmanager
def _listening(app: Application, *, lifespan: bool = False) -> Iterator[str]:
    """Serve on a free port, in a thread, while the block runs; gives the URL."""
    listener = Listener(app, lifespan=lifespan, grace=1)
    thread = threading.Thread(target=listener.run, name="cascade-demo", daemon=True)
    thread.start()
    try:
        yield listener.url
    finally:
        listener.stop()
        thread.join()


async def _send(traffic: tuple[Row, ...], url: str, sums: Sums, bar: Progress) -> None:
    """Send the requests in their order, a few at a time, as one application would."""
    transport = default_transport()
    waiting = iter(traffic)

    async def work() -> None:
        for row in waiting:
            await _ask(row, url, transport, sums)
            bar.show(sums.by_rung.total(), usd(sums.cost_usd))

    try:
        await asyncio.gather(*(work() for _ in range(_CONCURRENCY)))
    finally:
        await transport.aclose()


async def _ask(row: Row, url: str, transport: httpx.AsyncBaseTransport, sums: Sums) -> None:
    system = [{"role": "system", "content": row.system}] if row.system else []
    messages = [*system, {"role": "user", "content": row.prompt}]
    request = httpx.Request(
        "POST",
        f"{url}/v1/chat/completions",
        json={"model": "auto", "messages": messages},
        extensions={"timeout": {"connect": _PATIENCE, "read": _PATIENCE}},
    )
    started = time.perf_counter()
    response = await transport.handle_async_request(request)
    response.request = request
    await response.aread()
    if response.status_code != 200:
        raise CascadeError(f"{row.id}: the server said {response.status_code}: {response.text}")
    sums.count(response, response.json(), time.perf_counter() - started)


def _always_strongest(demo: Demo, strongest: Rung) -> int:
    """What the strongest model alone would have cost, every request a call, in money units."""
    endpoint = strongest.endpoints[0]
    assert endpoint.price is not None, "the example's configuration has its prices"
    total = 0
    for row in demo.traffic:
        answer = row.answers[endpoint.model]
        assert answer.input_tokens is not None, "the reference's tokens were counted"
        assert answer.output_tokens is not None, "the reference's tokens were counted"
        total += bill(endpoint.price, Usage(answer.input_tokens, answer.output_tokens))
    return total

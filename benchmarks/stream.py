"""A streamed miss: what is added to the time of the first byte, and the CPU of a piece."""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx

from benchmarks.bare import post
from benchmarks.children import Child
from benchmarks.figures import Figure
from benchmarks.load import PATH, Load, Order, body
from benchmarks.prompts import turn
from benchmarks.rounds import Sample, arun_turns, awaited, run_turns, sample
from benchmarks.running import run
from benchmarks.setting import Setting, bare, loader, mock, serve, write_config
from cascade import AsyncCascade
from cascade.providers.transport import default_transport

SHORT, LONG = 2, 52
"""Pieces of the two answers; the difference of their CPU is that of the pieces between."""

FIRST_ADDED = 500.0  # us
CPU_OF_A_PIECE = 30.0  # us
MARK = "word0"  # what the mock provider says first


def measure(setting: Setting) -> list[Figure]:
    """Measure and return the figures."""
    with mock() as provider:
        config = write_config(setting, provider.url, (SHORT, LONG))
        library = run(_library(setting, config, provider.url))
        server = _server(setting, config, provider)
    return _figures(library, server)


# --- the library ---


async def _library(setting: Setting, config: Path, url: str) -> dict[str, Sample]:
    transport = default_transport()
    async with AsyncCascade.from_config(config, data_dir=setting.folder / "stream") as ai:

        async def through(pieces: int) -> float:
            """Seconds to the first piece; the stream is read to its end."""
            began, first = time.perf_counter(), 0.0
            async with ai.stream(turn(0), ladder=f"stream-{pieces}", cache="off") as stream:
                async for _ in stream:
                    first = first or time.perf_counter() - began
            return first

        async def direct(pieces: int) -> float:
            began, first = time.perf_counter(), 0.0
            target = httpx.URL(f"{url}/stream/{pieces}{PATH}")
            content = body(stream=True).encode()
            response = await transport.handle_async_request(post(target, content))
            assert isinstance(response.stream, httpx.AsyncByteStream), "transports are asynchronous"
            async for _ in response.stream:
                first = first or time.perf_counter() - began
            return first

        samples = await arun_turns(
            setting.rounds,
            {
                "first-ours": lambda: _firsts(through, setting.count(300)),
                "first-bare": lambda: _firsts(direct, setting.count(300)),
                "short-ours": _path(through, SHORT, setting.count(300)),
                "short-bare": _path(direct, SHORT, setting.count(300)),
                "long-ours": _path(through, LONG, setting.count(300)),
                "long-bare": _path(direct, LONG, setting.count(300)),
            },
        )
    await transport.aclose()
    return samples


async def _firsts(call: Callable[[int], Awaitable[float]], count: int) -> Sample:
    """Streams one after the other; the latencies are those of the first pieces."""
    began = time.perf_counter()
    firsts = [await call(SHORT) for _ in range(count)]
    return sample(firsts, time.perf_counter() - began)


def _path(
    call: Callable[[int], Awaitable[float]], pieces: int, count: int
) -> Callable[[], Awaitable[Sample]]:
    async def one(_: int) -> None:
        await call(pieces)

    return lambda: awaited(one, count, connections=16)


# --- the server ---


def _server(setting: Setting, config: Path, provider: Child) -> dict[str, Sample]:
    with (
        loader() as child,
        serve(setting, config, "stream_server") as ours,
        bare("pass", f"{provider.url}/stream/{SHORT}") as short,
        bare("pass", f"{provider.url}/stream/{LONG}") as long,
    ):
        load, paths = Load(child), dict[str, Callable[[], Sample]]()
        numbers = itertools.count(step=1000)  # no prompt comes twice: each is a miss
        for name, target, model in (
            ("short-ours", ours, f"stream-{SHORT}"),
            ("short-bare", short, "auto"),
            ("long-ours", ours, f"stream-{LONG}"),
            ("long-bare", long, "auto"),
        ):
            paths[name] = _load(load, target, model, 16, setting.count(600), numbers)
            if name.startswith("short"):
                paths[f"first{name[5:]}"] = _load(
                    load, target, model, 1, setting.count(300), numbers
                )
        direct = f"{provider.url}/stream/{SHORT}"
        order = Order(direct, body(stream=True), 1, setting.count(300), mark=MARK)
        paths["first-direct"] = lambda: load(order)
        return run_turns(setting.rounds, paths)


def _load(
    load: Load,
    target: Child,
    model: str,
    connections: int,
    count: int,
    numbers: Iterator[int],
) -> Callable[[], Sample]:
    content = body(model, stream=True)
    return lambda: load(
        Order(target.url, content, connections, count, first=next(numbers), mark=MARK), target
    )


# --- the figures ---


def _figures(library: dict[str, Sample], server: dict[str, Sample]) -> list[Figure]:
    call, passing = "the call over our transport", "a bare ASGI pass-through"
    ours, alone = library["first-ours"].p50 * 1e6, library["first-bare"].p50 * 1e6
    served, least = _first(server["first-ours"]), _first(server["first-bare"])
    direct = _first(server["first-direct"])
    piece, bare_piece = _piece(server, "ours"), _piece(server, "bare")
    lib_piece, lib_bare = _piece(library, "ours"), _piece(library, "bare")
    first, cpu = "stream, {}, first byte, p50 at 1", "stream, {}, CPU of a piece"
    of = "the provider itself"
    return [
        Figure(first.format("library"), ours, "us", alone, call, FIRST_ADDED, added=True),
        Figure(cpu.format("library"), lib_piece, "us", lib_bare, call, CPU_OF_A_PIECE),
        Figure(first.format("server"), served, "us", direct, of, FIRST_ADDED, added=True),
        Figure(first.format("server"), served, "us", least, passing),
        Figure(cpu.format("server"), piece, "us", bare_piece, passing, CPU_OF_A_PIECE),
    ]


def _first(sample: Sample) -> float | None:
    return None if sample.first is None else sample.first * 1e6


def _piece(samples: dict[str, Sample], name: str) -> float | None:
    """Microseconds of CPU that one more piece costs."""
    long, short = samples[f"long-{name}"].cpu, samples[f"short-{name}"].cpu
    return None if long is None or short is None else (long - short) / (LONG - SHORT) * 1e6

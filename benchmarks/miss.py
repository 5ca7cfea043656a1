"""A miss accepted on the first rung, through library and server, beside the bare call."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx

from benchmarks.bare import post
from benchmarks.children import Child
from benchmarks.exact_hit_server import per_core
from benchmarks.figures import Figure, microseconds
from benchmarks.load import PATH, Load, Order, body
from benchmarks.profiling import profiled, show
from benchmarks.prompts import SYSTEM, turn
from benchmarks.rounds import Sample, arun_turns, awaited, run_turns
from benchmarks.running import run
from benchmarks.setting import Setting, bare, loader, mock, serve, write_config
from cascade import AsyncCascade
from cascade.providers.transport import default_transport

ADDED_AT_1 = 300.0  # us
RATE_AT_64 = 5_000.0  # per second
CONNECTIONS = (1, 16, 64)


def measure(setting: Setting) -> list[Figure]:
    """Measure and return the figures."""
    with mock() as provider:
        config = write_config(setting, provider.url)
        library = run(_library(setting, config, provider.url))
        server = _server(setting, config, provider)
    return [*_library_figures(library), *_server_figures(server)]


# --- the library: complete() beside the same POST over our transport, in one process ---


async def _library(setting: Setting, config: Path, url: str) -> dict[str, Sample]:
    count = setting.count(800)
    target = httpx.URL(url + PATH)
    content = body("small").encode()
    transport = default_transport()
    numbers = itertools.count(step=count)  # no prompt comes twice: each is a miss

    async def call(_: int) -> None:
        response = await transport.handle_async_request(post(target, content))
        assert isinstance(response.stream, httpx.AsyncByteStream), "transports are asynchronous"
        async for _piece in response.stream:
            pass
        await response.aclose()

    async with AsyncCascade.from_config(config, data_dir=setting.folder / "miss") as ai:

        async def kept(number: int) -> None:
            await ai.complete(turn(number), system=SYSTEM)

        async def passing(number: int) -> None:
            await ai.complete(turn(number), system=SYSTEM, cache="off")

        paths: dict[str, Callable[[], Awaitable[Sample]]] = {}
        for many in CONNECTIONS:
            paths[f"kept-{many}"] = _path(kept, count, many, numbers)
            paths[f"off-{many}"] = _path(passing, count, many, numbers)
            paths[f"bare-{many}"] = _path(call, count, many, numbers)
        samples = await arun_turns(setting.rounds, paths)
        if setting.profile:
            with profiled("miss, library, 16 at a time"):
                await _path(kept, count, 16, numbers)()
    await transport.aclose()
    return samples


def _path(
    call: Callable[[int], Awaitable[object]], count: int, connections: int, numbers: Iterator[int]
) -> Callable[[], Awaitable[Sample]]:
    return lambda: awaited(call, count, connections, next(numbers))


def _library_figures(samples: dict[str, Sample]) -> list[Figure]:
    of, figures = "the call over our transport", []
    for name, title in (("kept", "miss, library"), ("off", "miss, library, cache off")):
        one, bare_one = samples[f"{name}-1"], samples["bare-1"]
        many, bare_many = samples[f"{name}-64"], samples["bare-64"]
        cpu, bare_cpu = (
            microseconds(samples[f"{name}-16"].cpu),
            microseconds(samples["bare-16"].cpu),
        )
        figures += [
            Figure(f"{title}, p50 at 1", one.p50 * 1e6, "us", bare_one.p50 * 1e6, of),
            Figure(f"{title}, at 64", many.rate, "/s", bare_many.rate, of),
            Figure(f"{title}, CPU at 16", cpu, "us", bare_cpu, of),
        ]
    return figures


# --- the server: beside the provider itself, and a bare ASGI application that passes on ---


def _server(setting: Setting, config: Path, provider: Child) -> dict[str, Sample]:
    count = setting.count(1200)
    with (
        loader() as child,
        serve(setting, config, "miss_server") as ours,
        bare("pass", provider.url) as passing,
    ):
        load, numbers = Load(child), itertools.count(step=count)
        paths: dict[str, Callable[[], Sample]] = {}
        for name, target in (("ours", ours), ("pass", passing), ("direct", provider)):
            for many in CONNECTIONS:
                paths[f"{name}-{many}"] = _load(load, target, many, count, numbers)
        samples = run_turns(setting.rounds, paths)
    if setting.profile:
        _profile(setting, config, count)
    return samples


def _load(
    load: Load, target: Child, connections: int, count: int, numbers: Iterator[int]
) -> Callable[[], Sample]:
    return lambda: load(Order(target.url, body(), connections, count, first=next(numbers)), target)


def _server_figures(samples: dict[str, Sample]) -> list[Figure]:
    direct, passing = "the provider itself", "a bare ASGI pass-through"
    ours, least = samples["ours-1"].p50 * 1e6, samples["pass-1"].p50 * 1e6
    alone = samples["direct-1"].p50 * 1e6
    figures = [
        Figure("miss, server, p50 at 1", ours, "us", alone, direct, ADDED_AT_1, added=True),
        Figure("miss, server, p50 at 1", ours, "us", least, passing),
    ]
    for many in CONNECTIONS:
        one, other = samples[f"ours-{many}"], samples[f"pass-{many}"]
        budget = RATE_AT_64 if many == CONNECTIONS[-1] else None
        cpu, least_cpu = microseconds(one.cpu), microseconds(other.cpu)
        figures += [
            Figure(f"miss, server, seen at {many}", one.rate, "/s", other.rate, passing, budget),
            Figure(f"miss, server, CPU at {many}", cpu, "us", least_cpu, passing),
        ]
    own, least_own = per_core(samples["ours-64"]), per_core(samples["pass-64"])
    return [*figures, Figure("miss, server, per core at 64", own, "/s", least_own, passing)]


def _profile(setting: Setting, config: Path, count: int) -> None:
    file = setting.folder / "miss_server.profile"
    with loader() as child, serve(setting, config, "miss_profiled", file) as ours:
        Load(child)(Order(ours.url, body(), 16, count))
    show("miss, server, 16 connections", file)

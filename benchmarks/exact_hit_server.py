"""An exact hit through the server, beside a bare ASGI application on the same uvicorn."""

from __future__ import annotations

from pathlib import Path

from benchmarks.children import Child
from benchmarks.figures import Figure, microseconds
from benchmarks.load import Load, Order, body
from benchmarks.profiling import show
from benchmarks.rounds import Sample, run_turns
from benchmarks.setting import WARM, Setting, bare, loader, mock, serve, write_config

P50_AT_1 = 150.0  # us
RATE_AT_64 = 15_000.0  # per core
SIZE = 1150  # bytes of the bare answer: as many as ours has


def measure(setting: Setting) -> list[Figure]:
    """Measure and return the figures."""
    with mock() as provider, loader() as child:
        config, load = write_config(setting, provider.url), Load(child)
        with serve(setting, config, "hit_server") as ours, bare("hello", str(SIZE)) as least:
            load(_order(ours, 1, WARM))
            samples = run_turns(
                setting.rounds,
                {
                    "ours-1": lambda: load(_order(ours, 1, setting.count(2000)), ours),
                    "bare-1": lambda: load(_order(least, 1, setting.count(2000)), least),
                    "ours-64": lambda: load(_order(ours, 64, setting.count(8000)), ours),
                    "bare-64": lambda: load(_order(least, 64, setting.count(8000)), least),
                },
            )
        if setting.profile:
            _profile(setting, config, load)
    return _figures(samples)


def per_core(sample: Sample) -> float | None:
    """Requests per second that a whole core would serve, from the CPU that one request takes."""
    return 1 / sample.cpu if sample.cpu else None


def _order(server: Child, connections: int, requests: int) -> Order:
    return Order(server.url, body(), connections, requests, span=WARM)


def _figures(samples: dict[str, Sample]) -> list[Figure]:
    ours, least = samples["ours-1"], samples["bare-1"]
    many, most = samples["ours-64"], samples["bare-64"]
    name, of = "exact hit, server", "bare ASGI"
    return [
        Figure(f"{name}, p50 at 1", ours.p50 * 1e6, "us", least.p50 * 1e6, of, P50_AT_1),
        Figure(f"{name}, per core at 64", per_core(many), "/s", per_core(most), of, RATE_AT_64),
        Figure(f"{name}, seen at 64", many.rate, "/s", most.rate, of),
        Figure(f"{name}, CPU at 64", microseconds(many.cpu), "us", microseconds(most.cpu), of),
        Figure(f"{name}, p99 at 64", many.p99 * 1e3, "ms", most.p99 * 1e3, of),
    ]


def _profile(setting: Setting, config: Path, load: Load) -> None:
    file = setting.folder / "hit_server.profile"
    with serve(setting, config, "hit_server", file) as ours:
        load(_order(ours, 64, setting.count(8000)))
    show("exact hit, server", file)

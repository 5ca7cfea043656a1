"""An exact hit through the library, beside the bare SQLite row and a bare diskcache."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import diskcache

from benchmarks.figures import Figure, microseconds
from benchmarks.profiling import profiled
from benchmarks.prompts import SYSTEM, turn
from benchmarks.rounds import Sample, arun_turns, awaited, timed
from benchmarks.running import run
from benchmarks.setting import WARM, Setting, mock, write_config
from cascade import AsyncCascade, Cascade

BUDGET = 25.0  # us


def measure(setting: Setting) -> list[Figure]:
    """Measure and return the figures."""
    data = setting.folder / "exact_hit"
    with mock() as provider:
        config = write_config(setting, provider.url)
        run(_warm(config, data))
        samples = run(_rounds(setting, config, data))
    row, loop = samples["row"], samples["await"]
    return [
        _figure("exact hit, library, p50", samples["async"], row, "SELECT of the row", BUDGET),
        _figure("exact hit, library, sync face, p50", samples["sync"], row, "SELECT of the row"),
        _figure("exact hit, library, p50", samples["async"], samples["diskcache"], "diskcache get"),
        _figure("exact hit, library, p50", samples["async"], loop, "an await that does nothing"),
        Figure(
            "exact hit, library, CPU",
            microseconds(samples["async"].cpu),
            "us",
            microseconds(row.cpu),
            "SELECT of the row",
        ),
        Figure("exact hit, library, p99", samples["async"].p99 * 1e6, "us"),
    ]


def prompt(number: int) -> str:
    """The prompt of that number; the cache has the first ``WARM``."""
    return turn(number % WARM)


async def _warm(config: Path, data: Path) -> None:
    async with AsyncCascade.from_config(config, data_dir=data) as ai:
        for number in range(WARM):
            await ai.complete(prompt(number), system=SYSTEM)


async def _rounds(setting: Setting, config: Path, data: Path) -> dict[str, Sample]:
    """Read from a disk that an earlier process object wrote: nothing is left in memory."""
    count = setting.count(4000)
    select, get, close = _bare(data, setting.folder)
    with Cascade.from_config(config, data_dir=data) as sync:
        async with AsyncCascade.from_config(config, data_dir=data) as ai:

            async def hit(number: int) -> None:
                answer = await ai.complete(prompt(number), system=SYSTEM)
                if answer.cache != "exact":
                    raise ValueError(f"the cache was warmed, yet this is no hit: {answer.story()}")

            async def nothing(number: int) -> int:
                return number

            def sync_hit(number: int) -> None:
                sync.complete(prompt(number), system=SYSTEM)

            sync_hit(0)
            samples = await arun_turns(
                setting.rounds,
                {
                    "async": lambda: awaited(hit, count),
                    "sync": _asynchronous(sync_hit, count),
                    "row": _asynchronous(select, count),
                    "diskcache": _asynchronous(get, count),
                    "await": lambda: awaited(nothing, count),
                },
            )
            if setting.profile:
                with profiled("exact hit, library"):
                    await awaited(hit, count)
    close()
    return samples


def _bare(
    data: Path, folder: Path
) -> tuple[Callable[[int], object], Callable[[int], object], Callable[[], None]]:
    """A SELECT of the very rows, a diskcache of the same values, and what closes both."""
    database = next(data.rglob("cache.db"))
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    rows = connection.execute("SELECT key, raw, value FROM Cache").fetchall()
    cache = diskcache.Cache(str(folder / "diskcache"))
    for key, _, value in rows:
        cache.set(key, value)

    def select(number: int) -> object:
        key, raw, _ = rows[number % len(rows)]
        query = "SELECT value FROM Cache WHERE key = ? AND raw = ?"
        return connection.execute(query, (key, raw)).fetchone()

    def get(number: int) -> object:
        value: object = cache.get(rows[number % len(rows)][0])
        return value

    def close() -> None:
        connection.close()
        cache.close()

    return select, get, close


def _asynchronous(call: Callable[[int], object], count: int) -> Callable[[], Awaitable[Sample]]:
    async def measured() -> Sample:
        return timed(call, count)

    return measured


def _figure(
    path: str, measured: Sample, limit: Sample, of: str, budget: float | None = None
) -> Figure:
    return Figure(path, measured.p50 * 1e6, "us", limit.p50 * 1e6, of, budget)

"""Rounds: the paths take turns, so that what disturbs the machine disturbs all of them alike."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

import msgspec


class Sample(msgspec.Struct, frozen=True):
    """One round of one path, or the median of several.

    ``p50`` and ``p99`` are seconds of a request, ``first`` the median seconds to its first byte,
    ``rate`` is requests per second, ``cpu`` the seconds of CPU that a request took of the process
    that is measured. None was not measured.
    """

    p50: float
    p99: float
    rate: float
    cpu: float | None = None
    first: float | None = None


def turns(rounds: int, names: Sequence[str]) -> Iterator[str]:
    """Name what is to be run next: every name once a round, each round beginning with another."""
    for number in range(rounds):
        start = number % len(names)
        yield from (*names[start:], *names[:start])


def run_turns(rounds: int, paths: Mapping[str, Callable[[], Sample]]) -> dict[str, Sample]:
    """Run every path in turns and return the median of each."""
    taken: dict[str, list[Sample]] = {name: [] for name in paths}
    for name in turns(rounds, list(paths)):
        taken[name].append(paths[name]())
    return {name: median(samples) for name, samples in taken.items()}


async def arun_turns(
    rounds: int, paths: Mapping[str, Callable[[], Awaitable[Sample]]]
) -> dict[str, Sample]:
    """``run_turns`` for paths that are awaited."""
    taken: dict[str, list[Sample]] = {name: [] for name in paths}
    for name in turns(rounds, list(paths)):
        taken[name].append(await paths[name]())
    return {name: median(samples) for name, samples in taken.items()}


def median(samples: Iterable[Sample]) -> Sample:
    """Return the median of each figure over rounds."""
    rows = [msgspec.structs.asdict(sample) for sample in samples]
    figures = {name: _middle([row[name] for row in rows]) for name in Sample.__struct_fields__}
    return msgspec.convert(figures, Sample)


def sample(latencies: list[float], seconds: float, cpu: float | None = None) -> Sample:
    """Make a round's sample of the latencies of its requests; ``cpu`` is that of all of them."""
    count = len(latencies)
    return Sample(
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
        rate=count / seconds,
        cpu=None if cpu is None else cpu / count,
    )


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def timed(call: Callable[[int], object], count: int) -> Sample:
    """Call one after the other, with the numbers from 0."""
    latencies, clock = [], time.perf_counter
    cpu, began = time.process_time(), clock()
    for number in range(count):
        start = clock()
        call(number)
        latencies.append(clock() - start)
    return sample(latencies, clock() - began, time.process_time() - cpu)


async def awaited(
    call: Callable[[int], Awaitable[object]], count: int, connections: int = 1, first: int = 0
) -> Sample:
    """Await ``count`` calls, so many at a time, numbered from ``first``."""
    latencies, clock = [], time.perf_counter
    numbers = iter(range(first, first + count))

    async def worker() -> None:
        for number in numbers:
            start = clock()
            await call(number)
            latencies.append(clock() - start)

    cpu, began = time.process_time(), clock()
    if connections == 1:
        await worker()
    else:
        await asyncio.gather(*(worker() for _ in range(connections)))
    return sample(latencies, clock() - began, time.process_time() - cpu)


def _middle(column: Sequence[float | None]) -> float | None:
    values = [value for value in column if value is not None]
    return statistics.median(values) if values else None

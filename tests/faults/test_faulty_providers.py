"""A provider that goes wrong on many of its calls costs answers; it breaks nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from cascade import AsyncCascade
from cascade.emulator import KINDS, unreachable
from tests.faults.laws import broken_laws, stored_wrongly, uncounted
from tests.faults.leaks import Held, nothing_left, nothing_under_way, objects
from tests.faults.load import Told, load, mixed
from tests.faults.world import PROTOCOLS, fault, provider, questions, tables

pytestmark = pytest.mark.anyio

SHORT = 150
"""Requests in each protocol."""

LONG = int(os.environ.get("CASCADE_FAULT_REQUESTS", "200"))
"""Requests against each fault by itself; those against all of them together are 2,000 at least."""


async def asked(directory: Path, faults: str, count: int, bad: str | None = None) -> list[Told]:
    """Ask so many requests of faulty endpoints, see that every law holds, and return what came."""
    rows = questions().rows
    with provider(faults) as (url, emulator):
        before = Held.now()
        configured = tables(url, directory, bad)
        async with AsyncCascade(tables=configured, data_dir=directory) as ai:
            told = await load(ai, mixed(rows, PROTOCOLS, count))
            nothing_under_way(ai)
            objects()
        await nothing_left(before)
        wrong = uncounted(ai, told, emulator)
    assert len(told) == count
    wrong += [f"{each.ask}: {words}" for each in told for words in broken_laws(each)]
    wrong += stored_wrongly(directory, rows)
    assert not wrong, "\n".join(wrong[:20])
    return told


def answered(told: Sequence[Told]) -> float:
    """The share of requests that got an answer."""
    return sum(each.answer is not None for each in told) / len(told)


async def test_with_every_fault_by_turns_all_requests_end_well(tmp_path: Path) -> None:
    told = await asked(tmp_path, fault("all", 0.3), SHORT * len(PROTOCOLS))
    assert answered(told) > 0.7
    caches = {each.answer.cache for each in told if each.answer is not None}
    assert caches == {"miss", "exact", "collapsed"}


@pytest.mark.parametrize("count", [60, pytest.param(LONG, marks=pytest.mark.slow)])
@pytest.mark.parametrize("way", ["refused", "dns"])
async def test_an_endpoint_that_cannot_be_reached_costs_no_answer(
    way: str, count: int, tmp_path: Path
) -> None:
    with unreachable() as addresses:
        told = await asked(tmp_path, "", count, bad=addresses[way])
    assert answered(told) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
async def test_with_one_fault_on_three_calls_of_ten_all_requests_end_well(
    name: str, tmp_path: Path
) -> None:
    assert answered(await asked(tmp_path, fault(name, 0.3), LONG)) > 0.7


@pytest.mark.slow
@pytest.mark.parametrize(("share", "least"), [(0.3, 0.7), (0.6, 0.15)])
async def test_with_all_faults_together_two_thousand_requests_end_well(
    share: float, least: float, tmp_path: Path
) -> None:
    told = await asked(tmp_path, fault("all", share, seed=2), max(LONG, 2000))
    assert answered(told) > least


@pytest.mark.slow
async def test_faults_leave_nothing_in_memory_that_grows(tmp_path: Path) -> None:
    asks = mixed(questions().rows, PROTOCOLS, 300)
    held: list[int] = []
    with provider(fault("all", 0.3)) as (url, _):
        async with AsyncCascade(tables=tables(url, tmp_path), data_dir=tmp_path) as ai:
            for _ in range(3):
                await load(ai, asks)
                held.append(objects())
    # The same requests once more bring nothing new to remember; a call holds dozens of objects.
    assert held[2] - held[1] < 10 * len(asks), held

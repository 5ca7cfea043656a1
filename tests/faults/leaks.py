"""What a process holds, so that what was left behind can be told."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections import Counter
from pathlib import Path
from typing import Self

import msgspec

from cascade import AsyncCascade
from cascade.engine.loop import Run
from tests.engine.setting import until


class Held(msgspec.Struct, frozen=True):
    """Open descriptors by what they are, threads, tasks of this loop."""

    descriptors: Counter[str]
    threads: frozenset[str]
    tasks: frozenset[str]

    @classmethod
    def now(cls) -> Self:
        """Look."""
        here = asyncio.current_task()
        return cls(
            Counter(_descriptors()),
            frozenset(t.name for t in threading.enumerate() if not _pooled(t)),
            frozenset(str(t.get_coro()) for t in asyncio.all_tasks() if t is not here),
        )


def _descriptors() -> list[str]:
    kinds = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            kinds.append(str(link.readlink()).partition(":")[0])
        except FileNotFoundError:  # the one that listed them
            continue
    return kinds


def _pooled(thread: threading.Thread) -> bool:
    """The event loop's own workers stay for its life."""
    return thread.name.startswith("asyncio_")


async def nothing_left(before: Held) -> None:
    """Wait until all is given back that is held since ``before``.

    Raises:
        AssertionError: something is not.
    """
    try:
        await until(lambda: not _more(before))
    except AssertionError:
        raise AssertionError(f"left behind: {_more(before)}") from None


def _more(before: Held) -> dict[str, object]:
    now = Held.now()
    more = {
        "descriptors": now.descriptors - before.descriptors,
        "threads": now.threads - before.threads,
        "tasks": now.tasks - before.tasks,
    }
    return {name: value for name, value in more.items() if value}


def objects() -> int:
    """How many objects are in memory that may refer to others. It takes its time.

    Raises:
        AssertionError: a run is among them.
    """
    gc.collect()
    found = gc.get_objects()
    assert not any(type(each) is Run for each in found), "a run was kept"
    return len(found)


def nothing_under_way(ai: AsyncCascade) -> None:
    """Raises an AssertionError if any call, or any run, is still under way."""
    engine = ai.engine
    assert engine is not None
    assert len(engine._runs) == 0
    assert not any(engine.standings.pending.values()), engine.standings.pending

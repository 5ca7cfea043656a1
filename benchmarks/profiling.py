"""Profiles: where a path's CPU goes. They slow it down, so they are taken apart from the rounds."""

from __future__ import annotations

import cProfile
import io
import pstats
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.children import ROOT

LINES = 25


@contextmanager
def profiled(title: str) -> Iterator[None]:
    """Print the profile of the block."""
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        show(title, pstats.Stats(profile))


def show(title: str, source: pstats.Stats | Path) -> None:
    """Print the lines in which most time is spent, without what they call."""
    stats = source if isinstance(source, pstats.Stats) else pstats.Stats(str(source))
    out = io.StringIO()
    stats.stream = out  # type: ignore[attr-defined]
    stats.sort_stats("tottime").print_stats(LINES)
    print(f"\n--- profile: {title}")
    print(out.getvalue().replace(f"{ROOT}/", "").strip())

"""Processes that die in mid-write, and processes that write at once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cascade.cache.inspection import stats, verify
from cascade.cache.opening import ASIDE
from cascade.cache.rules.entry import Codec
from tests.cache.entries import SECRET, key_of, opened
from tests.cache.writing_process import text_of

ROOT = Path(__file__).resolve().parents[2]


class Writing:
    """A process that writes; ``acknowledged`` is how far it says it has come."""

    def __init__(self, directory: Path, first: int) -> None:
        self.acknowledged = self.first = first
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cache.writing_process", str(directory), str(first)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._began = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.acknowledged = int(line)
                self._began.set()

    def kill(self, after: float) -> int:
        """Kill it this many seconds after its first word; return how far it had come."""
        assert self._began.wait(30)
        time.sleep(after)  # the moment of death is what is tried, not something waited for
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self.acknowledged


def check(directory: Path, spans: list[tuple[int, int]]) -> None:
    """The cache opens, all acknowledged entries are there, and nothing in it is wrong."""
    cache = opened(directory, size=10**9)
    for first, last in spans:
        for number in range(first, last):
            found = cache.get(key_of(number))
            assert found is not None, number
            assert found.response.message.text == text_of(number)
        for number in range(last, last + 600):  # written or not, but never wrong
            found = cache.get(key_of(number))
            assert found is None or found.response.message.text == text_of(number)
    cache.close()
    assert cache.damaged == 0
    assert verify(directory, Codec(SECRET)) == []
    assert not (directory / ASIDE).exists()


def crash(directory: Path, rounds: int) -> None:
    """Kill a writing process at some moment, round after round, in one directory."""
    chance = random.Random(rounds)
    for round_ in range(rounds):
        first = round_ * 1_000_000
        last = Writing(directory, first).kill(chance.uniform(0, 0.15))
        assert last > first
        check(directory, [(first, last)])


def test_a_killed_writer_leaves_a_cache_that_opens_and_serves_nothing_wrong(
    directory: Path,
) -> None:
    crash(directory, 8)


@pytest.mark.slow
def test_fifty_killed_writers_leave_a_cache_that_serves_nothing_wrong(directory: Path) -> None:
    crash(directory, 50)


def test_two_processes_write_at_once_and_lose_nothing(directory: Path) -> None:
    both = [Writing(directory, first) for first in (0, 1_000_000)]
    spans = [(writing.first, writing.kill(0.3)) for writing in both]
    assert all(last > first for first, last in spans)
    check(directory, spans)
    assert stats(directory).entries >= sum(last - first for first, last in spans)

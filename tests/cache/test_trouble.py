"""Disks that are full, read-only or damaged, and answers of all sizes."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from cascade.cache.disk import ResponseCache
from cascade.cache.inspection import stats
from cascade.cache.opening import ASIDE, DATABASE
from cascade.errors import ConfigError
from tests.cache.entries import entry_of, execute, key_of, opened

SECOND_ROWS = (
    "DROP INDEX Cache_key_raw",
    "CREATE INDEX Cache_key_raw ON Cache (key, raw)",
    "INSERT INTO Cache (key, raw, mode, value) SELECT key, raw, mode, value FROM Cache",
)


def test_a_full_disk_loses_entries_and_raises_nothing(cache: ResponseCache) -> None:
    cache.put(key_of(0), entry_of("kept"))
    cache.flush()
    limit = cache._writer._rows._sql
    limit("PRAGMA max_page_count = 20")
    for number in range(1, 40):
        cache.put(key_of(number), entry_of("x" * 3_000))
    cache.flush()
    assert cache.lost == 39
    assert cache.get(key_of(0)) is not None
    assert cache.get(key_of(1)) is None
    limit("PRAGMA max_page_count = 1000000")
    cache.put(key_of(1), entry_of())
    cache.flush()
    assert cache.get(key_of(1)) is not None
    assert cache.lost == 39


def test_what_keeps_the_writer_from_writing_is_named(
    cache: ResponseCache, caplog: pytest.LogCaptureFixture
) -> None:
    cache._writer._rows._sql("PRAGMA query_only = 1")
    began = time.monotonic()
    cache.put(key_of(1), entry_of())
    cache.flush()
    assert time.monotonic() - began < 20  # there is nobody to wait for
    assert cache.lost == 1
    assert "readonly" in caplog.text


@contextmanager
def somebody_else() -> Iterator[None]:
    """Without the rights of root, for whom no directory is read-only."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no such rights here")
def test_a_read_only_directory_is_a_clear_error(directory: Path) -> None:
    opened(directory).close()
    place = Path(tempfile.mkdtemp())  # that of the test is closed to everybody else
    try:
        place.chmod(0o555)
        with somebody_else(), pytest.raises(ConfigError, match=r"cache's directory.*CASCADE_DATA"):
            opened(place / "cache")
        place.chmod(0o755)
        (place / "cache").mkdir(mode=0o555)
        with somebody_else(), pytest.raises(ConfigError, match=r"cache's directory.*CASCADE_DATA"):
            opened(place / "cache")
    finally:
        place.chmod(0o755)
        shutil.rmtree(place)


def test_a_key_with_two_rows_is_a_counted_miss(cache: ResponseCache) -> None:
    cache.put(key_of(1), entry_of())
    cache.flush()
    for statement in SECOND_ROWS:
        execute(cache.directory, statement)
    assert cache.get(key_of(1)) is None
    assert cache.damaged == 1
    cache.put(key_of(1), entry_of())
    cache.flush()
    assert cache.lost == 1


def test_a_table_that_may_have_two_rows_for_a_key_is_set_aside(directory: Path) -> None:
    cache = opened(directory)
    cache.put(key_of(1), entry_of())
    cache.close()
    for statement in SECOND_ROWS:
        execute(directory, statement)
    cache = opened(directory)
    cache.put(key_of(1), entry_of())
    cache.close()
    assert cache.lost == 0
    assert (directory / ASIDE).exists()


def test_numbers_that_no_encoding_can_carry_are_not_kept(cache: ResponseCache) -> None:
    response = msgspec.structs.replace(entry_of().response, created=2**70)
    cache.put(key_of(1), entry_of(response=response))
    cache.put(key_of(2), entry_of(cost=2**70))
    assert cache.unfit == 2
    assert cache.get(key_of(1)) is None


@pytest.mark.parametrize(("before", "after"), [(100, 50_000), (50_000, 100), (3_000, 30_000)])
def test_the_size_limit_holds_when_answers_become_longer_or_shorter(
    directory: Path, before: int, after: int
) -> None:
    limit = 2_000_000
    cache = opened(directory, size=limit)
    for length, count in ((before, 4_000_000 // (before + 900)), (after, 100)):
        for number in range(count):
            cache.put(f"{length:016x}{number:016x}", entry_of("x" * length))
            if number % 10 == 0:
                cache.flush()
                assert (directory / DATABASE).stat().st_size < 1.1 * limit
    cache.close()
    assert (directory / DATABASE).stat().st_size < 1.1 * limit
    assert stats(directory).bytes < 1.1 * limit  # closing leaves no log
    assert stats(directory).entries >= 30


def test_flipped_bits_anywhere_in_the_file_serve_nothing_wrong(
    directory: Path, tmp_path: Path
) -> None:
    bait = tmp_path / "precious"
    bait.write_bytes(b"precious")
    cache = opened(directory)
    for number in range(30):
        cache.put(key_of(number), entry_of(f"{number} " * 50))
    cache.close()
    execute(directory, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = directory / DATABASE
    whole = path.read_bytes()
    chance = random.Random(20)
    misses = damaged = 0
    for _ in range(50):
        flipped = bytearray(whole)
        for _ in range(4):
            flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        cache = opened(directory)
        for number in range(30):
            found = cache.get(key_of(number))
            assert found is None or found.response.message.text == f"{number} " * 50
            misses += found is None
        damaged += cache.damaged
        cache.close()
        for name in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
            (directory / name).unlink(missing_ok=True)
    assert 0 < damaged <= misses
    assert bait.read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "precious"]


def test_a_log_full_of_garbage_serves_nothing_wrong(directory: Path) -> None:
    cache = opened(directory)
    cache.put(key_of(1), entry_of())
    cache.close()
    (directory / f"{DATABASE}-wal").write_bytes(b"garbage" * 10_000)
    cache = opened(directory)
    assert cache.get(key_of(1)) is not None
    cache.close()
    assert cache.damaged == 0


def test_an_ending_log_is_not_mixed_with_a_database_begun_afresh(directory: Path) -> None:
    cache = opened(directory)
    cache.put(key_of(1), entry_of())
    cache.flush()
    log = (directory / f"{DATABASE}-wal").read_bytes()
    cache.close()
    (directory / DATABASE).write_bytes(b"garbage" * 1000)
    (directory / f"{DATABASE}-wal").write_bytes(log)
    cache = opened(directory)
    assert cache.get(key_of(1)) is None
    cache.put(key_of(2), entry_of())
    cache.close()
    with closing(sqlite3.connect(directory / DATABASE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert stats(directory).entries == 1

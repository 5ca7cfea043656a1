"""The cache keeps entries on disk: read inline, written behind."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from cascade.cache import writer
from cascade.cache.disk import ResponseCache
from cascade.cache.inspection import Selection, stats
from cascade.cache.leases import DIRECTORY as FLIGHTS
from cascade.cache.opening import DATABASE
from tests.cache.entries import entry_of, execute, full_entry, key_of, opened


def test_an_entry_is_readable_at_once_and_after_reopening(directory: Path) -> None:
    cache = opened(directory)
    assert cache.get(key_of(1)) is None
    cache.put(key_of(1), full_entry())
    assert cache.get(key_of(1)) is not None
    cache.close()
    again = opened(directory)
    found = again.get(key_of(1))
    again.close()
    assert found is not None
    assert found.response == full_entry().response
    assert found.tags == ("nightly", "geo")


def test_a_pending_write_is_read_before_it_reaches_the_disk(cache: ResponseCache) -> None:
    with closing(sqlite3.connect(cache.directory / DATABASE)) as other:
        other.execute("BEGIN IMMEDIATE")  # nothing can be written now
        entry = entry_of()
        cache.put(key_of(1), entry)
        assert cache.get(key_of(1)) is entry
        other.rollback()
    cache.flush()
    found = cache.get(key_of(1))
    assert found == entry
    assert found is not entry  # from the disk this time


def test_the_later_of_two_writes_stays(cache: ResponseCache) -> None:
    for round_ in range(50):
        for number in range(3):
            cache.put(key_of(1), entry_of(f"{round_}.{number}"))
        found = cache.get(key_of(1))
        assert found is not None
        assert found.response.message.text == f"{round_}.2"
    cache.flush()
    found = cache.get(key_of(1))
    assert found is not None
    assert found.response.message.text == "49.2"


def test_close_writes_what_is_pending_and_can_be_repeated(directory: Path) -> None:
    cache = opened(directory)
    for number in range(1000):
        cache.put(key_of(number), entry_of(str(number)))
    cache.close()
    cache.close()
    assert stats(directory).entries == 1000
    assert cache.lost == 0


def test_a_closed_cache_finds_and_keeps_nothing(directory: Path) -> None:
    cache = opened(directory)
    cache.put(key_of(1), entry_of())
    cache.close()
    cache.put(key_of(2), entry_of())
    assert cache.get(key_of(1)) is None
    assert cache.get(key_of(2)) is None
    assert cache.lost == 1


def test_entries_are_read_from_any_thread_while_others_write(cache: ResponseCache) -> None:
    for number in range(50):
        cache.put(key_of(number), entry_of(str(number)))
    wrong: list[str] = []

    def read() -> None:
        for number in list(range(50)) * 4:
            found = cache.get(key_of(number))
            if found is None or found.response.message.text != str(number):
                wrong.append(f"{number}: {found}")

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(50, 400):
        cache.put(key_of(number), entry_of(str(number)))
    for reader in readers:
        reader.join()
    assert not wrong


def test_an_expired_entry_is_a_miss(cache: ResponseCache) -> None:
    cache.put(key_of(1), entry_of(expires_at=time.time() - 1))
    cache.flush()
    assert cache.get(key_of(1)) is None


def test_what_is_too_large_or_cannot_be_encoded_is_not_kept(directory: Path) -> None:
    cache = opened(directory, entry_limit=2_000)
    cache.put(key_of(1), entry_of("x" * 2_000))
    cache.put(key_of(2), entry_of("\ud800"))
    cache.put(key_of(3), entry_of("x" * 1_000))
    assert [cache.get(key_of(n)) is None for n in (1, 2, 3)] == [True, True, False]
    assert cache.unfit == 2
    cache.close()


def test_a_large_entry_lies_in_the_row_and_not_in_a_file(directory: Path) -> None:
    cache = opened(directory, entry_limit=1_000_000)
    cache.put(key_of(1), entry_of("x" * 900_000))
    cache.close()
    assert {path.name for path in directory.iterdir()} <= {
        DATABASE,
        f"{DATABASE}-wal",
        f"{DATABASE}-shm",
        FLIGHTS,
    }
    assert execute(directory, "SELECT filename FROM Cache") == [(None,)]


def test_the_size_limit_holds_and_the_earliest_written_go_first(directory: Path) -> None:
    limit = 1_000_000
    cache = opened(directory, size=limit)
    for number in range(5_000):
        cache.put(key_of(number), entry_of("x" * 1_000))
        if number % 100 == 0:
            cache.get(key_of(0))  # being read does not keep an entry
    cache.close()
    size = (directory / DATABASE).stat().st_size
    assert 0.8 * limit < size < 1.2 * limit
    again = opened(directory, size=limit)
    kept = [number for number in range(5_000) if again.get(key_of(number)) is not None]
    again.close()
    assert kept == list(range(5_000 - len(kept), 5_000))
    assert len(kept) > 300


def test_a_full_cache_gives_up_no_more_than_it_takes_in(directory: Path) -> None:
    """In a batch, diskcache by itself would remove ten rows for each it writes: down to none."""
    cache = opened(directory, size=1_000_000)
    kept = []
    for batch in range(8):
        for number in range(writer.BATCH):
            cache.put(key_of(batch * writer.BATCH + number), entry_of("x" * 1_000))
        cache.flush()
        kept.append(stats(directory).entries)
    cache.close()
    assert min(kept[3:]) > 300


def test_a_smaller_limit_takes_hold(directory: Path) -> None:
    cache = opened(directory, size=3_000_000)
    for number in range(2_000):
        cache.put(key_of(number), entry_of("x" * 1_000))
    cache.close()
    cache = opened(directory, size=500_000)
    for number in range(500):
        cache.put(key_of(number), entry_of("x" * 1_000))
    cache.close()
    assert (directory / DATABASE).stat().st_size < 600_000


def test_evicting_removes_what_was_put_before_and_nothing_put_later(cache: ResponseCache) -> None:
    for number in range(20):
        cache.put(key_of(number), entry_of(tags=("old",)))
    assert cache.evict(Selection(tag="old")) == 20
    assert all(cache.get(key_of(number)) is None for number in range(20))
    cache.put(key_of(1), entry_of(tags=("old",)))
    assert cache.get(key_of(1)) is not None
    cache.flush()
    assert cache.get(key_of(1)) is not None


def test_what_cannot_be_written_is_lost_counted_and_said_once(
    cache: ResponseCache, caplog: pytest.LogCaptureFixture
) -> None:
    execute(
        cache.directory,
        "CREATE TRIGGER full BEFORE INSERT ON Cache BEGIN"
        " SELECT RAISE(ABORT, 'database or disk is full'); END",
    )
    for number in range(3):
        cache.put(key_of(number), entry_of())
        cache.flush()
    assert cache.lost == 3
    assert cache.get(key_of(1)) is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "disk is full" in caplog.text
    execute(cache.directory, "DROP TRIGGER full")
    cache.put(key_of(1), entry_of())
    cache.flush()
    assert cache.get(key_of(1)) is not None  # it goes on once there is room


def test_a_database_locked_for_too_long_loses_the_batch_and_not_the_writer(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cascade.cache.disk.WRITE_TIMEOUT", 0.05)
    cache = opened(directory)
    with closing(sqlite3.connect(directory / DATABASE)) as other:
        other.execute("BEGIN IMMEDIATE")
        cache.put(key_of(1), entry_of())
        cache.flush()
        assert cache.lost == 1
        other.rollback()
    cache.put(key_of(2), entry_of())
    cache.close()
    assert stats(directory).entries == 1


def test_the_queue_is_bounded(cache: ResponseCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "QUEUE", 10)
    with closing(sqlite3.connect(cache.directory / DATABASE)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(400):
            cache.put(key_of(number), entry_of())
        assert cache.lost >= 400 - 10 - writer.BATCH
        assert cache.get(key_of(399)) is None
        other.rollback()
    cache.flush()
    assert stats(cache.directory).entries == 400 - cache.lost


def test_a_reader_does_not_wait_for_a_writer_of_another_process(cache: ResponseCache) -> None:
    cache.put(key_of(1), entry_of())
    cache.flush()
    with closing(sqlite3.connect(cache.directory / DATABASE)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM Cache")
        assert cache.get(key_of(1)) is not None
        other.rollback()


def test_a_read_that_finds_the_database_held_is_a_miss_and_no_damage(directory: Path) -> None:
    cache = opened(directory)
    cache.put(key_of(1), entry_of())
    cache.flush()
    for rows in (cache._reader, cache._writer._rows):  # else nobody could hold it so
        rows.close()
    with closing(sqlite3.connect(directory / DATABASE)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        assert cache.get(key_of(1)) is None
        assert time.monotonic() - began < 5  # diskcache by itself tries for a minute
        other.rollback()
    assert (cache.busy, cache.damaged) == (1, 0)
    assert cache.get(key_of(1)) is not None
    cache.close()

"""Closing loses nothing, leaves nothing open, and waits for nobody for long."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from cascade.cache import writer
from cascade.cache.disk import ResponseCache
from cascade.cache.inspection import Selection, stats
from cascade.cache.opening import DATABASE
from tests.cache.entries import entry_of, execute, key_of, opened

DESCRIPTORS = Path("/proc/self/fd")
counts_descriptors = pytest.mark.skipif(
    not DESCRIPTORS.exists(), reason="there is no list of open files here"
)


def files_of(directory: Path) -> list[str]:
    """The directory and its files, as often as this process has them open."""
    links = []
    for descriptor in list(DESCRIPTORS.iterdir()):
        try:
            links.append(str(descriptor.readlink()))
        except FileNotFoundError:  # the descriptor of this very listing
            continue
    return [link for link in links if link.startswith(str(directory))]


@counts_descriptors
def test_no_file_stays_open_whoever_read_and_whoever_closes(directory: Path) -> None:
    kept = []  # closed ones that are still referred to hold nothing either
    for number in range(50):
        cache = opened(directory)
        cache.put(key_of(number), entry_of())
        cache.flush()
        for task in (lambda cache=cache: cache.get(key_of(0)), cache.close):
            thread = threading.Thread(target=task)
            thread.start()
            cache.get(key_of(0))
            thread.join()
        kept.append(cache)
    assert files_of(directory) == []


@counts_descriptors
def test_reading_after_closing_is_a_miss_and_opens_nothing(directory: Path) -> None:
    cache = opened(directory)
    cache.put(key_of(1), entry_of())
    cache.close()
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(cache.get(key_of(1))))
    thread.start()
    thread.join()
    found.append(cache.get(key_of(1)))
    assert found == [None, None]
    assert cache.damaged == cache.busy == 0
    assert files_of(directory) == []


@counts_descriptors
def test_a_directory_that_would_not_open_leaves_no_file_open(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("no")

    with monkeypatch.context() as patched:
        patched.setattr("cascade.cache.opening._open", fail)
        with pytest.raises(Exception, match="cannot be used"):
            opened(directory)
    assert files_of(directory) == []
    opened(directory).close()


def test_what_is_put_during_closing_is_written_or_counted_as_lost(directory: Path) -> None:
    cache = opened(directory)
    gate = threading.Barrier(4)

    def put(first: int) -> None:
        gate.wait()
        for number in range(first, first + 300):
            cache.put(key_of(number), entry_of())

    threads = [threading.Thread(target=put, args=(1000 * n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    gate.wait()
    cache.close()
    for thread in threads:
        thread.join()
    assert stats(directory).entries + cache.lost == 900
    assert not cache._pending


def test_a_flush_covers_what_its_own_thread_put_however_many_others_put(
    cache: ResponseCache,
) -> None:
    missing: list[int] = []

    def put(first: int) -> None:
        for number in range(first, first + 120):
            cache.put(key_of(number), entry_of())
            if number % 30 == 0:
                cache.flush()
                if not execute(
                    cache.directory, "SELECT 1 FROM Cache WHERE key = ?", key_of(number)
                ):
                    missing.append(number)

    threads = [threading.Thread(target=put, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not missing
    cache.flush()
    assert stats(cache.directory).entries == 480


def test_a_database_that_others_hold_does_not_hold_up_closing(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "CLOSING", 0.1)
    cache = opened(directory)
    with closing(sqlite3.connect(directory / DATABASE)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(600):
            cache.put(key_of(number), entry_of())
        began = time.monotonic()
        cache.close()
        assert time.monotonic() - began < 20  # the writer alone would wait for a minute a batch
        assert cache.lost == 600
        other.rollback()


def test_a_batch_waits_for_a_writer_of_another_process(directory: Path) -> None:
    cache = opened(directory)
    with closing(sqlite3.connect(directory / DATABASE, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        cache.put(key_of(1), entry_of())
        release = threading.Timer(0.6, other.rollback)  # longer than one try
        release.start()
        cache.close()
        release.join()
    assert cache.lost == 0
    assert stats(directory).entries == 1


def test_the_order_of_putting_and_evicting_is_kept(cache: ResponseCache) -> None:
    for number in range(30):
        cache.put(key_of(1), entry_of(f"before {number}"))
        assert cache.evict(Selection(key=key_of(1))) == 1
        assert cache.get(key_of(1)) is None
        cache.put(key_of(1), entry_of(f"{number}"))
        cache.put(key_of(1), entry_of(f"after {number}"))
        if number % 2:
            cache.flush()
        found = cache.get(key_of(1))
        assert found is not None
        assert found.response.message.text == f"after {number}"


def test_a_log_that_fails_does_not_end_the_writer(
    cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the log is broken")

    monkeypatch.setattr("cascade.cache.disk._warn", fail)
    execute(
        cache.directory,
        "CREATE TRIGGER no BEFORE INSERT ON Cache BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    cache.put(key_of(1), entry_of())
    cache.flush()
    execute(cache.directory, "DROP TRIGGER no")
    cache.put(key_of(2), entry_of())
    cache.flush()
    assert cache.lost == 1
    assert stats(cache.directory).entries == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_an_interpreter_that_just_ends_writes_what_is_pending(directory: Path) -> None:
    import subprocess

    script = (
        "import sys; from pathlib import Path;"
        "from tests.cache.entries import entry_of, key_of, opened;"
        "opened(Path(sys.argv[1])).put(key_of(1), entry_of())"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", script, str(directory)], cwd=root, check=True)
    assert stats(directory).entries == 1

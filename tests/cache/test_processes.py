"""Several processes, and several caches of one process, share a directory."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cascade.cache.disk import ResponseCache
from cascade.cache.inspection import Selection, delete, find, listing, stats, verify
from cascade.cache.opening import ASIDE, DATABASE, mark_damaged
from cascade.cache.rules.entry import Codec
from cascade.errors import ConfigError
from tests.cache.entries import SECRET, entry_of, execute, key_of, opened

ROOT = Path(__file__).resolve().parents[2]
CODEC = Codec(SECRET)
PROLOGUE = """
import sys
from pathlib import Path
from tests.cache.entries import entry_of, execute, key_of, opened
directory = Path(sys.argv[1])
"""


@contextmanager
def process(script: str, directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs a script; it has ended well when this ends."""
    running = subprocess.Popen(
        [sys.executable, "-c", PROLOGUE + textwrap.dedent(script), str(directory)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with running:
        try:
            yield running
            running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 0


def told(running: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    assert running.stdout is not None
    return running.stdout.readline().strip()


def test_another_process_reads_what_was_flushed(cache: ResponseCache) -> None:
    cache.put(key_of(1), entry_of("from the first"))
    cache.flush()
    script = """
        cache = opened(directory)
        print(cache.get(key_of(1)).response.message.text)
        cache.put(key_of(2), entry_of("from the second"))
        cache.close()
    """
    with process(script, cache.directory) as other:
        assert told(other) == "from the first"
    found = cache.get(key_of(2))
    assert found is not None
    assert found.response.message.text == "from the second"
    assert verify(cache.directory, CODEC) == []


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_no_thread_waits_for_another_process_that_writes(cache: ResponseCache, lock: str) -> None:
    cache.put(key_of(1), entry_of())
    cache.flush()
    script = f"""
        import sqlite3
        connection = sqlite3.connect(directory / "cache.db", isolation_level=None)
        connection.execute("BEGIN {lock}")
        connection.execute("DELETE FROM Cache")
        print("held", flush=True)
        sys.stdin.read()
    """
    found: list[object] = []
    with process(script, cache.directory) as other:
        assert told(other) == "held"
        began = time.monotonic()
        fresh = threading.Thread(target=lambda: found.append(cache.get(key_of(1))))
        fresh.start()
        fresh.join()
        found.append(cache.get(key_of(1)))
        assert time.monotonic() - began < 5
    assert None not in found
    assert cache.busy == cache.damaged == 0


def test_a_second_cache_of_this_process_takes_no_lock_from_the_first(directory: Path) -> None:
    """Opening and closing the file by hand would end all locks of the process on it.

    Another process that leaves would then believe itself the last one, and clear the log away.
    """
    first = opened(directory)
    second = opened(directory)
    second.put(key_of(0), entry_of())
    second.close()
    for number in range(1, 6):
        script = "cache = opened(directory); cache.get(key_of(1)); cache.close()"
        with process(script, directory):
            pass
        assert (directory / f"{DATABASE}-wal").exists()
        first.put(key_of(number), entry_of("x" * 50_000))
        first.flush()
    first.close()
    assert first.lost == first.damaged == 0
    assert execute(directory, "PRAGMA integrity_check") == [("ok",)]
    assert stats(directory).entries == 6


def test_a_database_that_others_use_is_not_set_aside_however_damaged(directory: Path) -> None:
    cache = opened(directory)
    cache.put(key_of(1), entry_of())
    cache.flush()
    mark_damaged(directory)
    script = "cache = opened(directory); print(cache.get(key_of(1)) is not None); cache.close()"
    with process(script, directory) as other:
        assert told(other) == "True"
    again = opened(directory)
    again.close()
    assert not (directory / ASIDE).exists()
    cache.close()
    opened(directory).close()
    assert (directory / ASIDE).exists()


def test_what_others_use_and_will_not_open_is_a_clear_error(directory: Path) -> None:
    cache = opened(directory)
    cache.put(key_of(1), entry_of())
    cache.flush()
    execute(directory, "DROP INDEX Cache_key_raw")
    execute(directory, "CREATE INDEX Cache_key_raw ON Cache (key, raw)")
    with pytest.raises(ConfigError, match=r"two rows.*end the process that holds it"):
        opened(directory)
    assert cache.get(key_of(1)) is not None
    cache.close()
    assert not (directory / ASIDE).exists()


def test_processes_that_find_it_damaged_at_once_share_the_new_one(directory: Path) -> None:
    directory.mkdir()
    (directory / DATABASE).write_bytes(b"garbage" * 1000)
    script = """
        print("ready", flush=True)
        number = int(sys.stdin.readline())
        cache = opened(directory)
        cache.put(key_of(number), entry_of())
        cache.close()
        assert cache.lost == 0
    """
    with process(script, directory) as one, process(script, directory) as two:
        for other in (one, two):
            assert told(other) == "ready"
        for number, other in enumerate((one, two)):
            assert other.stdin is not None
            other.stdin.write(f"{number}\n")
            other.stdin.flush()
    assert (directory / ASIDE).read_bytes() == b"garbage" * 1000
    assert stats(directory).entries == 2
    assert verify(directory, CODEC) == []


def test_a_running_server_can_be_looked_into_and_cleared(directory: Path) -> None:
    script = """
        import threading
        cache = opened(directory)
        ended = threading.Event()
        threading.Thread(target=lambda: (sys.stdin.read(), ended.set())).start()
        number = 0
        while not ended.is_set():
            cache.put(key_of(number), entry_of(str(number), tags=("odd",) if number % 2 else ()))
            number += 1
            if number % 100 == 0:
                cache.flush()
                print(number, flush=True)
        cache.close()
        assert cache.lost == cache.damaged == 0
    """
    with process(script, directory) as server:
        assert int(told(server)) > 0
        gone = 0
        for _ in range(5):
            assert verify(directory, CODEC) == []
            rows = list(listing(directory, CODEC, 50))
            assert rows
            assert all(row.entry is not None for row in rows)
            assert find(directory, CODEC, rows[0].key) is not None
            assert stats(directory).entries > 0
            gone += delete(directory, Selection(tag="odd"))
            told(server)
            told(server)
    assert gone > 0
    left = [int(row.key, 16) for row in listing(directory, CODEC)]
    assert any(number % 2 == 0 for number in left)
    assert execute(directory, "PRAGMA integrity_check") == [("ok",)]


def test_processes_that_race_for_the_secret_get_the_same(tmp_path: Path) -> None:
    script = """
        from cascade.cache.secret import load_secret
        print("ready", flush=True)
        sys.stdin.readline()
        print(load_secret(directory / "data").hex(), flush=True)
    """
    with process(script, tmp_path) as one, process(script, tmp_path) as two:
        for other in (one, two):
            assert told(other) == "ready"
        for other in (one, two):
            assert other.stdin is not None
            other.stdin.write("go\n")
            other.stdin.flush()
        secrets = {told(other) for other in (one, two)}
    assert len(secrets) == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret"]


def test_looking_into_a_cache_that_is_held_says_so_and_calls_nothing_damaged(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = opened(directory)
    cache.put(key_of(1), entry_of())
    cache.close()
    monkeypatch.setattr("cascade.cache.inspection._BUSY_S", 0.05)
    with closing(sqlite3.connect(directory / DATABASE)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            verify(directory, CODEC)
        other.rollback()
    assert verify(directory, CODEC) == []

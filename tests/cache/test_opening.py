"""Opening: private, and never in the way of the program that needs it."""

from __future__ import annotations

import random
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from cascade.cache.leases import DIRECTORY as FLIGHTS
from cascade.cache.opening import ASIDE, DATABASE, open_rows
from cascade.cache.secret import load_secret
from cascade.errors import ConfigError
from tests.cache.entries import entry_of, execute, key_of, opened


def works(directory: Path) -> None:
    """Assert that the cache keeps and finds entries."""
    cache = opened(directory)
    cache.put(key_of(7), entry_of("works"))
    cache.flush()
    found = cache.get(key_of(7))
    cache.close()
    assert found is not None
    assert found.response.message.text == "works"
    assert cache.lost == 0


def fill(directory: Path, count: int = 200) -> None:
    """Write some entries."""
    cache = opened(directory)
    for number in range(count):
        cache.put(key_of(number), entry_of(f"{number} " * 50))
    cache.close()
    execute(directory, "PRAGMA wal_checkpoint(TRUNCATE)")


def test_directory_and_files_are_their_owners_only(directory: Path) -> None:
    cache = opened(directory)
    cache.put(key_of(1), entry_of())
    cache.flush()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert modes.pop(FLIGHTS) == 0o700
    cache.close()
    assert set(modes) == {DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"}
    assert set(modes.values()) == {0o600}


def test_the_settings_are_ours(directory: Path) -> None:
    rows = open_rows(directory, size=1_000_000, entry_limit=1000, timeout=1)
    settings = dict(execute(directory, "SELECT key, value FROM Settings"))
    rows.close()
    assert settings["cull_limit"] == 10
    assert settings["statistics"] == 0
    assert settings["eviction_policy"] == "least-recently-stored"
    assert settings["disk_min_file_size"] > 1000
    assert settings["sqlite_mmap_size"] == 0


@pytest.mark.parametrize(
    "content", [b"not a database" * 1000, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_file_that_is_no_database_is_set_aside(directory: Path, content: bytes) -> None:
    directory.mkdir()
    (directory / DATABASE).write_bytes(content)
    works(directory)
    assert (directory / ASIDE).read_bytes() == content


def test_a_database_that_is_not_the_caches_is_set_aside(directory: Path) -> None:
    directory.mkdir()
    execute(directory, "CREATE TABLE Cache (key TEXT)")
    execute(directory, "INSERT INTO Cache VALUES ('theirs')")
    works(directory)
    with closing(sqlite3.connect(directory / ASIDE)) as aside:
        assert aside.execute("SELECT key FROM Cache").fetchall() == [("theirs",)]


def test_a_cut_database_serves_nothing_wrong_and_works_again(directory: Path) -> None:
    fill(directory)
    path = directory / DATABASE
    whole = path.read_bytes()
    for share in (0.0, 0.01, 0.3, 0.7, 0.95):
        path.write_bytes(whole[: int(len(whole) * share)])
        cache = opened(directory)
        for number in range(200):
            found = cache.get(key_of(number))
            assert found is None or found.response.message.text == f"{number} " * 50
            cache.put(key_of(1000 + number), entry_of())
        cache.close()
        works(directory)


def test_changed_bytes_anywhere_in_the_file_serve_nothing_wrong(directory: Path) -> None:
    fill(directory)
    path = directory / DATABASE
    whole = path.read_bytes()
    chance = random.Random(5)
    for _ in range(25):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 20, 500))):
            damaged[chance.randrange(len(damaged))] ^= chance.randrange(1, 256)
        path.write_bytes(damaged)
        cache = opened(directory)
        for number in range(200):
            found = cache.get(key_of(number))
            assert found is None or found.response.message.text == f"{number} " * 50
        for number in range(20):
            cache.put(key_of(number), entry_of())
        cache.close()
        for name in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
            (directory / name).unlink(missing_ok=True)


def test_a_database_found_damaged_inside_is_set_aside_at_the_next_opening(
    directory: Path,
) -> None:
    fill(directory, 2000)
    path = directory / DATABASE
    damaged = bytearray(path.read_bytes())
    damaged[20 * 4096 : 60 * 4096] = b"\xa5" * (40 * 4096)
    path.write_bytes(damaged)
    cache = opened(directory)
    assert sum(cache.get(key_of(number)) is None for number in range(2000)) > 0
    assert cache.damaged > 0
    cache.close()
    works(directory)
    assert (directory / ASIDE).read_bytes()[20 * 4096 : 21 * 4096] == b"\xa5" * 4096


def test_settings_that_are_not_diskcaches_are_dropped(directory: Path) -> None:
    fill(directory, 10)
    for key, value in (
        ("get", "gone"),
        ("_disk", "x"),
        ("disk_evil", 1),
        ("sqlite_writable_schema", "1"),
        ("size", "many"),
        ("cull_limit", "x"),
        ("eviction_policy", "unheard-of"),
    ):
        execute(directory, "INSERT OR REPLACE INTO Settings VALUES (?, ?)", key, value)
    execute(directory, "INSERT OR REPLACE INTO Settings VALUES (x'00ff', 1)")
    cache = opened(directory)
    assert cache.get(key_of(1)) is not None
    cache.close()
    works(directory)


def test_a_directory_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cache's directory.*CASCADE_DATA"):
        opened(tmp_path / "file" / "cache")


def test_a_database_in_use_is_never_set_aside(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(directory, 10)

    def busy(*_: object, **__: object) -> None:
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("cascade.cache.opening.Rows", busy)
        with pytest.raises(ConfigError, match="locked"):
            opened(directory)
    assert not (directory / ASIDE).exists()
    works(directory)


def test_threads_that_open_at_once_share_one_cache(directory: Path) -> None:
    directory.mkdir()
    (directory / DATABASE).write_bytes(b"garbage" * 1000)
    failures: list[BaseException] = []

    def use(number: int) -> None:
        try:
            cache = opened(directory)
            cache.put(key_of(number), entry_of(str(number)))
            cache.close()
            assert cache.lost == 0
        except BaseException as error:  # noqa: BLE001  # told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [failure for failure in failures if not isinstance(failure, ConfigError)]
    works(directory)


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    secret = load_secret(directory)
    assert len(secret) == 32
    assert load_secret(directory) == secret
    (made,) = directory.iterdir()
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    made.chmod(0o644)
    load_secret(directory)
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_those_who_race_for_the_secret_get_the_same(tmp_path: Path) -> None:
    for round_ in range(10):
        directory = tmp_path / str(round_)
        got: list[bytes] = []
        gate = threading.Barrier(8)

        def race(directory: Path, got: list[bytes], gate: threading.Barrier) -> None:
            gate.wait()
            got.append(load_secret(directory))

        threads = [threading.Thread(target=race, args=(directory, got, gate)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(got)) == 1
        assert len(list(directory.iterdir())) == 1


def test_a_secret_that_was_cut_is_a_clear_error(tmp_path: Path) -> None:
    load_secret(tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match=r"5 bytes, not 32.*Remove the file"):
        load_secret(tmp_path)

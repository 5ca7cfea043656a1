"""A tampered row or key never executes, reads or deletes anything, and is never served."""

from __future__ import annotations

import os
import pickle
import random
from pathlib import Path

import diskcache
import pytest

from cascade.cache.disk import ResponseCache
from cascade.cache.inspection import Selection, find, listing, verify
from cascade.cache.opening import open_rows
from cascade.cache.rules.entry import Codec
from tests.cache.entries import SECRET, entry_of, execute, key_of, opened

CODEC = Codec(SECRET)


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def sign(tmp_path: Path) -> Path:
    """Exists once something was executed."""
    return tmp_path / "executed"


@pytest.fixture
def bait(tmp_path: Path) -> Path:
    """A file of somebody else's, beside the cache."""
    path = tmp_path / "precious"
    path.write_bytes(b"precious")
    return path


@pytest.fixture
def filled(directory: Path) -> Path:
    """A cache of ten entries."""
    cache = opened(directory)
    for number in range(10):
        cache.put(key_of(number), entry_of(str(number)))
    cache.close()
    return directory


def use_in_every_way(directory: Path) -> ResponseCache:
    """Read, overwrite, expire, list, verify and evict all there is; return the closed cache."""
    cache = opened(directory)
    for number in range(10):
        cache.get(key_of(number))
    list(listing(directory, CODEC))
    for key in verify(directory, CODEC):
        find(directory, CODEC, key)
    for number in range(10):
        cache.put(key_of(number), entry_of("anew"))
    cache.flush()
    cache._reader.expire()
    cache._reader.cull()
    for number in range(10):
        found = cache.get(key_of(number))
        assert found is not None
        assert found.response.message.text == "anew"
    cache.evict(Selection(everything=True))
    cache.close()
    return cache


def test_the_bomb_would_go_off_in_plain_diskcache(tmp_path: Path, sign: Path) -> None:
    """Else the tests below prove nothing."""
    with diskcache.Cache(str(tmp_path / "plain")) as plain:
        plain["x"] = Bomb(sign)
        _ = plain["x"]
    assert sign.is_dir()


def test_a_pickled_value_is_not_read(filled: Path, sign: Path) -> None:
    execute(filled, "UPDATE Cache SET mode = 4, value = ?", pickle.dumps(Bomb(sign)))
    cache = opened(filled)
    assert cache.get(key_of(1)) is None
    assert cache.damaged == 1
    cache.close()
    use_in_every_way(filled)
    assert not sign.exists()


def test_a_pickle_among_plain_bytes_is_not_read(filled: Path, sign: Path) -> None:
    execute(filled, "UPDATE Cache SET value = ?", pickle.dumps(Bomb(sign)))
    assert use_in_every_way(filled).damaged == 10
    assert not sign.exists()


def test_a_pickled_key_is_not_read(filled: Path, sign: Path) -> None:
    execute(
        filled,
        "UPDATE Cache SET raw = 0, key = ? WHERE key = ?",
        pickle.dumps(Bomb(sign)),
        key_of(1),
    )
    cache = opened(filled)
    assert cache.get(key_of(1)) is None
    cache.close()
    use_in_every_way(filled)
    assert not sign.exists()


@pytest.mark.parametrize("mode", [1, 2, 3, 4])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_foreign_file_is_neither_read_nor_deleted(
    filled: Path, bait: Path, mode: int, absolute: bool
) -> None:
    name = str(bait) if absolute else "../precious"
    for value in (None, b"x"):
        execute(filled, "UPDATE Cache SET mode = ?, filename = ?, value = ?", mode, name, value)
        execute(filled, "UPDATE Cache SET expire_time = 1 WHERE key < ?", key_of(5))
        assert use_in_every_way(filled).damaged >= 5
        assert bait.read_bytes() == b"precious"
        cache = opened(filled)
        for number in range(10):
            cache.put(key_of(number), entry_of())
        cache.close()


def test_a_full_cache_does_not_delete_foreign_files_of_rows_it_drops(
    directory: Path, bait: Path
) -> None:
    cache = opened(directory, size=200_000)
    for number in range(100):
        cache.put(key_of(number), entry_of("x" * 1000))
    cache.flush()
    execute(directory, "UPDATE Cache SET filename = '../precious'")
    for number in range(100, 500):
        cache.put(key_of(number), entry_of("x" * 1000))
    cache.close()
    assert cache.lost == 0
    assert bait.exists()


@pytest.mark.parametrize("value", [None, 7, 1.5, "text", b"", b"\0" * 5000])
def test_a_value_of_any_other_kind_is_a_counted_miss(filled: Path, value: object) -> None:
    execute(filled, "UPDATE Cache SET value = ?", value)
    cache = opened(filled)
    assert cache.get(key_of(1)) is None
    assert cache.damaged == 1
    cache.close()


def test_text_that_is_no_unicode_is_a_counted_miss(filled: Path) -> None:
    execute(filled, "UPDATE Cache SET filename = CAST(x'ff' AS TEXT), tag = CAST(x'ff' AS TEXT)")
    cache = opened(filled)
    assert cache.get(key_of(1)) is None
    assert cache.damaged == 1
    cache.close()
    assert len(verify(filled, CODEC)) == 10
    use_in_every_way(filled)


def test_a_flipped_byte_anywhere_in_a_value_is_a_counted_miss(filled: Path) -> None:
    ((value,),) = execute(filled, "SELECT value FROM Cache WHERE key = ?", key_of(1))
    chance = random.Random(7)
    cache = opened(filled)
    for count in range(1, 60):
        flipped = bytearray(value)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        execute(filled, "UPDATE Cache SET value = ? WHERE key = ?", bytes(flipped), key_of(1))
        assert cache.get(key_of(1)) is None
        assert cache.damaged == count
    cache.close()


def test_entries_exchanged_between_rows_are_not_served(filled: Path) -> None:
    ((value,),) = execute(filled, "SELECT value FROM Cache WHERE key = ?", key_of(1))
    execute(filled, "UPDATE Cache SET value = ? WHERE key = ?", value, key_of(2))
    cache = opened(filled)
    assert cache.get(key_of(1)) is not None
    assert cache.get(key_of(2)) is None
    cache.close()


def test_rows_refused_are_found_by_no_other_door_of_diskcache(filled: Path, sign: Path) -> None:
    bomb = pickle.dumps(Bomb(sign))
    execute(filled, "UPDATE Cache SET raw = 0, key = rowid || ?, mode = 4, value = ?", "k", bomb)
    execute(filled, "UPDATE Cache SET key = ? WHERE rowid = 1", bomb)
    rows = open_rows(filled, size=10**6, entry_limit=10**6, timeout=1)
    for walk in (iter, reversed):
        with pytest.raises(OSError, match="foreign key"):
            list(walk(rows))
    with pytest.raises(OSError, match="foreign key"):
        list(rows.iterkeys())
    for number in range(1, 11):
        assert rows.get(f"{number}k") is None
    with pytest.raises(TypeError):
        rows.set(("a", "tuple"), b"")
    with pytest.raises(TypeError):
        rows.set("key", {"a": "dict"})
    with pytest.raises(OSError, match="no entry"):
        rows.disk.filename()
    rows.close()
    assert not sign.exists()

"""Looking into a cache and clearing it, also while a server uses it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from cascade.cache.disk import ResponseCache
from cascade.cache.inspection import Selection, delete, find, listing, stats, verify
from cascade.cache.rules.entry import Codec
from tests.cache.entries import SECRET, entry_of, execute, key_of, opened

CODEC = Codec(SECRET)


@pytest.fixture
def filled(directory: Path) -> Path:
    """Ten entries: of two models, with tags that begin alike."""
    cache = opened(directory)
    for number in range(10):
        cache.put(
            key_of(number),
            entry_of(
                str(number),
                model="gpt-large" if number % 2 else "gpt-small",
                rung="strong" if number % 2 else "small",
                tags=("a", "ab") if number < 3 else ("ab",) if number < 5 else (),
            ),
        )
    cache.close()
    return directory


def test_an_absent_cache_is_an_empty_one(tmp_path: Path) -> None:
    absent = tmp_path / "none"
    assert stats(absent).entries == 0
    assert list(listing(absent, CODEC)) == []
    assert find(absent, CODEC, "0") is None
    assert verify(absent, CODEC) == []
    assert delete(absent, Selection(everything=True)) == 0
    assert not absent.exists()


def test_stats_count_entries_and_bytes(filled: Path) -> None:
    found = stats(filled)
    assert found.entries == 10
    assert found.bytes > 4096
    assert found.oldest is not None
    assert found.newest is not None
    assert time.time() - 60 < found.oldest <= found.newest <= time.time()


def test_a_listing_begins_with_the_latest(filled: Path) -> None:
    assert [row.key for row in listing(filled, CODEC, 3)] == [key_of(n) for n in (9, 8, 7)]
    assert len(list(listing(filled, CODEC))) == 10


def test_an_entry_is_found_by_the_beginning_of_its_key(directory: Path) -> None:
    cache = opened(directory)
    cache.put("abc" + key_of(1)[3:], entry_of("found"))
    cache.put("abd" + key_of(1)[3:], entry_of("other"))
    cache.close()
    row = find(directory, CODEC, "abc")
    assert row is not None
    assert row.entry is not None
    assert row.entry.response.message.text == "found"
    assert find(directory, CODEC, "%") is None
    assert find(directory, CODEC, "") is None


@pytest.mark.parametrize(
    ("criteria", "gone"),
    [
        ({"key": key_of(3)}, [3]),
        ({"key": key_of(99)}, []),
        ({"tag": "a"}, [0, 1, 2]),
        ({"tag": "ab"}, [0, 1, 2, 3, 4]),
        ({"tag": "b"}, []),
        ({"tag": "gpt-large"}, []),
        ({"model": "gpt-large"}, [1, 3, 5, 7, 9]),
        ({"rung": "small"}, [0, 2, 4, 6, 8]),
        ({"tag": "ab", "model": "gpt-large"}, [1, 3]),
        ({"stored_before": 1.0}, []),
        ({"stored_before": 1e12}, list(range(10))),
        ({"stored_before": 1e12, "tag": "a"}, [0, 1, 2]),
        ({"everything": True}, list(range(10))),
        ({}, []),
        ({"tag": "' OR 1 --"}, []),
    ],
)
def test_what_is_selected_goes_and_the_rest_stays(
    filled: Path, criteria: dict[str, Any], gone: list[int]
) -> None:
    assert delete(filled, Selection(**criteria)) == len(gone)
    left = {row.key for row in listing(filled, CODEC)}
    assert left == {key_of(number) for number in range(10) if number not in gone}


def test_more_than_one_transaction_of_rows_goes(directory: Path) -> None:
    cache = opened(directory)
    for number in range(2_500):
        cache.put(key_of(number), entry_of())
    cache.close()
    assert delete(directory, Selection(model="gpt-small")) == 2_500
    assert stats(directory).entries == 0


def test_a_server_sees_what_another_process_removed(cache: ResponseCache) -> None:
    cache.put(key_of(1), entry_of())
    cache.flush()
    assert cache.get(key_of(1)) is not None
    assert stats(cache.directory).entries == 1
    assert delete(cache.directory, Selection(key=key_of(1))) == 1
    assert cache.get(key_of(1)) is None


def test_damaged_and_refused_rows_are_listed_named_and_can_be_evicted(filled: Path) -> None:
    execute(filled, "UPDATE Cache SET value = x'00' WHERE key = ?", key_of(1))
    execute(filled, "UPDATE Cache SET mode = 4 WHERE key = ?", key_of(2))
    execute(filled, "UPDATE Cache SET filename = '../x' WHERE key = ?", key_of(3))
    execute(filled, "UPDATE Cache SET raw = 0, key = x'80' WHERE key = ?", key_of(4))
    execute(filled, "UPDATE Cache SET value = 7, store_time = 'x' WHERE key = ?", key_of(5))
    execute(filled, "UPDATE Cache SET key = ? WHERE key = ?", key_of(66), key_of(6))
    damaged = verify(filled, CODEC)
    assert damaged == [key_of(1), key_of(2), key_of(3), "#5", key_of(5), key_of(66)]
    assert len(list(listing(filled, CODEC))) == 10
    shown = find(filled, CODEC, "#5")
    assert shown is not None
    assert shown.entry is None
    for key in damaged:
        assert delete(filled, Selection(key=key)) == 1
    assert verify(filled, CODEC) == []


def test_another_secret_finds_every_row_damaged(filled: Path) -> None:
    assert len(verify(filled, Codec(b"other"))) == 10

"""Who asks hears when an entry is where other processes can read it."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from cascade.cache.disk import ResponseCache
from tests.cache.entries import entry_of, key_of, opened

KEY = key_of(1)


def _fails(*_: object) -> None:
    raise OSError("the disk is full")


def test_who_asks_hears_once_the_entry_can_be_read_by_another(directory: Path) -> None:
    cache, other = opened(directory), opened(directory)
    heard = threading.Event()
    found: list[bool] = []

    def hear() -> None:
        found.append(other.get(KEY) is not None)
        heard.set()

    cache.put(KEY, entry_of())
    cache.when_written(KEY, hear)
    assert heard.wait(30)
    cache.close()
    other.close()
    assert found == [True]


def test_who_asks_hears_at_once_where_nothing_waits_to_be_written(cache: ResponseCache) -> None:
    heard: list[str] = []
    cache.when_written(KEY, lambda: heard.append("nothing was put"))
    cache.put(KEY, entry_of("\ud800"))
    cache.when_written(KEY, lambda: heard.append("unfit"))
    cache.put(KEY, entry_of())
    cache.flush()
    cache.when_written(KEY, lambda: heard.append("written"))
    assert heard == ["nothing was put", "unfit", "written"]


def test_who_asks_hears_of_a_lost_entry_and_of_the_last_under_its_key(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = opened(directory)
    heard: list[str] = []
    monkeypatch.setattr(cache._writer, "_store", _fails)
    for text in ("first", "second", "third"):
        cache.put(KEY, entry_of(text))
        cache.when_written(KEY, partial(heard.append, text))
    cache.close()
    assert heard == ["first", "second", "third"]
    assert cache.lost == 3

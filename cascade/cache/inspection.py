"""Looking into a cache's directory and clearing it, by SQL: also while a server uses it.

Rows are read as they are: refused ones are listed too, and nothing in a row is ever executed,
opened or followed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from cascade.cache.opening import DATABASE
from cascade.cache.rules.entry import Codec, DamagedEntry, Entry

_MODE_RAW = 1
_BUSY_S = 60


class Stats(msgspec.Struct, frozen=True):
    """``bytes`` on disk, times in unix seconds."""

    entries: int
    bytes: int
    oldest: float | None
    newest: float | None


class Listed(msgspec.Struct, frozen=True):
    """A row: its key, its size in bytes, and its entry unless it is damaged."""

    key: str
    bytes: int
    stored_at: float
    entry: Entry | None


class Selection(msgspec.Struct, frozen=True):
    """Which entries: all criteria that are given must hold. ``stored_before`` is unix time."""

    key: str | None = None
    tag: str | None = None
    model: str | None = None
    rung: str | None = None
    stored_before: float | None = None
    everything: bool = False

    def covers(self, row: Listed) -> bool:
        """Whether a row is selected. A damaged one has no tag, model or rung to match."""
        if self.everything:
            return True
        entry = row.entry
        criteria = (
            (self.key, row.key == self.key),
            (self.tag, entry is not None and self.tag in entry.tags),
            (self.model, entry is not None and entry.model == self.model),
            (self.rung, entry is not None and entry.rung == self.rung),
            (self.stored_before, row.stored_at < (self.stored_before or 0.0)),
        )
        given = [holds for wanted, holds in criteria if wanted is not None]
        return bool(given) and all(given)


def stats(directory: Path) -> Stats:
    """Count what is there; an absent cache is an empty one."""
    if not (directory / DATABASE).exists():
        return Stats(0, 0, None, None)
    with closing(_connect(directory)) as connection:
        count, oldest, newest = connection.execute(
            "SELECT COUNT(*), MIN(store_time), MAX(store_time) FROM Cache"
        ).fetchone()
    size = sum(path.stat().st_size for path in directory.glob(f"{DATABASE}*"))
    return Stats(count, size, oldest, newest)


def listing(directory: Path, codec: Codec, limit: int | None = None) -> Iterator[Listed]:
    """Every row, the latest first."""
    for _, row in _rows(directory, codec, limit):
        yield row


def find(directory: Path, codec: Codec, key: str) -> Listed | None:
    """The row whose key is, or begins with, ``key``."""
    return next((row for row in listing(directory, codec) if row.key.startswith(key)), None)


def verify(directory: Path, codec: Codec) -> list[str]:
    """The keys of damaged rows."""
    return [row.key for row in listing(directory, codec) if row.entry is None]


def delete(directory: Path, codec: Codec, selection: Selection) -> int:
    """Remove the selected rows; return how many went."""
    doomed = [rowid for rowid, row in _rows(directory, codec, None) if selection.covers(row)]
    if not doomed:
        return 0
    with closing(_connect(directory, write=True)) as connection, connection:
        connection.executemany("DELETE FROM Cache WHERE rowid = ?", [(row,) for row in doomed])
    return len(doomed)


def _rows(directory: Path, codec: Codec, limit: int | None) -> Iterator[tuple[int, Listed]]:
    if not (directory / DATABASE).exists():
        return
    with closing(_connect(directory)) as connection:
        rows = connection.execute(
            "SELECT rowid, key, raw, store_time, mode, filename, value FROM Cache"
            " ORDER BY store_time DESC LIMIT ?",
            (-1 if limit is None else limit,),
        )
        for rowid, key, raw, stored, mode, filename, value in rows:
            size = len(value) if isinstance(value, bytes) else 0
            sound = bool(raw) and mode == _MODE_RAW and filename is None
            entry = _entry(codec, key, value) if sound else None
            yield rowid, Listed(_shown(key), size, float(stored or 0.0), entry)


def _entry(codec: Codec, key: Any, value: Any) -> Entry | None:
    if not isinstance(key, str) or not isinstance(value, bytes):
        return None
    try:
        return codec.decode(key, value)
    except DamagedEntry:
        return None


def _shown(key: Any) -> str:
    return key if isinstance(key, str) else f"foreign key {key!r:.40}"


def _connect(directory: Path, write: bool = False) -> sqlite3.Connection:
    mode = "rw" if write else "ro"
    address = f"{(directory / DATABASE).resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=_BUSY_S)

"""Looking into a cache's directory and clearing it, by SQL: also while a server uses it.

Rows are read as they are: refused ones are listed too, and nothing in a row is ever executed,
opened or followed. A row that has no key of ours is called ``#`` and its number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from cascade.cache.opening import DATABASE, is_busy
from cascade.cache.rules.entry import Codec, DamagedEntry, Entry
from cascade.cache.safedisk import MODE_RAW, decode_leniently

_BUSY_S: Final = 60
_CHUNK: Final = 1_000  # rows removed in one transaction: a server's writes come in between
_SEPARATOR: Final = "\x1f"
_LATEST: Final = 253_402_300_799  # the last second of the year 9999: no later one can be shown
_ROW: Final = "SELECT rowid, key, raw, store_time, mode, filename, value FROM Cache"


class Stats(msgspec.Struct, frozen=True):
    """``bytes`` on disk, times in unix seconds. Expired entries count until they are removed."""

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
    """Which rows: all criteria that are given must hold. ``stored_before`` is unix time."""

    key: str | None = None
    tag: str | None = None
    model: str | None = None
    rung: str | None = None
    stored_before: float | None = None
    everything: bool = False

    @property
    def condition(self) -> tuple[str, list[Any]]:
        """The selection as SQL and its values. Without any criterion nothing is selected."""
        parts: list[tuple[str, Any]] = []
        if self.key is not None:
            number = _number(self.key)
            own = number is None
            parts.append(("key = ?", self.key) if own else ("rowid = ?", number))
        for kind, value in (("tag", self.tag), ("model", self.model), ("rung", self.rung)):
            if value is not None:
                parts.append(("instr(tag, ?) > 0", _label(kind, value)))
        if self.stored_before is not None:
            parts.append(("store_time < ?", self.stored_before))
        if not parts:
            return ("1" if self.everything else "0"), []
        return " AND ".join(sql for sql, _ in parts), [value for _, value in parts]


def labels(entry: Entry) -> str:
    """What an entry can be selected by, as the text of its row's tag."""
    named = [("model", entry.model), ("rung", entry.rung), *(("tag", tag) for tag in entry.tags)]
    return "".join(_label(kind, value) for kind, value in named)


def stats(directory: Path) -> Stats:
    """Count what is there; an absent cache is an empty one.

    Raises:
        sqlite3.DatabaseError: the file is damaged.
    """
    if not (directory / DATABASE).exists():
        return Stats(0, 0, None, None)
    with closing(_connect(directory)) as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM Cache").fetchone()
        oldest, newest = connection.execute(
            "SELECT MIN(store_time), MAX(store_time) FROM Cache"
            " WHERE typeof(store_time) IN ('real', 'integer') AND store_time BETWEEN 0 AND ?",
            (_LATEST,),
        ).fetchone()
    size = 0
    for path in directory.glob(f"{DATABASE}*"):
        with suppress(FileNotFoundError):  # the log goes when the last process does
            size += path.stat().st_size
    return Stats(count, size, oldest, newest)


def listing(directory: Path, codec: Codec, limit: int | None = None) -> Iterator[Listed]:
    """Every row, the latest first.

    Raises:
        sqlite3.DatabaseError: the file is damaged.
    """
    if not (directory / DATABASE).exists():
        return
    with closing(_connect(directory)) as connection:
        latest = f"{_ROW} ORDER BY store_time DESC LIMIT ?"
        for row in connection.execute(latest, (-1 if limit is None else limit,)):
            yield _listed(codec, row)


def find(directory: Path, codec: Codec, key: str) -> Listed | None:
    """The row whose key is, or begins with, ``key``.

    Raises:
        sqlite3.DatabaseError: the file is damaged.
    """
    if not key or not (directory / DATABASE).exists():
        return None
    condition, values = Selection(key=key).condition
    if condition == "key = ?":
        condition, values = "substr(key, 1, ?) = ?", [len(key), key]
    with closing(_connect(directory)) as connection:
        row = connection.execute(f"{_ROW} WHERE {condition} LIMIT 1", values).fetchone()
    return None if row is None else _listed(codec, row)


def verify(directory: Path, codec: Codec) -> list[str]:
    """The keys of damaged rows; the file's own name where it cannot be read at all.

    Raises:
        sqlite3.OperationalError: another process keeps it locked.
    """
    if not (directory / DATABASE).exists():
        return []
    damaged = []
    try:
        with closing(_connect(directory)) as connection:
            numbers = connection.execute("SELECT rowid FROM Cache").fetchall()
            for (number,) in sorted(numbers):
                name = _damage(connection, codec, number)
                if name is not None:
                    damaged.append(name)
    except sqlite3.DatabaseError as error:
        if is_busy(error):
            raise
        damaged.append(DATABASE)
    return damaged


def delete(directory: Path, selection: Selection) -> int:
    """Remove the selected rows; return how many went.

    Raises:
        sqlite3.DatabaseError: the file is damaged, or another process keeps it locked.
    """
    if not (directory / DATABASE).exists():
        return 0
    condition, values = selection.condition
    # The condition's text is this module's own; all that comes from outside is a bound value.
    some = f"SELECT rowid FROM Cache WHERE {condition}"  # noqa: S608
    statement = f"DELETE FROM Cache WHERE rowid = ? AND {condition}"  # noqa: S608
    gone = 0
    with closing(_connect(directory, write=True)) as connection:
        numbers = [number for (number,) in connection.execute(some, values)]
        for start in range(0, len(numbers), _CHUNK):
            with connection:
                chunk = [(number, *values) for number in numbers[start : start + _CHUNK]]
                gone += connection.executemany(statement, chunk).rowcount
    return gone


def _damage(connection: sqlite3.Connection, codec: Codec, number: int) -> str | None:
    """The name of a row that is damaged; None where it is sound, or gone by now."""
    try:
        row = connection.execute(f"{_ROW} WHERE rowid = ?", (number,)).fetchone()
    except sqlite3.DatabaseError as error:
        if is_busy(error):
            raise
        return f"#{number}"
    if row is None:
        return None
    listed = _listed(codec, row)
    return listed.key if listed.entry is None else None


def _listed(codec: Codec, row: tuple[Any, ...]) -> Listed:
    number, key, raw, stored, mode, filename, value = row
    own = bool(raw) and isinstance(key, str)
    size = len(value) if isinstance(value, bytes) else 0
    entry = None
    if own and mode == MODE_RAW and filename is None and isinstance(value, bytes):
        try:
            entry = codec.decode(key, value)
        except DamagedEntry:
            entry = None
    at = float(stored) if isinstance(stored, int | float) and 0 <= stored <= _LATEST else 0.0
    return Listed(key if own else f"#{number}", size, at, entry)


def _number(key: str) -> int | None:
    """The number of a row that has no key of ours; None where this is a key."""
    number = key.removeprefix("#")
    named = number != key and number.isdecimal() and len(number) < 19  # what SQLite can count to
    return int(number) if named else None


def _label(kind: str, value: str) -> str:
    return f"{_SEPARATOR}{kind}:{value}{_SEPARATOR}"


def _connect(directory: Path, write: bool = False) -> sqlite3.Connection:
    mode = "rw" if write else "ro"
    address = f"{(directory / DATABASE).resolve().as_uri()}?mode={mode}"
    connection = sqlite3.connect(address, uri=True, timeout=_BUSY_S)
    connection.text_factory = decode_leniently
    return connection

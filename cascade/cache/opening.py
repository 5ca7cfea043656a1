"""Opening the cache's directory: private, and never in the way of the program that needs it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from cascade.cache.safedisk import COUNTERS, DEFAULTS, Rows
from cascade.errors import ConfigError

DATABASE: Final = "cache.db"
ASIDE: Final = "damaged.db"
"""Where a database that would not open is kept for whoever wants to look at it: the last one."""

_MARK: Final = "damaged"  # says to the next opening that the database is damaged inside
_WITH_IT: Final = ("-wal", "-shm", "")  # the log first: a new database must not meet an old one
_PROBE: Final = (
    "SELECT rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode,"
    " filename, value FROM Cache LIMIT 0"
)
_UNIQUE: Final = "SELECT name, \"unique\" FROM pragma_index_list('Cache')"

_SETTINGS: Final[dict[str, Any]] = DEFAULTS | {
    "cull_limit": 10,  # 0 lets it grow to six times its limit
    "eviction_policy": "least-recently-stored",  # by recency, every read would be a write
    "sqlite_journal_size_limit": 16_000_000,
    "sqlite_mmap_size": 0,  # a file that is cut while it is mapped kills the process
    "statistics": 0,
    "tag_index": 1,
}
_KNOWN: Final = frozenset(_SETTINGS) | COUNTERS


def open_rows(
    directory: Path, *, size: int, entry_limit: int, timeout: float, alone: bool = True
) -> Rows:
    """Open a directory, or set aside what will not open and begin afresh.

    It can block for as long as another process holds the database: call it off the event loop.

    Args:
        directory: where it lies; made with mode 0700.
        size: bytes that the whole may take.
        entry_limit: bytes of the largest entry.
        timeout: seconds that reading or writing may wait for another process.
        alone: nobody else has it open. What others use is never set aside.

    Raises:
        ConfigError: the directory cannot be used, or another process keeps the database locked.
    """
    try:
        if alone and (directory / _MARK).exists():
            set_aside(directory)
        _make_private(directory)
        try:
            return _open(directory, size, entry_limit, timeout)
        # TypeError and ValueError: what a tampered settings table can make of diskcache.
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            if is_busy(error) or not alone:
                raise
            set_aside(directory)
            _make_private(directory)
            return _open(directory, size, entry_limit, timeout)
    except (OSError, sqlite3.Error, TypeError, ValueError) as error:
        raise unusable(directory, error) from error


def unusable(directory: Path, error: Exception) -> ConfigError:
    """What to tell of a directory that cannot be opened."""
    return ConfigError(
        "the cache's directory",
        str(directory),
        f"it cannot be used: {error}",
        "Choose another by $CASCADE_DATA, or end the process that holds it.",
    )


def is_busy(error: Exception) -> bool:
    """Whether another process held the database: nothing is damaged."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damage(error: Exception) -> bool:
    """Whether the database itself is damaged, which no later attempt will mend."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def mark_damaged(directory: Path) -> None:
    """Let the next opening set the database aside."""
    with suppress(OSError):
        (directory / _MARK).touch(mode=0o600)


def set_aside(directory: Path) -> None:
    """Keep a damaged database under another name, in place of an earlier one."""
    for ending in _WITH_IT:
        (directory / f"{ASIDE}{ending}").unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            (directory / f"{DATABASE}{ending}").replace(directory / f"{ASIDE}{ending}")
    (directory / _MARK).unlink(missing_ok=True)


def _make_private(directory: Path) -> None:
    """Make directory and file for their owner only: SQLite gives its log the file's mode.

    A file that is there is never opened here: to close it again would end all locks that this
    process holds on it, and the next process to leave would clear the log away under this one.

    Raises:
        OSError: they cannot be made, or belong to somebody else.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    with suppress(FileExistsError):
        (directory / DATABASE).touch(mode=0o600, exist_ok=False)
    (directory / DATABASE).chmod(0o600)


def _open(directory: Path, size: int, entry_limit: int, timeout: float) -> Rows:
    _drop_foreign_settings(directory)
    settings = _SETTINGS | {"size_limit": size, "disk_min_file_size": 2 * entry_limit + 1024}
    rows = Rows(directory, timeout, settings)
    try:
        rows._sql(_PROBE).fetchall()
        if ("Cache_key_raw", 1) not in rows._sql(_UNIQUE).fetchall():
            raise sqlite3.DatabaseError("a key may have two rows")
    except BaseException:
        rows.close()
        raise
    return rows


def _drop_foreign_settings(directory: Path) -> None:
    """Remove settings that are not diskcache's: it would make attributes and pragmas of them."""
    with closing(sqlite3.connect(directory / DATABASE, timeout=60)) as connection, connection:
        if not connection.execute("PRAGMA table_info(Settings)").fetchall():
            return
        found = {key for (key,) in connection.execute("SELECT key FROM Settings")}
        foreign = [(key,) for key in found - _KNOWN]
        if foreign:
            connection.executemany("DELETE FROM Settings WHERE key IS ?", foreign)


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code

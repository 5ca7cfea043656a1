"""diskcache without pickle and without files: rows of bytes under keys of text, nothing else.

diskcache unpickles what it reads (CVE-2025-69872) and removes the file that a row names. Here a
row that is not plain inline bytes under a text key is an ``OSError``, which diskcache answers with
a miss, and no file is ever written, read or removed. The other modules of this room know diskcache
through this one: to move to its maintained fork is to change one line.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import diskcache

MODE_RAW: Final = diskcache.core.MODE_RAW
Timeout = diskcache.Timeout
DEFAULTS: Final[dict[str, Any]] = dict(diskcache.DEFAULT_SETTINGS)
COUNTERS: Final = frozenset(diskcache.core.METADATA)

_READ: Final = (
    "SELECT mode, filename, value FROM Cache"
    " WHERE key = ? AND raw = 1 AND (expire_time IS NULL OR expire_time > ?)"
)
_ROUNDS: Final = 100  # of ten rows: a write must not take for ever where a limit was lowered


def decode_leniently(text: bytes) -> str:
    """Decode a database's text, whatever it is.

    Text that is no UTF-8 was put there by others. As an error it would stop every statement that
    meets its row on the way to another one.
    """
    return text.decode("utf-8", "backslashreplace")


class BytesDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """What may be on the disk: text keys, inline bytes."""

    def put(self, key: Any) -> tuple[str, bool]:
        """Return the database's form of a key.

        Raises:
            TypeError: the key is not text.
        """
        if type(key) is not str:
            raise TypeError(f"a cache key is text, not {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: bool) -> str:
        """Return the key of a row.

        Raises:
            OSError: the row has a key of another kind; nothing is unpickled.
        """
        if not raw or type(key) is not str:
            raise OSError("a row with a foreign key")
        return key

    def store(self, value: Any, read: bool, key: Any = None) -> tuple[int, int, None, memoryview]:
        """Return size, mode, file name and value of a row: always inline bytes.

        Raises:
            TypeError: the value is not bytes.
        """
        if type(value) is not bytes or read:
            raise TypeError(f"a cache value is bytes, not {type(value).__name__}")
        return 0, MODE_RAW, None, sqlite3.Binary(value)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> bytes:
        """Return the bytes of a row.

        Raises:
            OSError: it holds anything but inline bytes.
        """
        if mode != MODE_RAW or filename is not None or type(value) is not bytes or read:
            raise OSError("a row that is not inline bytes")
        return value

    def remove(self, file_path: str) -> None:
        """Remove nothing: no row of ours has a file, so a name in one was put there by others."""

    def filename(self, key: Any = None, value: Any = None) -> tuple[str, str]:
        """Never called: no row of ours has a file.

        Raises:
            OSError: always.
        """
        raise OSError("no entry is kept in a file")


class Rows(diskcache.Cache):  # type: ignore[misc]  # diskcache has no types
    """The table of rows, over one connection: it serves one thread at a time, and any.

    diskcache keeps a connection per thread. No other thread can close it, and it begins by reading
    pragmas from the table, which it then tries to set for as long as a minute.

    Args:
        directory: where the database lies.
        timeout: seconds that a statement may wait for another process.
        settings: diskcache's settings, all of them: what the table says of them is replaced.
    """

    _connection: sqlite3.Connection | None = None
    _inherited: sqlite3.Connection | None = None  # kept: a forked process must not even close it
    _process = 0

    def __init__(self, directory: Path, timeout: float, settings: Mapping[str, Any]) -> None:
        self._pragmas = [
            f"PRAGMA {name} = {settings[f'sqlite_{name}']}"
            for name in ("cache_size", "journal_size_limit", "mmap_size", "synchronous")
        ]
        try:
            super().__init__(str(directory), timeout=timeout, disk=BytesDisk, **settings)
        except BaseException:
            self.close()
            raise

    @property
    def _con(self) -> sqlite3.Connection:
        """The connection, opened where it is closed, and anew in a forked process."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._inherited, self._connection = self._connection, None
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            Path(self._directory, diskcache.core.DBNAME),
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for pragma in self._pragmas:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        connection.text_factory = decode_leniently
        return connection

    def read(self, key: str) -> bytes | None:
        """The bytes under a key; None where there are none, or they have expired.

        What diskcache's ``get`` does, without the columns that nobody asks for: a third faster.

        Raises:
            OSError: the row holds anything but inline bytes.
            ValueError: there are two rows.
            sqlite3.Error: the database is damaged, or another process holds it.
        """
        rows = self._con.execute(_READ, (key, time.time())).fetchall()
        if not rows:
            return None
        ((mode, filename, value),) = rows
        return self.disk.fetch(mode, filename, value, read=False)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the connection. The next statement would open another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def volume(self) -> int:
        """Bytes in use: pages without the free ones.

        diskcache counts free pages too. They go back to the disk with the commit only, so that a
        batch which has reached the limit would throw out ten rows for each one that it writes.
        """
        ((pages,),) = self._sql("PRAGMA page_count").fetchall()
        ((free,),) = self._sql("PRAGMA freelist_count").fetchall()
        return int((pages - free) * self._page_size)

    def _cull(self, now: float, sql: Any, cleanup: Any, limit: int | None = None) -> None:
        """Remove expired rows, then the earliest stored ones until the rest fits.

        diskcache removes ten rows for each one it writes: ten short answers make no room for a
        long one, and the file grew to five times its limit.
        """
        for _ in range(_ROUNDS):
            super()._cull(now, sql, cleanup, limit)
            if self.volume() < self.size_limit:
                return

"""diskcache without pickle and without files: rows of bytes under keys of text, nothing else.

diskcache unpickles what it reads (CVE-2025-69872) and removes the file that a row names. Here a
row that is not plain inline bytes under a text key is an ``OSError``, which diskcache answers with
a miss, and no file is ever written, read or removed. The other modules of this room know diskcache
through this one: to move to its maintained fork is to change one line.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import diskcache

MODE_RAW: Final = diskcache.core.MODE_RAW
Timeout = diskcache.Timeout
DEFAULTS: Final[dict[str, Any]] = dict(diskcache.DEFAULT_SETTINGS)
COUNTERS: Final = frozenset(diskcache.core.METADATA)


def decode_leniently(text: bytes) -> str:
    """Decode a database's text, whatever it is."""
    return text.decode("utf-8", "backslashreplace")


class BytesDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """What may be on the disk: text keys, inline bytes. ``refused`` counts other rows met."""

    refused = 0

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
            self.refused += 1
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
            self.refused += 1
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
    """The table of rows, with one connection per thread."""

    def connect(self) -> None:
        """Connect this thread, so that it writes whatever the rows hold.

        Text that is no UTF-8 was put there by others. As an error it would stop every write that
        meets its row on the way to another one; a reader may well stumble over it.
        """
        self._con.text_factory = decode_leniently

    def volume(self) -> int:
        """Bytes in use: pages without the free ones.

        diskcache counts free pages too. They go back to the disk with the commit only, so that a
        batch which has reached the limit would throw out ten rows for each one that it writes.
        """
        ((pages,),) = self._sql("PRAGMA page_count").fetchall()
        ((free,),) = self._sql("PRAGMA freelist_count").fetchall()
        return int((pages - free) * self._page_size)

"""The response cache on disk: read inline, written behind."""

from __future__ import annotations

import atexit
import sqlite3
import time
from pathlib import Path
from typing import Final

from cascade.cache.inspection import Selection, delete, labels
from cascade.cache.opening import is_busy, is_damage, mark_damaged, open_rows
from cascade.cache.rules.entry import Codec, DamagedEntry, Entry
from cascade.cache.safedisk import Timeout
from cascade.cache.secret import load_secret
from cascade.cache.writer import Write, Writer

__all__ = ["ResponseCache", "load_secret"]

READ_TIMEOUT: Final = 0.05
"""Seconds that a read may wait for another process: a request's thread is waiting for it."""

WRITE_TIMEOUT: Final = 60.0
"""Seconds that a batch of writes may wait for another process."""


class ResponseCache:
    """Entries by key. Reading is inline and never raises; what cannot be read is a miss.

    It may be read from any thread. Opening touches the disk: do it off the event loop.

    Args:
        directory: where it lies, for this purpose alone.
        size: bytes that it may take on disk.
        secret: keys the checksums.
        entry_limit: bytes of the largest entry that is kept.

    Attributes:
        damaged: rows and reads that were damaged, since it was opened.
        busy: reads given up because another process held the database.
        unfit: entries that were not kept: too large, or not to be encoded.

    Raises:
        ConfigError: the directory cannot be used.
    """

    def __init__(
        self, directory: Path, *, size: int, secret: bytes, entry_limit: int = 1_000_000
    ) -> None:
        self.directory = directory
        self.damaged = self.busy = self.unfit = 0
        self._codec = Codec(secret)
        self._limit = entry_limit
        self._pending: dict[str, Write] = {}
        self._closed = self._marked = self._told = False
        writing = open_rows(directory, size=size, entry_limit=entry_limit, timeout=WRITE_TIMEOUT)
        self._reader = open_rows(
            directory, size=size, entry_limit=entry_limit, timeout=READ_TIMEOUT
        )
        self._writer = Writer(writing, self._landed, self._failed)
        atexit.register(self.close)

    @property
    def lost(self) -> int:
        """Entries that could not be written."""
        return self._writer.lost

    def get(self, key: str) -> Entry | None:
        """The entry under this key; None where there is none that can be read."""
        pending = self._pending.get(key)
        if pending is not None:
            return pending.entry
        if self._closed:
            return None
        disk = self._reader.disk
        refused = disk.refused
        try:
            data = self._reader.get(key)
        except (sqlite3.Error, Timeout) as error:
            self._unreadable(error)
            return None
        if data is None:
            self.damaged += disk.refused - refused
            return None
        try:
            return self._codec.decode(key, data)
        except DamagedEntry:
            self.damaged += 1
            return None

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry. It is readable here at once, and on the disk a little later."""
        try:
            data = self._codec.encode(key, entry)
        except UnicodeEncodeError:  # half a surrogate pair: no bytes can carry it
            self.unfit += 1
            return
        if len(data) > self._limit:
            self.unfit += 1
            return
        write = Write(key, entry, data, labels(entry), entry.expires_at - time.time())
        self._pending[key] = write
        if not self._writer.put(write):
            self._landed(write)

    def evict(self, selection: Selection) -> int:
        """Remove what is selected, pending writes included; return how many entries went."""
        self.flush()
        return delete(self.directory, selection)

    def flush(self) -> None:
        """Wait until everything put so far is on the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is pending, and close. Afterwards nothing is found and nothing is kept."""
        self._closed = True
        self._writer.close()
        self._reader.close()
        atexit.unregister(self.close)

    def _landed(self, write: Write) -> None:
        # A later write under the same key may be waiting by now: that one stays.
        if self._pending.get(write.key) is write:
            self._pending.pop(write.key, None)

    def _unreadable(self, error: Exception) -> None:
        if is_busy(error):
            self.busy += 1
            return
        self.damaged += 1
        self._mark(error)

    def _failed(self, error: Exception) -> None:
        self._mark(error)
        if not self._told:
            self._told = True  # once: a full disk must not fill the log as well
            _warn(error, self.directory)

    def _mark(self, error: Exception) -> None:
        if is_damage(error) and not self._marked:
            self._marked = True
            mark_damaged(self.directory)


def _warn(error: Exception, directory: Path) -> None:
    import logging

    import structlog

    log = structlog.wrap_logger(logging.getLogger("cascade"))
    log.warning("cache entries are lost", error=str(error), directory=str(directory))

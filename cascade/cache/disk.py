"""The response cache on disk: read inline, written behind."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import diskcache

from cascade.cache.inspection import Selection, delete
from cascade.cache.opening import open_disk
from cascade.cache.rules.entry import OVERHEAD, Codec, DamagedEntry, Entry
from cascade.cache.secret import load_secret
from cascade.cache.writer import Write, Writer

__all__ = ["ResponseCache", "load_secret"]

READ_TIMEOUT = 0.05
"""Seconds that a read may wait for another process: a request's thread is waiting for it."""


class ResponseCache:
    """Entries by key. Reading is inline and never raises; what cannot be read is a miss.

    It may be read from any thread. Opening touches the disk: do it off the event loop.

    Args:
        directory: where it lies, for this purpose alone.
        size: bytes that it may take on disk.
        secret: keys the checksums.
        entry_limit: bytes of the largest entry that is kept.
    """

    def __init__(
        self, directory: Path, *, size: int, secret: bytes, entry_limit: int = 1_000_000
    ) -> None:
        self.directory = directory
        self._codec = Codec(secret)
        self._limit = entry_limit
        self._pending: dict[str, tuple[Entry, Write]] = {}
        writing = open_disk(directory, size=size, entry_limit=entry_limit, timeout=60)
        self._reader = open_disk(
            directory, size=size, entry_limit=entry_limit, timeout=READ_TIMEOUT
        )
        self._writer = Writer(writing, self._written)
        self.damaged = 0
        self.too_large = 0

    @property
    def lost(self) -> int:
        """Entries that could not be written."""
        return self._writer.lost

    def get(self, key: str) -> Entry | None:
        """The entry under this key; None where there is none that can be read."""
        pending = self._pending.get(key)
        if pending is not None:
            return pending[0]
        refused = self._reader.disk.refused
        try:
            data = self._reader.get(key)
        except (sqlite3.Error, diskcache.Timeout):
            self.damaged += 1
            return None
        if data is None:
            self.damaged += self._reader.disk.refused - refused
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
        except UnicodeEncodeError:
            self.too_large += 1  # half a surrogate pair: no bytes can carry it
            return
        if len(data) - OVERHEAD > self._limit:
            self.too_large += 1
            return
        write = Write(key, data, expire=entry.expires_at - time.time())
        self._pending[key] = (entry, write)
        if not self._writer.put(write):
            self._pending.pop(key, None)

    def _written(self, write: Write) -> None:
        pending = self._pending.get(write.key)
        if pending is not None and pending[1] is write:
            self._pending.pop(write.key, None)

    def evict(self, selection: Selection) -> int:
        """Remove what is selected, pending writes included; return how many entries went."""
        self.flush()
        return delete(self.directory, self._codec, selection)

    def flush(self) -> None:
        """Wait until everything put so far is on the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is pending, and close."""
        self._writer.close()
        self._reader.close()

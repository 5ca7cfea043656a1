"""The response cache on disk: read inline, written behind."""

from __future__ import annotations

import atexit
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cascade.cache.directory_lock import DirectoryLock
from cascade.cache.inspection import Selection, delete, labels
from cascade.cache.leases import Leases
from cascade.cache.opening import is_busy, is_damage, mark_damaged, open_rows, unusable
from cascade.cache.rules.entry import Codec, DamagedEntry, Entry
from cascade.cache.safedisk import Rows
from cascade.cache.secret import load_secret
from cascade.cache.writer import Write, Writer
from cascade.log import logger

__all__ = ["ResponseCache", "load_secret"]

READ_TIMEOUT: Final = 0.05
"""Seconds that a read may wait for another process: a request's thread is waiting for it."""

WRITE_TIMEOUT: Final = 60.0
"""Seconds that a batch of writes may wait for another process."""

_TURN: Final = 0.25  # seconds of one try to write: between two of them, closing is heard


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
        leases: say which of the processes that have it open calls for a key.

    Raises:
        ConfigError: the directory cannot be used.
    """

    def __init__(
        self, directory: Path, *, size: int, secret: bytes, entry_limit: int = 1_000_000
    ) -> None:
        self.directory = directory
        self.damaged = self.busy = self.unfit = 0
        self._counting = threading.Lock()  # readers are on many threads
        self._codec = Codec(secret)
        self._limit = entry_limit
        self._pending: dict[str, Write] = {}
        self._landing = threading.Lock()  # between the writer and those who ask to hear of it
        self._hearers: dict[str, list[Callable[[], None]]] = {}
        self._closed = self._marked = self._told = False
        self._reading = threading.Lock()  # one thread at a time on the reader's connection
        writing, self._reader = self._open(size)
        self._writer = Writer(writing, WRITE_TIMEOUT, self._landed, self._failed)
        self.leases = Leases(directory)
        atexit.register(self.close)

    def _open(self, size: int) -> tuple[Rows, Rows]:
        """Open it for the writer and for the readers."""
        try:
            self._lock = DirectoryLock(self.directory)
        except OSError as error:
            raise unusable(self.directory, error) from error
        opened: list[Rows] = []
        try:
            for timeout in (min(_TURN, WRITE_TIMEOUT), READ_TIMEOUT):
                alone = self._lock.alone and not opened
                opened.append(
                    open_rows(
                        self.directory,
                        size=size,
                        entry_limit=self._limit,
                        timeout=timeout,
                        alone=alone,
                    )
                )
        except BaseException:
            for rows in opened:
                rows.close()
            self._lock.leave()
            raise
        self._lock.share()
        writing, reader = opened
        return writing, reader

    @property
    def lost(self) -> int:
        """Entries that could not be written."""
        return self._writer.lost

    @property
    def troubles(self) -> dict[str, int]:
        """All that is counted here, by name, for whoever looks after it."""
        return {name: getattr(self, name) for name in ("damaged", "busy", "unfit", "lost")}

    def get(self, key: str) -> Entry | None:
        """The entry under this key; None where there is none that can be read."""
        pending = self._pending.get(key)
        if pending is not None:
            return pending.entry
        try:
            with self._reading:
                data = None if self._closed else self._reader.read(key)
            return None if data is None else self._codec.decode(key, data)
        # OSError: a row that is not ours. ValueError: two rows under one key.
        except (DamagedEntry, OSError, sqlite3.Error, ValueError) as error:
            self._unreadable(error)
            return None

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry. It is readable here at once, and on the disk a little later."""
        try:
            data = self._codec.encode(key, entry)
        # Half a surrogate pair, or a provider's number beyond 64 bits: no bytes can carry them.
        except (UnicodeEncodeError, OverflowError):
            self._count("unfit")
            return
        if len(data) > self._limit:
            self._count("unfit")
            return
        write = Write(key, entry, data, labels(entry), entry.expires_at - time.time())
        self._pending[key] = write
        if not self._writer.put(write):
            self._landed(write)

    def when_written(self, key: str, hear: Callable[[], None]) -> None:
        """Call ``hear`` once nothing waits to be written under a key: all is on the disk, or lost.

        That is at once, or later on the writer's thread. ``hear`` must not raise.
        """
        with self._landing:
            if key in self._pending:
                self._hearers.setdefault(key, []).append(hear)
                return
        hear()

    def evict(self, selection: Selection) -> int:
        """Remove what is selected, pending writes included; return how many entries went.

        Raises:
            sqlite3.DatabaseError: the database is damaged, or another process keeps it locked.
        """
        self.flush()
        return delete(self.directory, selection)

    def flush(self) -> None:
        """Wait until everything put so far is on the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is pending, and close. Afterwards nothing is found and nothing is kept."""
        self._writer.close()
        with self._reading:
            self._closed = True
            self._reader.close()
        self.leases.leave()
        self._lock.leave()
        atexit.unregister(self.close)

    def _landed(self, write: Write) -> None:
        with self._landing:
            # A later write under the same key may be waiting by now: that one stays.
            if self._pending.get(write.key) is not write:
                return
            del self._pending[write.key]
            hearers = self._hearers.pop(write.key, ())
        for hear in hearers:
            hear()

    def _unreadable(self, error: Exception) -> None:
        if is_busy(error):
            self._count("busy")
            return
        self._count("damaged")
        self._mark(error)

    def _count(self, name: str) -> None:
        with self._counting:
            setattr(self, name, getattr(self, name) + 1)

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
    why = str(error) or "another process keeps the database locked"
    logger("cache").warning("cache entries are lost", error=why, directory=str(directory))

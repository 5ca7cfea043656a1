"""Writing behind: one thread, in batches, so that no request waits for the disk."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable

import diskcache
import msgspec

BATCH = 256
LONGEST_QUEUE = 10_000


class Write(msgspec.Struct, frozen=True):
    """One entry to be written: its bytes, and how many seconds it lives."""

    key: str
    data: bytes
    expire: float


class Writer:
    """The thread that writes. What it cannot write is lost and counted, never raised.

    Args:
        disk: where it writes; used by this thread only.
        written: hears of every write that is on the disk, or lost.
    """

    def __init__(self, disk: diskcache.Cache, written: Callable[[Write], None]) -> None:
        self._disk, self._written = disk, written
        self._queue: deque[Write] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self._closed = False
        self.lost = 0
        self._thread = threading.Thread(target=self._work, name="cascade-cache", daemon=True)
        self._thread.start()

    def put(self, write: Write) -> bool:
        """Queue a write; False where the queue is full or closed, and the entry is lost."""
        with self._changed:
            if self._closed or len(self._queue) >= LONGEST_QUEUE:
                self.lost += 1
                return False
            self._queue.append(write)
            self._changed.notify_all()
            return True

    def flush(self) -> None:
        """Wait until everything queued so far is on the disk."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue and not self._busy)

    def close(self) -> None:
        """Write what is queued, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    break
                batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                self._busy = True
            self._write(batch)
            with self._changed:
                self._busy = False
                self._changed.notify_all()
        self._disk.close()

    def _write(self, batch: list[Write]) -> None:
        try:
            with self._disk.transact(retry=True):
                for write in batch:
                    self._disk.set(write.key, write.data, expire=write.expire)
        except (sqlite3.Error, OSError, diskcache.Timeout) as error:
            self.lost += len(batch)
            _log(error, len(batch))
        for write in batch:
            self._written(write)


def _log(error: Exception, entries: int) -> None:
    """Say it once a batch: a full disk must not fill the log as well."""
    import logging

    import structlog

    log = structlog.wrap_logger(logging.getLogger("cascade"))
    log.warning("the cache could not be written", error=str(error), entries=entries)

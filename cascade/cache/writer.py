"""Writing behind: one thread, in batches, so that no request waits for the disk."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from cascade.cache.opening import is_busy
from cascade.cache.rules.entry import Entry
from cascade.cache.safedisk import Rows, Timeout

BATCH: Final = 256
BATCH_BYTES: Final = 4_000_000
"""A batch is one transaction: it ends with the entry that reaches either."""

QUEUE: Final = 10_000
QUEUE_BYTES: Final = 64_000_000
"""What may wait to be written. Beyond it, entries are lost rather than memory."""

LINGER: Final = 0.02
"""Seconds that a first entry waits for company: alone it costs three times as much to write."""

CLOSING: Final = 5.0
"""Seconds that closing waits for another process which holds the database."""


class Write(msgspec.Struct, frozen=True):
    """An entry to be written, its bytes and its labels. ``lives`` is seconds from now."""

    key: str
    entry: Entry
    data: bytes
    labels: str
    lives: float


class Writer:
    """The thread that writes. What it cannot write is lost and counted, never raised.

    Args:
        rows: where it writes.
        patience: seconds that a batch waits for another process.
        landed: hears of every entry that is on the disk, or lost. Called on the thread.
        failed: hears why a batch was lost. Called on the thread.
    """

    def __init__(
        self,
        rows: Rows,
        patience: float,
        landed: Callable[[Write], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self.lost = 0
        self._rows, self._patience = rows, patience
        self._landed, self._failed = landed, failed
        self._queue: deque[Write] = deque()
        self._bytes = 0
        self._taken_in = self._done = 0
        self._hurries = 0  # how many are waiting for a flush
        self._closed = False
        self._end = math.inf  # when to wait for another process no longer
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="cascade-cache", daemon=True)
        self._thread.start()

    def put(self, write: Write) -> bool:
        """Queue an entry; False where the queue is full or closed, and the entry is lost."""
        with self._changed:
            full = len(self._queue) >= QUEUE or self._bytes + len(write.data) > QUEUE_BYTES
            if self._closed or full:
                self.lost += 1
                return False
            self._queue.append(write)
            self._bytes += len(write.data)
            self._taken_in += 1
            if len(self._queue) in (1, BATCH):  # else the thread is awake, or should not be
                self._changed.notify_all()
            return True

    def flush(self) -> None:
        """Wait until everything queued so far is on the disk, or lost."""
        with self._changed:
            last = self._taken_in
            self._hurries += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._done >= last)
            self._hurries -= 1

    def close(self) -> None:
        """Write what is queued, and end the thread. It can be repeated."""
        with self._changed:
            self._closed = True
            self._end = min(self._end, time.monotonic() + CLOSING)
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next_batch():
            self._write(batch)
            with self._changed:
                self._done += len(batch)
                self._changed.notify_all()
        self._rows.close()

    def _next_batch(self) -> list[Write]:
        """Wait for entries and take some; none once it is closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            self._changed.wait_for(self._is_time, timeout=LINGER)
            batch: list[Write] = []
            size = 0
            while self._queue and len(batch) < BATCH and size < BATCH_BYTES:
                batch.append(self._queue.popleft())
                size += len(batch[-1].data)
            self._bytes -= size
            return batch

    def _is_time(self) -> bool:
        return bool(self._hurries) or self._closed or len(self._queue) >= BATCH

    def _write(self, batch: list[Write]) -> None:
        try:
            self._store(batch)
        except Exception as error:  # noqa: BLE001 - an ended thread would lose all later ones too
            with self._changed:
                self.lost += len(batch)
            with suppress(Exception):  # a log that fails must not end it either
                self._failed(error)
        for write in batch:
            self._landed(write)

    def _store(self, batch: list[Write]) -> None:
        """Write a batch, in as many tries as its patience allows."""
        end = time.monotonic() + self._patience
        while True:
            try:
                with self._rows.transact():
                    for write in batch:
                        self._rows.set(write.key, write.data, expire=write.lives, tag=write.labels)
                return
            except Timeout as error:  # diskcache says so of all that keeps it from beginning
                cause = error.__context__
                if isinstance(cause, Exception) and not is_busy(cause):
                    raise cause from None
                if time.monotonic() >= min(end, self._end):
                    raise

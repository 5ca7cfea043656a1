"""Saving behind the calls: some seconds after a change, on one thread that lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Saver:
    """Saves what changes, once for many changes.

    Its thread begins with the first change and lasts until ``close``. Where none can start, each
    change tries again, and ``close`` saves in any case.

    Args:
        save: called on the thread and by ``close``, never twice at once. It says whether it could
            save, and raises nothing; what it could not is tried again with the next change.
        every: seconds between two calls of it: a crash forgets no more than these.
    """

    def __init__(self, save: Callable[[], bool], every: float) -> None:
        self._save, self._every = save, every
        self._unsaved = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def changed(self) -> None:
        """Something has changed. It waits for nothing and raises nothing; for one thread only."""
        self._unsaved = True
        if not self._wake.is_set():
            self._wake.set()
        if self._thread is None and not self._closing.is_set():
            self._begin()

    def close(self) -> None:
        """End the thread, and save what is not saved yet. It waits for the disk, and can be
        repeated."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._flush()

    def _begin(self) -> None:
        thread = threading.Thread(target=self._work, name="cascade-endpoints", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there are too many threads: no answer may be lost to that
            return
        self._thread = thread

    def _work(self) -> None:
        while True:
            self._wake.wait()
            if self._closing.wait(self._every):
                return
            self._wake.clear()  # first: a change from here on is for the next round
            self._flush()

    def _flush(self) -> None:
        if self._unsaved:
            self._unsaved = False  # first, for the same reason
            if not self._save():
                self._unsaved = True

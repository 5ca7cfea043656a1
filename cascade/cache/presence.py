"""Who has a cache open: every process keeps a file there, locked for as long as it lives."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

ENDING: Final = ".here"

SETTLED_NS: Final = 2_000_000_000
"""A directory's time is as coarse as this on some file systems: until it is older, somebody may
have come without changing it."""

AGAIN: Final = 1.0
"""Seconds until it is asked again whether those who were there still live."""


class Presence:
    """This process among those that have a directory open; two objects of one process count as two.

    The kernel frees the lock however a process ends, so a file that is free is a dead one's. Where
    there are no such locks (Windows, some file systems), everybody is alone.

    Opening may wait for a moment: do it off the event loop.

    Args:
        directory: where the files lie, made if its parent is there.

    Attributes:
        name: this process's, random.
    """

    def __init__(self, directory: Path) -> None:
        self.name = os.urandom(8).hex()
        self._path = directory
        self._process = os.getpid()
        self._own: int | None = None
        self._directory: int | None = None
        self._alone_at = -1  # the directory's time when nobody else was there
        self._others_until = 0.0  # until when it goes without asking that somebody is
        if sys.platform == "win32":
            return
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            self._directory = os.open(directory, os.O_RDONLY)
            self._own = _locked(self._file(self.name))
        except OSError:
            self.leave()

    def alone(self) -> bool:
        """Whether nobody else has it open. Where that is so, it costs one system call."""
        if self._directory is None:
            return True
        try:
            changed = os.fstat(self._directory).st_mtime_ns
            return changed == self._alone_at or not self._others(self._directory, changed)
        except OSError:
            return True

    def _others(self, directory: int, changed: int) -> bool:
        now = time.monotonic()
        if now < self._others_until:
            return True
        files = [name for name in os.listdir(directory) if name.endswith(ENDING)]
        names = {name.removesuffix(ENDING) for name in files} - {self.name}
        if any(self.lives(name) for name in names):
            self._others_until = now + AGAIN
            return True
        if time.time_ns() - changed > SETTLED_NS:
            self._alone_at = changed
        return False

    def lives(self, name: str) -> bool:
        """Whether the process of this name is there; where it cannot be told, it is. A dead one's
        file is removed."""
        if name == self.name:
            return self._own is not None
        if sys.platform == "win32" or not name.isalnum():  # what is no name must lead to no file
            return False
        path = self._file(name)
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError as error:
            return not isinstance(error, FileNotFoundError)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            path.unlink()  # before it is closed: one that is being opened waits, and sees it gone
        except OSError as error:
            return not isinstance(error, FileNotFoundError)
        finally:
            os.close(descriptor)
        return False

    @contextmanager
    def exclusively(self) -> Iterator[bool]:
        """Be the only process that is in such a block; False, at once, where another one is."""
        directory = self._directory
        if sys.platform == "win32" or directory is None:
            yield False
            return
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            with suppress(OSError):
                fcntl.flock(directory, fcntl.LOCK_UN)

    @property
    def inherited(self) -> bool:
        """Whether this is a forked process, which must not speak for its parent."""
        return os.getpid() != self._process

    def leave(self) -> None:
        """Be there no more. It can be repeated."""
        own, self._own = self._own, None
        directory, self._directory = self._directory, None
        if own is not None:
            if not self.inherited:
                with suppress(OSError):
                    self._file(self.name).unlink()
            os.close(own)
        if directory is not None:
            os.close(directory)

    def _file(self, name: str) -> Path:
        return self._path / f"{name}{ENDING}"


def _locked(path: Path) -> int:
    """Make a file and lock it. Whoever looks between the two takes it for a dead one's and removes
    it: then it is made again.

    Raises:
        OSError: it cannot be made, or there are no such locks.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
        except BaseException:
            path.unlink(missing_ok=True)
            os.close(descriptor)
            raise
        os.close(descriptor)

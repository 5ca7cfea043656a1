"""Who has a cache's directory open: what one process uses, no other may set aside.

Renaming a database under a process that uses it would damage the new one: SQLite finds its log by
name.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class DirectoryLock:
    """A lock on the directory itself: held alone while it is opened, then shared with others.

    It ends with the process, however that ends. Where there are no such locks, everybody is alone:
    Windows does not let a file be renamed while it is open.

    Attributes:
        alone: nobody else has the directory open.

    Raises:
        OSError: the directory cannot be made or opened.
    """

    def __init__(self, directory: Path) -> None:
        self.alone = True
        self._descriptor: int | None = None
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sys.platform == "win32":
            return
        self._descriptor = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.alone = False
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)  # once whoever opens it has done so
        except OSError:
            self.leave()  # a file system without locks

    def share(self) -> None:
        """Let others in."""
        if sys.platform != "win32" and self._descriptor is not None:
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def leave(self) -> None:
        """Give the lock back. It can be repeated."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

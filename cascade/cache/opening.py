"""Opening the cache's directory: private, and never in the way of the program that needs it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import diskcache

from cascade.cache.safedisk import BytesDisk

DATABASE = "cache.db"


def open_disk(directory: Path, *, size: int, entry_limit: int, timeout: float) -> diskcache.Cache:
    """Open a directory, or set aside what will not open and begin afresh.

    Args:
        directory: where it lies; made with mode 0700.
        size: bytes that the whole may take.
        entry_limit: bytes of the largest entry.
        timeout: seconds to wait for another process's write.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    try:
        return _open(directory, size, entry_limit, timeout)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            raise
        _set_aside(directory)
        return _open(directory, size, entry_limit, timeout)


def _open(directory: Path, size: int, entry_limit: int, timeout: float) -> diskcache.Cache:
    cache = diskcache.Cache(
        str(directory),
        timeout=timeout,
        disk=BytesDisk,
        disk_min_file_size=2 * entry_limit,
        size_limit=size,
        cull_limit=10,  # 0 lets it grow to six times its limit
        statistics=0,
        eviction_policy="least-recently-stored",  # a recency list makes every read a write
    )
    for path in directory.glob(f"{DATABASE}*"):
        path.chmod(0o600)
    return cache


def _set_aside(directory: Path) -> None:
    """Keep what is damaged, under a name of its own, for whoever wants to look at it."""
    mark = f"damaged-{int(time.time())}"
    for path in list(directory.glob(f"{DATABASE}*")):
        path.rename(path.with_name(f"{mark}-{path.name}"))

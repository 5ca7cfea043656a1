"""The file that keeps what is known of endpoints. All who use a data directory share it, whatever
their configuration: each writes what it knows and leaves the rest as it is."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec.structs import replace

from cascade.policy.health import CLEAN, Standing
from cascade.policy.quantiles import UNKNOWN, Habits

if sys.platform != "win32":
    import fcntl

LIFETIME: Final = 30 * 86_400.0
"""Seconds after which an endpoint that nobody has called is forgotten."""

MOST: Final = 2_000
"""Endpoints that the file holds, those that were called last."""

LARGEST: Final = 16_000_000
"""Bytes of a file that is read: ``MOST`` endpoints fill fewer."""

PATIENCE: Final = 1.0
"""Seconds that one who saves waits for another one that does. They take milliseconds."""


class Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of the endpoint of this name at this address: at another one it is another.
    ``at`` is when its last news came, in Unix seconds."""

    name: str
    address: str = ""
    at: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    standing: Standing = CLEAN
    habits: Habits = UNKNOWN

    @property
    def key(self) -> tuple[str, str]:
        """What makes it this endpoint."""
        return self.name, self.address


class Stored(msgspec.Struct, frozen=True):
    """The file. Another ``format`` than ours is foreign."""

    format: Literal["cascade endpoints 2"]
    endpoints: tuple[Known, ...]


_decoder = msgspec.json.Decoder(Stored)


def read(path: Path) -> tuple[Known, ...]:
    """Read the file.

    Raises:
        OSError: it cannot be read; FileNotFoundError where there is none.
        ValueError: it is damaged, or not ours.
    """
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST:,} bytes")
    try:
        return _decoder.decode(data).endpoints
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def save(path: Path, ours: Iterable[Known], now: float) -> None:
    """Merge these into the file, whole or not at all, for this user only. A file that is damaged
    or not ours is replaced.

    Raises:
        OSError: it cannot be read or written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _one_at_a_time(path.parent):
        try:
            stored = read(path)
        except (FileNotFoundError, ValueError):
            stored = ()
        _write(path, Stored("cascade endpoints 2", merged(stored, ours, now)))


def merged(stored: Iterable[Known], ours: Iterable[Known], now: float) -> tuple[Known, ...]:
    """Of each endpoint the later news, ours where they are equally late. Those without news for
    too long are left out, and the oldest beyond what the file holds.

    A time that is still to come shows that a clock was set; it counts as now.
    """
    latest: dict[tuple[str, str], Known] = {}
    for known in (*stored, *ours):
        at = min(known.at, now)
        other = latest.get(known.key)
        if other is None or other.at <= at:
            latest[known.key] = known if at == known.at else replace(known, at=at)
    fresh = [known for known in latest.values() if now - known.at < LIFETIME]
    return tuple(sorted(fresh, key=lambda known: known.at, reverse=True)[:MOST])


def _write(path: Path, stored: Stored) -> None:
    data = msgspec.json.encode(stored)
    descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(aside).replace(path)
    except OSError:
        Path(aside).unlink(missing_ok=True)
        raise


@contextmanager
def _one_at_a_time(directory: Path) -> Iterator[None]:
    """Keep other processes from saving between our reading and our writing. Where there are no
    locks, or one that has it stands still, what one of two writes at once is lost."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)  # which frees the lock


def _lock(descriptor: int) -> None:
    until = time.monotonic() + PATIENCE
    while sys.platform != "win32" and time.monotonic() < until:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:  # there are no such locks here
            return
        else:
            return

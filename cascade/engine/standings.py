"""The keeper of what this process knows of its endpoints: their standings, habits and calls."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from cascade.log import logger
from cascade.policy import health, quantiles
from cascade.policy.health import CLEAN, Standing
from cascade.policy.quantiles import UNKNOWN, Habits
from cascade.types import Kind, RateLimits

PATIENCE: Final = 30.0
"""Seconds that a probe has, unless its call has a clock of its own, before another may go."""

EVERY: Final = 5.0
"""Seconds between two writes: a crash forgets no more than these."""

LARGEST: Final = 16_000_000
"""Bytes of a file that is read: 500 times what a large configuration fills."""


class Ending(msgspec.Struct, frozen=True, gc=False):
    """How a call ended, as far as that tells of its endpoint.

    ``kind`` is why it failed, None where it did not, and ``retry_after`` the seconds that the
    endpoint asked to wait. ``blameless``: it ended for a reason that is not the endpoint's: it
    was cancelled, our own connection pool was exhausted, or the caller's deadline cut it short.
    ``watched``: it was sent, and as a stream, so that a first token would have been seen;
    ``first_token_s`` is None where none was. ``latency_s`` is the seconds in all,
    ``output_tokens`` is of a whole answer, None where a limit of ours cut it.
    """

    kind: Kind | None = None
    retry_after: float | None = None
    blameless: bool = False
    limits: RateLimits | None = None
    watched: bool = False
    first_token_s: float | None = None
    latency_s: float | None = None
    output_tokens: int | None = None


class Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one endpoint, as it is stored. ``address`` is where it was then: at another
    one it is another endpoint."""

    address: str = ""
    standing: Standing = CLEAN
    habits: Habits = UNKNOWN


class Stored(msgspec.Struct, frozen=True):
    """The file. Another ``format`` than ours is foreign."""

    format: Literal["cascade endpoints 1"]
    endpoints: dict[str, Known]


_decoder = msgspec.json.Decoder(Stored)


class Standings:
    """Of each endpoint, by name: its standing, its habits, its calls under way.

    It serves one event loop; only the writing happens elsewhere. A name that it has not heard of
    is clean. The mappings are live, and may lack names.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._standings: dict[str, Standing] = {}
        self._habits: dict[str, Habits] = {}
        self._pending: dict[str, int] = {}
        self.standings: Mapping[str, Standing] = MappingProxyType(self._standings)
        self.habits: Mapping[str, Habits] = MappingProxyType(self._habits)
        self.pending: Mapping[str, int] = MappingProxyType(self._pending)
        self._addresses: dict[str, str] = {}
        self._path: Path | None = None
        self._timer: threading.Timer | None = None
        self._unsaved = False
        self._writing = threading.Lock()

    # --- calls ---

    def now(self) -> float:
        """Unix seconds, on the clock of the standings."""
        return self._clock()

    def is_admitted(self, name: str) -> bool:
        """Whether a call may begin now."""
        standing = self._standings.get(name)
        return standing is None or health.is_admitted(standing, self._clock())

    def begins(self, name: str, patience: float | None = None) -> float:
        """A call begins. Return when, in Unix seconds: ``ended`` wants to know it.

        ``patience`` is how many seconds the call may take; on trial, another may follow then.
        """
        now = self._clock()
        self._pending[name] = self._pending.get(name, 0) + 1
        standing = self._standings.get(name)
        if standing is not None:
            patience = PATIENCE if patience is None else patience
            self._standings[name] = health.probed(standing, now, patience)
        return now

    def ended(self, name: str, since: float, ending: Ending) -> None:
        """A call has ended that began at ``since``, which ``begins`` returned."""
        now = self._clock()
        self._pending[name] = max(0, self._pending.get(name, 0) - 1)
        standing = self._standings.get(name, CLEAN)
        self._standings[name] = _judged(standing, ending, since, now)
        self._habits[name] = _learned(self._habits.get(name, UNKNOWN), ending)
        self._unsaved = True
        if self._path is not None and self._timer is None:
            self._save_later()

    # --- the file ---

    def load(self, path: Path, addresses: Mapping[str, str]) -> None:
        """Take over what was saved of these endpoints, by name and address. A file that is damaged
        or not ours is ignored, and the log says so."""
        self._addresses = dict(addresses)
        try:
            stored = _read(path)
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:
            logger("engine").warning(
                "what was known of the endpoints is lost", file=str(path), why=str(error)
            )
            return
        now = self._clock()
        for name, address in addresses.items():
            known = stored.endpoints.get(name)
            if known is not None and known.address == address:
                self._standings[name] = health.resumed(known.standing, now)
                self._habits[name] = known.habits

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all, for this user only.

        Raises:
            OSError: it cannot be written.
        """
        standings, habits = self._standings.copy(), self._habits.copy()
        endpoints = {
            name: Known(self._addresses.get(name, ""), standing, habits.get(name, UNKNOWN))
            for name, standing in standings.items()
        }
        data = msgspec.json.encode(Stored("cascade endpoints 1", endpoints))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(aside).replace(path)
        except OSError:
            Path(aside).unlink(missing_ok=True)
            raise

    def keep_in(self, path: Path) -> None:
        """From now on save there: some seconds after a change, on a thread, and at ``close``."""
        self._path = path

    def close(self) -> None:
        """Save what is not saved yet. It waits for the disk; it can be repeated."""
        with self._writing:
            timer, path = self._timer, self._path
            self._timer = self._path = None
        if timer is not None:
            timer.cancel()
            timer.join()
        if path is not None:
            self._write(path)

    def _save_later(self) -> None:
        self._timer = threading.Timer(EVERY, self._save_behind)
        self._timer.name, self._timer.daemon = "cascade-endpoints", True
        self._timer.start()

    def _save_behind(self) -> None:
        with self._writing:
            path = self._path
            if path is None:  # closed meanwhile: the closing writes
                return
            self._write(path)
            self._timer = None

    def _write(self, path: Path) -> None:
        if not self._unsaved:
            return
        self._unsaved = False
        try:
            self.save(path)
        except OSError as error:
            logger("engine").warning(
                "what is known of the endpoints cannot be kept", file=str(path), why=str(error)
            )


def _judged(standing: Standing, ending: Ending, since: float, now: float) -> Standing:
    if ending.limits is not None:
        standing = health.with_limits(standing, ending.limits, now)
    if ending.blameless:
        return health.after_cancel(standing, since=since)
    if ending.kind is None:
        return health.after_success(standing, since=since, now=now)
    return health.after_failure(standing, ending.kind, ending.retry_after, since=since, now=now)


def _learned(habits: Habits, ending: Ending) -> Habits:
    if ending.first_token_s is not None:
        habits = quantiles.spoke(habits, ending.first_token_s)
    elif ending.watched and ending.latency_s is not None:
        late = ending.kind is Kind.TIMED_OUT and not ending.blameless
        habits = quantiles.waited_in_vain(habits, ending.latency_s, certain=late)
    if ending.kind is None and not ending.blameless and ending.latency_s is not None:
        habits = quantiles.answered(habits, ending.latency_s, ending.output_tokens)
    return habits


def _read(path: Path) -> Stored:
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST:,} bytes")
    return _decoder.decode(data)

"""The keeper of what this process knows of its endpoints: their standings, habits and calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from cascade.engine import keeping
from cascade.engine.keeping import Known
from cascade.engine.saving import Saver
from cascade.log import logger
from cascade.policy import health, quantiles
from cascade.policy.health import CLEAN, Standing
from cascade.policy.quantiles import UNKNOWN, Habits
from cascade.types import Kind, RateLimits

PATIENCE: Final = 30.0
"""Seconds that a probe has, unless its call has a clock of its own, before another may go."""

EVERY: Final = 5.0
"""Seconds between two writes: a crash forgets no more than these."""


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
    watched: bool = False
    first_token_s: float | None = None
    latency_s: float | None = None
    output_tokens: int | None = None


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
        self._heard: dict[str, float] = {}  # when the last news came, by name
        self._addresses: dict[str, str] = {}
        self._saver: Saver | None = None

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

    def told(self, name: str, limits: RateLimits) -> None:
        """The head of an answer has come, and tells what is left of the endpoint's allowances.

        It is for now: at the end of a long stream it would be old, and newer news be lost to it.
        """
        now = self._clock()
        self._standings[name] = health.with_limits(self._standings.get(name, CLEAN), limits, now)
        self._changed(name, now)

    def speaks(self, name: str, since: float) -> None:
        """The call that began at ``since`` has shown the first piece of its answer. If it is the
        probe, its endpoint opens. ``ended`` follows all the same, and is heard."""
        standing = self._standings.get(name)
        if standing is None or standing.probe_since is None:  # as nearly always
            return
        now = self._clock()
        opened = health.after_first_piece(standing, since=since, now=now)
        if opened is not standing:
            self._standings[name] = opened
            self._changed(name, now)

    def ended(self, name: str, since: float, ending: Ending) -> None:
        """A call has ended that began at ``since``, which ``begins`` returned. Keeping that never
        fails: a call's answer must not be lost to it."""
        now = self._clock()
        self._pending[name] = max(0, self._pending.get(name, 0) - 1)
        standing = self._standings.get(name, CLEAN)
        judged = self._standings[name] = _judged(standing, ending, since, now)
        _log_change(name, standing, judged, now)
        self._habits[name] = _learned(self._habits.get(name, UNKNOWN), ending)
        self._changed(name, now)

    def _changed(self, name: str, now: float) -> None:
        self._heard[name] = now
        if self._saver is not None:
            self._saver.changed()

    # --- the file ---

    def load(self, path: Path, addresses: Mapping[str, str]) -> None:
        """Take over what was saved of these endpoints, by name and address. A file that is damaged
        or not ours is ignored, and the log says so."""
        self._addresses = dict(addresses)
        try:
            stored = keeping.read(path)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            logger("engine").warning(
                "what was known of the endpoints is lost", file=str(path), why=str(error)
            )
            return
        now = self._clock()
        for known in stored:
            if addresses.get(known.name) == known.address:
                self._standings[known.name] = health.resumed(known.standing, now)
                self._habits[known.name] = known.habits
                self._heard[known.name] = known.at

    def save(self, path: Path) -> None:
        """Merge what is known into the file, whole or not at all, for this user only.

        Raises:
            OSError: it cannot be read or written.
        """
        known = [
            Known(
                name,
                self._addresses.get(name, ""),
                heard,
                self._standings.get(name, CLEAN),
                self._habits.get(name, UNKNOWN),
            )
            for name, heard in self._heard.copy().items()  # calls end meanwhile
        ]
        keeping.save(path, known, self._clock())

    def keep_in(self, path: Path) -> None:
        """From now on save there: some seconds after a change, on a thread, and at ``close``."""
        self._saver = Saver(lambda: self._saved(path), EVERY)

    def close(self) -> None:
        """Save what is not saved yet. It waits for the disk; it can be repeated."""
        saver, self._saver = self._saver, None
        if saver is not None:
            saver.close()

    def _saved(self, path: Path) -> bool:
        try:
            self.save(path)
        except OSError as error:
            logger("engine").warning(
                "what is known of the endpoints cannot be kept", file=str(path), why=str(error)
            )
            return False
        return True


def _log_change(name: str, before: Standing, after: Standing, now: float) -> None:
    """Whoever runs this hears when an endpoint is left alone, and when it is taken back."""
    if before.closed_until is None and after.closed_until is not None:
        logger("engine").warning(
            "an endpoint is closed", endpoint=name, why=health.why_closed(after, now)
        )
    elif before.closed_until is not None and after.closed_until is None:
        logger("engine").info("an endpoint is open again", endpoint=name)


def _judged(standing: Standing, ending: Ending, since: float, now: float) -> Standing:
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

"""Leases: of the processes that share a cache, one at a time makes the calls for a key.

In the cache's ``flights/`` a lease is a symbolic link, ``KEY.lease``, that points nowhere: its text
says who leads, since when and until when. A link is made whole or not at all, and of many who make
it at once one succeeds. It costs no open file. It is worth what its owner's lock is worth
(presence.py): when that process dies, or the time is up, the next one takes its place.

A lease keeps calls from being made twice; it never keeps one from being made: whoever has waited
for half of its time calls without one (engine/leasing.py). Where there can be none (Windows, a file
system without locks or links), everybody calls for himself.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from cascade.cache.presence import Presence

DIRECTORY: Final = "flights"
ENDING: Final = ".lease"

GRACE: Final = 0.25
"""Seconds after its time in which a leader may still give its lease back: one whose request has
come to its deadline is about to."""


class Terms(msgspec.Struct, frozen=True):
    """Who leads, by the name of its presence, since when and until when (Unix seconds)."""

    owner: str
    since: float
    until: float

    @property
    def text(self) -> str:
        """What the link says."""
        return f"{self.owner} {self.since!r} {self.until!r}"


class Lease:
    """A lease that was taken here."""

    def __init__(self, leases: Leases, key: str, terms: Terms) -> None:
        self.key = key
        self._leases, self._terms = leases, terms

    def give_back(self) -> None:
        """Let the next one lead. It can be repeated, on any thread, and never raises."""
        self._leases.give_back(self.key, self._terms)


class Leases:
    """The leases of a cache's directory, as one of the processes that have it open.

    Nothing here waits, except opening: do that off the event loop.

    Args:
        directory: the cache's.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory / DIRECTORY
        self._presence = Presence(self._directory)
        self._ending = threading.Lock()  # the lock between processes knows no threads
        self._sweep()

    def alone(self) -> bool:
        """Whether nobody else has the cache open: then no lease is needed."""
        return self._presence.alone()

    def take(self, key: str, until: float) -> Lease | Terms | None:
        """Take a key's lease, where nobody else has it.

        Args:
            key: of the cache.
            until: when the answer is there at the latest, in Unix seconds.

        Returns:
            The lease; or the terms of the one who has it; or None where no lease can be had.
        """
        own = Terms(self._presence.name, time.time(), until)
        path = self._file(key)
        try:
            while True:
                with suppress(FileExistsError):
                    path.symlink_to(own.text)
                    return Lease(self, key, own)
                terms = _read(path)
                if terms is None:  # given back this moment
                    continue
                if not self._is_over(terms) or not self._remove(path, terms):
                    return terms
        except OSError:
            return None

    def holder(self, key: str) -> Terms | None:
        """The terms of the one who leads; None where nobody does any more."""
        try:
            terms = _read(self._file(key))
        except OSError:
            return None
        return None if terms is None or self._is_over(terms) else terms

    def give_back(self, key: str, terms: Terms) -> None:
        """End a lease, if it is still the one with these terms."""
        path = self._file(key)
        with suppress(OSError):
            if time.time() >= terms.until + GRACE:  # by now somebody may be taking its place
                self._remove(path, terms)
            elif _read(path) == terms:
                path.unlink()

    def leave(self) -> None:
        """End this process's leases, and be there no more. It can be repeated."""
        if not self._presence.inherited:
            self._sweep()
        self._presence.leave()

    def _is_over(self, terms: Terms) -> bool:
        return time.time() >= terms.until + GRACE or not self._presence.lives(terms.owner)

    def _remove(self, path: Path, terms: Terms) -> bool:
        """Remove a lease that is over. Only one process does so at a time: a second one that had
        read the same would remove what the first has put in its place."""
        with self._ending, self._presence.exclusively() as alone:
            if alone and _read(path) == terms:
                path.unlink()
            return alone

    def _sweep(self) -> None:
        """Remove what is over, and what is this process's own."""
        with suppress(OSError):
            for path in self._directory.iterdir():
                terms = _read(path) if path.suffix == ENDING else None
                if terms is None:
                    continue
                if terms.owner == self._presence.name:
                    self.give_back(path.stem, terms)
                elif self._is_over(terms):
                    self._remove(path, terms)

    def _file(self, key: str) -> Path:
        return self._directory / f"{key}{ENDING}"


def _read(path: Path) -> Terms | None:
    """The terms of a lease, None where there is none. What cannot be read is long over.

    Raises:
        OSError: there is something else in its place.
    """
    try:
        owner, since, until = str(path.readlink()).split(" ")
        return Terms(owner, float(since), float(until))
    except FileNotFoundError:
        return None
    except ValueError:
        return Terms("", 0.0, 0.0)

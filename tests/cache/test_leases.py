"""Leases: one leads, and when it is gone exactly one other does. Nothing stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cascade.cache import leases as rules
from cascade.cache import presence
from cascade.cache.leases import Lease, Leases, Terms
from tests.cache.entries import key_of
from tests.cache.test_closing import counts_descriptors, files_of

ROOT = Path(__file__).resolve().parents[2]
KEY = key_of(1)
LONG = 3600.0
PROLOGUE = """
import os, sys, time
from pathlib import Path
from cascade.cache.leases import Leases
leases = Leases(Path(sys.argv[1]))
"""
TAKES = f"""
leases.take({KEY!r}, time.time() + {LONG})
print("taken", flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no leases here")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Leases]:
    """One of those that have the directory open."""
    leases = Leases(tmp_path)
    yield leases
    leases.leave()


@pytest.fixture
def there(tmp_path: Path, here: Leases) -> Iterator[Leases]:
    """The other one."""
    leases = Leases(tmp_path)
    yield leases
    leases.leave()


@contextmanager
def process(script: str, directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with leases of its own that runs a script, once it has said its first word."""
    running = subprocess.Popen(
        [sys.executable, "-c", PROLOGUE + script, str(directory)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline()
            yield running
        finally:
            running.kill()


def files(directory: Path) -> list[str]:
    """The ends of the names in the directory of leases."""
    return sorted(path.suffix for path in (directory / rules.DIRECTORY).iterdir())


def took(leases: Leases, until: float | None = None) -> Lease:
    """Take the lease, which must be free."""
    lease = leases.take(KEY, time.time() + LONG if until is None else until)
    assert isinstance(lease, Lease)
    return lease


def taken(leases: Leases) -> Lease | Terms | None:
    """Try to take the lease."""
    return leases.take(KEY, time.time() + LONG)


def race(directory: Path, runners: int = 8) -> int:
    """Let many try at once to take the lease; how many of them got it."""
    everybody = [Leases(directory) for _ in range(runners)]
    gate = threading.Barrier(runners)
    got: list[Lease | Terms | None] = []

    def run(leases: Leases) -> None:
        gate.wait()
        got.append(taken(leases))

    threads = [threading.Thread(target=run, args=(leases,)) for leases in everybody]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for leases in everybody:
        leases.leave()
    assert len(got) == runners
    return sum(isinstance(each, Lease) for each in got)


# --- one leads ---


def test_one_takes_the_lease_and_the_other_learns_who_has_it(here: Leases, there: Leases) -> None:
    until = time.time() + LONG
    lease = took(here, until)
    terms = taken(there)
    assert isinstance(terms, Terms)
    assert terms.until == until
    assert terms.since == pytest.approx(time.time(), abs=60)
    assert there.holder(KEY) == here.holder(KEY) == terms
    assert taken(here) == terms, "one's own is taken as well"
    lease.give_back()
    lease.give_back()
    assert there.holder(KEY) is None
    assert isinstance(taken(there), Lease)


def test_keys_do_not_wait_for_each_other(here: Leases, there: Leases) -> None:
    took(here)
    assert isinstance(there.take(key_of(2), time.time() + LONG), Lease)


def test_of_many_that_want_a_free_lease_one_gets_it(tmp_path: Path) -> None:
    assert [race(tmp_path) for _ in range(20)] == [1] * 20
    assert files(tmp_path) == []


def test_a_lease_that_was_given_back_is_taken_by_one_of_many(tmp_path: Path, here: Leases) -> None:
    for _ in range(20):
        lease = took(here)
        assert race(tmp_path) == 0
        lease.give_back()
        assert race(tmp_path) == 1


# --- its time is up ---


def test_a_lease_whose_time_is_up_goes_to_one_of_many(tmp_path: Path, here: Leases) -> None:
    for _ in range(20):
        took(here, time.time() - rules.GRACE)
        assert race(tmp_path) == 1


def test_a_leader_has_a_moment_to_give_its_lease_back(here: Leases, there: Leases) -> None:
    lease = took(here, time.time())
    assert isinstance(taken(there), Terms)
    lease.give_back()
    assert isinstance(taken(there), Lease)


def test_only_one_at_a_time_takes_a_place(here: Leases, there: Leases) -> None:
    took(here, time.time() - rules.GRACE)
    with here._presence.exclusively() as first:
        assert first
        assert isinstance(taken(there), Terms)
    assert isinstance(taken(there), Lease)


def test_who_is_late_takes_nothing_from_its_successor(here: Leases, there: Leases) -> None:
    late = took(here, time.time() - rules.GRACE)
    took(there)
    terms = there.holder(KEY)
    late.give_back()
    assert terms is not None
    assert there.holder(KEY) == terms


def test_who_is_late_and_without_successor_leaves_nothing(tmp_path: Path, here: Leases) -> None:
    took(here, time.time() - rules.GRACE).give_back()
    assert files(tmp_path) == [presence.ENDING]


# --- its process has ended ---


def test_a_killed_process_leads_no_more(tmp_path: Path, here: Leases) -> None:
    with process(TAKES, tmp_path) as other:
        assert isinstance(taken(here), Terms)
        other.kill()
        other.wait()
        assert here.holder(KEY) is None
        assert isinstance(taken(here), Lease)
    assert files(tmp_path) == [presence.ENDING, rules.ENDING]


def test_a_killed_processs_lease_goes_to_one_of_many(tmp_path: Path) -> None:
    with process(TAKES, tmp_path) as other:
        other.kill()
        other.wait()
    assert files(tmp_path) == [presence.ENDING, rules.ENDING]
    assert race(tmp_path) == 1


def test_who_opens_the_directory_clears_away_what_the_dead_have_left(tmp_path: Path) -> None:
    with process(TAKES, tmp_path) as other:
        other.kill()
        other.wait()
    Leases(tmp_path).leave()
    assert files(tmp_path) == []


def test_a_forked_process_that_ends_does_not_speak_for_its_parent(
    tmp_path: Path, here: Leases
) -> None:
    script = f"""
leases.take({KEY!r}, time.time() + {LONG})
child = os.fork()
if not child:
    leases.leave()
    os._exit(0)
os.waitpid(child, 0)
print("the child has ended", flush=True)
sys.stdin.read()
"""
    with process(script, tmp_path):
        assert not here.alone()
        assert isinstance(taken(here), Terms)


def test_leaving_gives_back_what_is_left(tmp_path: Path, here: Leases) -> None:
    other = Leases(tmp_path)
    took(other)
    other.leave()
    other.leave()
    assert files(tmp_path) == [presence.ENDING]
    assert isinstance(taken(here), Lease)


# --- who is there ---


def test_the_others_are_seen_when_they_come_and_when_they_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "AGAIN", 0.0)
    here = Leases(tmp_path)
    assert here.alone()
    there = Leases(tmp_path)
    assert not here.alone()
    assert not there.alone()
    here.leave()
    assert there.alone()
    there.leave()


def test_who_is_alone_looks_at_the_directorys_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Leases(tmp_path)
    os.utime(tmp_path / rules.DIRECTORY, (1, 1))  # nobody has come for long
    assert here.alone()
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", None)
        assert here.alone()
    there = Leases(tmp_path)
    assert not here.alone()
    there.leave()
    here.leave()


def test_who_came_in_the_same_tick_of_the_clock_is_seen(tmp_path: Path, here: Leases) -> None:
    flights = tmp_path / rules.DIRECTORY
    before = flights.stat()
    assert here.alone()
    there = Leases(tmp_path)
    os.utime(flights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not here.alone()
    there.leave()


def test_who_comes_while_others_look_is_seen_by_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "AGAIN", 0.0)
    names: list[list[str]] = []
    gate = threading.Barrier(4)

    def come() -> None:
        for _ in range(50):
            gate.wait()
            leases = Leases(tmp_path)
            leases.alone()  # removes what it takes for a dead one's
            gate.wait()
            names.append(files(tmp_path))
            gate.wait()
            leases.leave()

    threads = [threading.Thread(target=come) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == [[presence.ENDING] * 4] * 200
    assert files(tmp_path) == []


# --- trouble ---


def _fails(*_: object) -> None:
    raise OSError("there is no such thing here")


def test_without_locks_everybody_is_alone_and_nothing_is_left(
    tmp_path: Path, here: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fcntl.flock", _fails)
    there = Leases(tmp_path)
    assert there.alone()
    assert files(tmp_path) == [presence.ENDING]


def test_without_links_nobody_waits(
    here: Leases, there: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "symlink_to", _fails)
    assert taken(here) is None


@pytest.mark.parametrize("text", ["", "garbage", "../../etc 1 9e9", "a b c", "0 1 inf"])
def test_a_link_that_says_nothing_is_replaced(
    tmp_path: Path, here: Leases, there: Leases, text: str
) -> None:
    (tmp_path / rules.DIRECTORY / f"{KEY}{rules.ENDING}").symlink_to(text or ".")
    assert here.holder(KEY) is None
    assert isinstance(taken(here), Lease)


def test_what_is_no_link_is_left_alone_and_keeps_nobody_waiting(
    tmp_path: Path, here: Leases, there: Leases
) -> None:
    path = tmp_path / rules.DIRECTORY / f"{KEY}{rules.ENDING}"
    path.write_text("somebody's")
    assert taken(here) is None
    assert here.holder(KEY) is None
    assert path.read_text() == "somebody's"


def test_a_directory_that_is_cleared_away_keeps_nobody_waiting(
    tmp_path: Path, here: Leases, there: Leases
) -> None:
    lease = took(here)
    for path in (tmp_path / rules.DIRECTORY).iterdir():
        path.unlink()
    (tmp_path / rules.DIRECTORY).rmdir()
    assert there.holder(KEY) is None
    assert taken(there) is None
    lease.give_back()


@counts_descriptors
def test_leases_cost_no_open_file(tmp_path: Path, here: Leases, there: Leases) -> None:
    before = files_of(tmp_path)
    held = [here.take(key_of(number), time.time() + LONG) for number in range(100)]
    assert all(isinstance(there.take(key_of(number), 0.0), Terms) for number in range(100))
    assert files_of(tmp_path) == before
    assert all(isinstance(lease, Lease) for lease in held)
    here.leave()
    there.leave()
    assert files_of(tmp_path) == []
    assert files(tmp_path) == []

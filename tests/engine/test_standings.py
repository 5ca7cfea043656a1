"""The keeper of standings: what calls teach it, and what survives a restart."""

from __future__ import annotations

import logging
import stat
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from cascade.engine import keeping
from cascade.engine import standings as module
from cascade.engine.keeping import Known, merged
from cascade.engine.saving import Saver
from cascade.engine.standings import Ending, Standings
from cascade.policy.health import why_closed
from cascade.policy.quantiles import (
    BUCKETS,
    Habits,
    Histogram,
    first_token_limit,
    hedge_after,
    output_floor,
    quantile,
)
from cascade.types import Bucket, Kind, RateLimits

NOW = 1_800_000_000.0
OURS = b'{"format": "cascade endpoints 2", "endpoints": '
DOWN = Ending(kind=Kind.UNAVAILABLE)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper(clock: Clock) -> Standings:
    return Standings(clock)


def call(keeper: Standings, name: str, ending: Ending, times: int = 1) -> None:
    for _ in range(times):
        keeper.ended(name, keeper.begins(name), ending)


def answer(seconds: float = 2.0, **seen: float) -> Ending:
    first_token_s = seen.get("first_token_s")
    tokens = int(seen.get("output_tokens", 100))
    return Ending(
        watched=True, first_token_s=first_token_s, latency_s=seconds, output_tokens=tokens
    )


# --- calls ---


def test_a_name_nobody_has_heard_of_is_clean(keeper: Standings) -> None:
    assert keeper.is_admitted("p/new")
    for known in (keeper.standings, keeper.habits, keeper.pending):
        assert not known


def test_calls_under_way_are_counted_until_they_end(keeper: Standings) -> None:
    first, second = keeper.begins("p/a"), keeper.begins("p/a")
    assert keeper.pending["p/a"] == 2
    keeper.ended("p/a", first, Ending())
    keeper.ended("p/a", second, DOWN)
    assert keeper.pending["p/a"] == 0


def test_five_failures_close_one_endpoint_and_no_other(keeper: Standings) -> None:
    call(keeper, "p/b", DOWN, times=4)
    before = keeper.standings["p/b"]
    call(keeper, "p/a", DOWN, times=5)
    assert not keeper.is_admitted("p/a")
    assert keeper.is_admitted("p/b")
    assert keeper.standings["p/b"] == before
    assert why_closed(keeper.standings["p/a"], keeper.now()).startswith("closed for 2.0 s more")


def test_on_trial_one_call_is_the_probe_and_its_success_opens(
    keeper: Standings, clock: Clock
) -> None:
    call(keeper, "p/a", DOWN, times=5)
    clock.now += 2
    since = keeper.begins("p/a")
    assert not keeper.is_admitted("p/a")
    keeper.ended("p/a", since, Ending())
    assert keeper.is_admitted("p/a")


def test_a_probe_has_the_time_that_its_call_has(keeper: Standings, clock: Clock) -> None:
    call(keeper, "p/a", DOWN, times=5)
    clock.now += 2
    keeper.begins("p/a", patience=7.0)
    clock.now += 6.9
    assert not keeper.is_admitted("p/a")
    clock.now += 0.1
    assert keeper.is_admitted("p/a")


def test_what_is_not_the_endpoint_s_fault_is_not_held_against_it(
    keeper: Standings, clock: Clock
) -> None:
    call(keeper, "p/a", Ending(kind=Kind.CALLER), times=50)
    call(keeper, "p/a", Ending(kind=Kind.TIMED_OUT, blameless=True), times=50)
    call(keeper, "p/a", Ending(blameless=True), times=50)
    assert keeper.is_admitted("p/a")
    call(keeper, "p/a", DOWN, times=5)
    clock.now += 2
    keeper.ended("p/a", keeper.begins("p/a"), Ending(blameless=True))
    assert keeper.is_admitted("p/a"), "a probe that was cancelled is given back"


def test_what_an_endpoint_asks_for_is_obeyed(keeper: Standings, clock: Clock) -> None:
    call(keeper, "p/a", Ending(kind=Kind.LIMITED, retry_after=20.0))
    clock.now += 19
    assert not keeper.is_admitted("p/a")
    clock.now += 1
    assert keeper.is_admitted("p/a")


def test_rate_limits_are_kept_whatever_becomes_of_the_call(keeper: Standings) -> None:
    limits = RateLimits(requests=Bucket(3, NOW + 10))
    for ending in (Ending(), Ending(kind=Kind.CALLER), DOWN):
        name = f"p/{ending.kind}"
        since = keeper.begins(name)
        keeper.told(name, limits)
        keeper.ended(name, since, ending)
        assert keeper.standings[name].limits == limits


def test_rate_limits_are_of_the_time_when_they_were_told_however_long_the_call_goes_on(
    keeper: Standings, clock: Clock
) -> None:
    long, late = keeper.begins("p/a"), RateLimits(requests=Bucket(0, NOW + 90))
    keeper.told("p/a", RateLimits(requests=Bucket(9)))
    clock.now += 60
    short = keeper.begins("p/a")
    keeper.told("p/a", late)
    keeper.ended("p/a", short, Ending())
    clock.now += 1
    keeper.ended("p/a", long, Ending())
    standing = keeper.standings["p/a"]
    assert (standing.limits, standing.limits_at) == (late, NOW + 60)


def test_a_probe_that_has_begun_to_speak_opens_and_its_long_stream_keeps_nobody_out(
    keeper: Standings, clock: Clock
) -> None:
    call(keeper, "p/a", DOWN, times=5)
    clock.now += 2
    since = keeper.begins("p/a")
    clock.now += 1
    keeper.speaks("p/a", since)
    assert keeper.is_admitted("p/a")
    assert keeper.pending["p/a"] == 1
    clock.now += 300
    keeper.ended("p/a", since, answer(301.0))
    assert keeper.is_admitted("p/a")
    assert keeper.pending["p/a"] == 0


def test_what_breaks_after_it_began_to_speak_counts_as_any_failure(
    keeper: Standings, clock: Clock
) -> None:
    call(keeper, "p/a", DOWN, times=5)
    clock.now += 2
    since = keeper.begins("p/a")
    keeper.speaks("p/a", since)
    keeper.ended("p/a", since, Ending(kind=Kind.BROKEN))
    assert keeper.is_admitted("p/a")
    assert keeper.standings["p/a"].failures == 1
    call(keeper, "p/a", DOWN, times=4)
    assert not keeper.is_admitted("p/a")


def test_the_first_piece_of_any_other_call_changes_nothing(keeper: Standings, clock: Clock) -> None:
    old = keeper.begins("p/a")
    keeper.speaks("p/new", old)
    call(keeper, "p/a", DOWN, times=5)
    keeper.speaks("p/a", old)
    assert not keeper.is_admitted("p/a")
    clock.now += 2
    keeper.begins("p/a")
    keeper.speaks("p/a", old)
    assert not keeper.is_admitted("p/a")
    assert "p/new" not in keeper.standings


# --- habits ---


def test_answers_teach_how_soon_how_long_and_how_much(keeper: Standings) -> None:
    call(keeper, "p/a", answer(3.0, first_token_s=0.5, output_tokens=200), times=20)
    habits = keeper.habits["p/a"]
    assert hedge_after(habits) == pytest.approx(0.5, rel=0.1)
    assert quantile(habits.latency, 0.5) == pytest.approx(3.0, rel=0.1)
    assert output_floor(habits) == pytest.approx(200, rel=0.1)


def test_first_tokens_that_did_not_come_in_time_make_the_limit_grow(keeper: Standings) -> None:
    late = Ending(kind=Kind.TIMED_OUT, watched=True, latency_s=30.0)
    call(keeper, "p/a", late, times=20)
    habits = keeper.habits["p/a"]
    assert first_token_limit(habits, 30.0, None) == pytest.approx(90.0, rel=0.1)
    assert quantile(habits.latency, 0.5, least=1) is None


def test_a_call_whose_first_token_could_not_be_seen_says_nothing_of_it(keeper: Standings) -> None:
    call(keeper, "p/a", Ending(kind=Kind.TIMED_OUT, latency_s=30.0), times=20)
    call(keeper, "p/a", Ending(latency_s=30.0), times=20)
    assert hedge_after(keeper.habits["p/a"]) is None


def test_callers_who_leave_teach_no_haste(keeper: Standings) -> None:
    call(keeper, "p/a", answer(3.0, first_token_s=2.0), times=20)
    before = keeper.habits["p/a"]
    call(keeper, "p/a", Ending(blameless=True, watched=True, latency_s=0.1), times=50)
    assert keeper.habits["p/a"] == before


# --- restarts ---


def test_what_is_known_survives_a_restart_and_calls_under_way_do_not(
    keeper: Standings, clock: Clock, tmp_path: Path
) -> None:
    call(keeper, "p/a", answer(3.0, first_token_s=0.5), times=20)
    call(keeper, "p/a", DOWN, times=5)
    keeper.begins("p/a")
    keeper.save(tmp_path / "endpoints.json")
    again = Standings(clock)
    again.load(tmp_path / "endpoints.json", {"p/a": "", "p/new": ""})
    assert again.standings == keeper.standings
    assert again.habits == keeper.habits
    assert not again.pending
    assert not again.is_admitted("p/a")


def test_who_starts_again_with_another_key_is_not_kept_waiting(
    keeper: Standings, clock: Clock, tmp_path: Path
) -> None:
    call(keeper, "p/a", Ending(kind=Kind.AUTH))
    assert not keeper.is_admitted("p/a")
    keeper.save(tmp_path / "endpoints.json")
    again = Standings(clock)
    again.load(tmp_path / "endpoints.json", {"p/a": ""})
    assert again.is_admitted("p/a")


def test_only_names_that_exist_now_are_taken_over(keeper: Standings, tmp_path: Path) -> None:
    call(keeper, "p/gone", DOWN, times=5)
    keeper.save(tmp_path / "endpoints.json")
    again = Standings()
    again.load(tmp_path / "endpoints.json", {"p/a": ""})
    assert not again.standings


def test_the_file_is_for_its_owner_only_and_leaves_nothing_beside_it(
    keeper: Standings, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "endpoints.json"
    call(keeper, "p/a", DOWN)
    keeper.save(path)
    keeper.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_two_who_share_a_file_keep_what_the_other_learned(
    keeper: Standings, clock: Clock, tmp_path: Path
) -> None:
    path, other = tmp_path / "endpoints.json", Standings(clock)
    for each, name in ((keeper, "p/a"), (other, "p/b")):
        each.load(path, {name: "http://one"})
        call(each, name, DOWN, times=5)
    keeper.save(path)
    other.save(path)
    keeper.save(path)
    again = Standings(clock)
    again.load(path, {"p/a": "http://one", "p/b": "http://one"})
    assert again.standings == {**keeper.standings, **other.standings}


def test_of_one_endpoint_the_later_news_is_kept_whoever_saves_last(
    keeper: Standings, clock: Clock, tmp_path: Path
) -> None:
    path, other = tmp_path / "endpoints.json", Standings(clock)
    call(keeper, "p/a", answer())
    clock.now += 1
    call(other, "p/a", DOWN, times=5)
    for first, second in ((keeper, other), (other, keeper)):
        first.save(path)
        second.save(path)
        again = Standings(clock)
        again.load(path, {"p/a": ""})
        assert again.standings == other.standings


def test_what_was_only_read_is_no_news(clock: Clock, tmp_path: Path) -> None:
    path, one, other = tmp_path / "endpoints.json", Standings(clock), Standings(clock)
    call(one, "p/a", DOWN)
    one.save(path)
    other.load(path, {"p/a": ""})
    clock.now += 1
    call(one, "p/a", DOWN, times=4)
    one.save(path)
    clock.now += 1
    call(other, "p/b", DOWN)
    other.save(path)
    again = Standings(clock)
    again.load(path, {"p/a": ""})
    assert again.standings["p/a"].failures == 5


def test_one_name_at_two_addresses_is_two_endpoints(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "endpoints.json"
    for address, times in (("http://one", 1), ("http://two", 2)):
        keeper = Standings(clock)
        keeper.load(path, {"p/a": address})
        call(keeper, "p/a", DOWN, times=times)
        keeper.save(path)
    for address, times in (("http://one", 1), ("http://two", 2)):
        keeper = Standings(clock)
        keeper.load(path, {"p/a": address})
        assert keeper.standings["p/a"].failures == times


def test_an_endpoint_without_news_for_a_month_is_forgotten() -> None:
    old, young = Known("p/old", at=NOW), Known("p/young", at=NOW + 1)
    assert merged([old], [young], NOW + 1) == (young, old)
    assert merged([old, young], [], NOW + keeping.LIFETIME) == (young,)


def test_the_file_holds_so_many_endpoints_those_of_the_latest_news(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "MOST", 3)
    known = [Known(f"p/{number}", at=NOW + number) for number in range(5)]
    assert {each.name for each in merged(known[:3], known[3:], NOW + 9)} == {"p/2", "p/3", "p/4"}


def test_the_fullest_file_is_small_enough_to_be_read() -> None:
    weights = dict.fromkeys(range(BUCKETS), 987.0625)
    habits = Habits(*[Histogram(weights)] * 3)
    known = Known("provider/a-model-with-a-long-name" * 2, "https://a.long.address/v1" * 2, NOW)
    one = msgspec.json.encode(msgspec.structs.replace(known, habits=habits))
    assert len(one) * keeping.MOST < keeping.LARGEST


def test_news_of_a_clock_that_was_ahead_does_not_win_for_ever(
    keeper: Standings, clock: Clock, tmp_path: Path
) -> None:
    path, ahead = tmp_path / "endpoints.json", Clock()
    ahead.now += 86_400
    other = Standings(ahead)
    call(other, "p/a", DOWN)
    other.save(path)
    call(keeper, "p/b", DOWN)
    keeper.save(path)
    clock.now += 1
    call(keeper, "p/a", DOWN, times=3)
    keeper.save(path)
    again = Standings(clock)
    again.load(path, {"p/a": ""})
    assert again.standings["p/a"].failures == 3


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks here")
def test_who_saves_waits_for_another_who_does_but_not_for_one_that_stands_still(
    keeper: Standings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, saved = tmp_path / "endpoints.json", threading.Event()
    call(keeper, "p/a", DOWN)

    def save() -> None:
        keeper.save(path)
        saved.set()

    with keeping._one_at_a_time(tmp_path):
        thread = threading.Thread(target=save)
        thread.start()
        assert not saved.wait(0.1)
    assert saved.wait(10)
    thread.join()
    monkeypatch.setattr(keeping, "PATIENCE", 0.05)
    with keeping._one_at_a_time(tmp_path):
        keeper.save(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[1, 2]",
        b'{"endpoints": {}}',
        b'{"format": "another", "endpoints": {}}',
        OURS + b'{"p/a": {"standing": {"failures": 1}}}}',
        OURS + b'[{"standing": {"failures": 1}}]}',
        OURS + b'[{"name": "p/a", "at": -1}]}',
        OURS + b'[{"name": "p/a", "standing": {"failures": -1}}]}',
        OURS + b'[{"name": "p/a", "standing": 7}]}',
        OURS + b'[{"name": "p/a", "habits": {"latency": {"weights": {"999": 1}}}}]}',
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_a_damaged_or_foreign_file_is_ignored_and_the_log_says_so(
    content: bytes, keeper: Standings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "endpoints.json"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING, logger="cascade.engine"):
        keeper.load(path, {"p/a": ""})
    assert not keeper.standings
    [record] = caplog.records
    assert str(path) in record.getMessage()


def test_a_file_without_end_is_not_read(
    keeper: Standings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    call(keeper, "p/a", DOWN)
    keeper.save(tmp_path / "endpoints.json")
    monkeypatch.setattr(keeping, "LARGEST", 10)
    with caplog.at_level(logging.WARNING, logger="cascade.engine"):
        Standings().load(tmp_path / "endpoints.json", {"p/a": ""})
    assert "larger than 10 bytes" in caplog.text


def test_no_file_is_no_trouble(
    keeper: Standings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keeper.load(tmp_path / "endpoints.json", {"p/a": ""})
    assert not caplog.records


def test_closing_saves_what_is_not_saved_yet(keeper: Standings, tmp_path: Path) -> None:
    path = tmp_path / "endpoints.json"
    keeper.keep_in(path)
    call(keeper, "p/a", DOWN)
    assert not path.exists(), "no call waits for the disk"
    keeper.close()
    assert b"p/a" in path.read_bytes()
    path.unlink()
    keeper.close()
    assert not path.exists()


def test_closing_ends_its_thread_at_once_and_no_other_begins(
    keeper: Standings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY", 1e6)
    keeper.keep_in(tmp_path / "endpoints.json")
    call(keeper, "p/a", DOWN)
    assert _threads()
    keeper.close()
    call(keeper, "p/a", DOWN)
    assert not _threads()


def test_nothing_is_written_where_nothing_happened(keeper: Standings, tmp_path: Path) -> None:
    keeper.keep_in(tmp_path / "endpoints.json")
    keeper.close()
    assert not list(tmp_path.iterdir())


def test_changes_are_written_behind_the_calls_once_for_many(
    keeper: Standings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, written = tmp_path / "endpoints.json", threading.Event()
    saves: list[str] = []

    def save(to: Path) -> None:
        saves.append(threading.current_thread().name)
        Standings.save(keeper, to)
        written.set()

    monkeypatch.setattr(module, "EVERY", 0.05)
    monkeypatch.setattr(keeper, "save", save)
    keeper.keep_in(path)
    call(keeper, "p/a", DOWN, times=50)
    assert written.wait(10)
    keeper.close()
    assert path.exists()
    assert set(saves[:1]) == {"cascade-endpoints"}
    assert len(saves) < 50


def test_a_change_while_it_saves_is_saved_too(
    keeper: Standings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, twice = tmp_path / "endpoints.json", threading.Event()
    saves: list[int] = []

    def save(to: Path) -> None:
        Standings.save(keeper, to)
        saves.append(keeper.standings["p/a"].failures)
        if len(saves) == 1:
            call(keeper, "p/a", DOWN)
        else:
            twice.set()

    monkeypatch.setattr(module, "EVERY", 0.01)
    monkeypatch.setattr(keeper, "save", save)
    keeper.keep_in(path)
    call(keeper, "p/a", DOWN)
    assert twice.wait(10)
    again = Standings()
    again.load(path, {"p/a": ""})
    assert again.standings["p/a"].failures == 2
    keeper.close()


def test_one_thread_does_all_the_saving(
    keeper: Standings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, threads = tmp_path / "endpoints.json", set[int]()
    rounds = threading.Semaphore(0)

    def save(to: Path) -> None:
        threads.add(threading.get_ident())
        rounds.release()

    monkeypatch.setattr(module, "EVERY", 0.01)
    monkeypatch.setattr(keeper, "save", save)
    keeper.keep_in(path)
    for _ in range(3):
        call(keeper, "p/a", DOWN)
        assert rounds.acquire(timeout=10)
        assert len(_threads()) == 1
    keeper.close()
    assert len(threads) == 1


def test_where_no_thread_can_start_no_call_fails_and_closing_saves(
    keeper: Standings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    path = tmp_path / "endpoints.json"
    keeper.keep_in(path)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        call(keeper, "p/a", DOWN, times=3)
        keeper.speaks("p/a", NOW)
        keeper.told("p/a", RateLimits())
    assert not _threads()
    keeper.close()
    assert b"p/a" in path.read_bytes()


def test_what_could_not_be_saved_is_saved_at_the_next_chance(
    keeper: Standings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file" / "endpoints.json"
    path.parent.write_text("no directory yet")
    saver = Saver(lambda: keeper._saved(path), 1e6)
    call(keeper, "p/a", DOWN)
    saver.changed()
    with caplog.at_level(logging.ERROR, logger="cascade.engine"):
        saver.close()
    path.parent.unlink()
    saver.close()
    assert b"p/a" in path.read_bytes()


def test_a_place_that_cannot_be_written_is_told_and_stops_nobody(
    keeper: Standings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no directory")
    keeper.keep_in(tmp_path / "file" / "endpoints.json")
    call(keeper, "p/a", DOWN)
    with caplog.at_level(logging.WARNING, logger="cascade.engine"):
        keeper.close()
    assert "cannot be kept" in caplog.text


def _threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "cascade-endpoints"]

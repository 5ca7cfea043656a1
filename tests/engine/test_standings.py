"""The keeper of standings: what calls teach it, and what survives a restart."""

from __future__ import annotations

import logging
import stat
import threading
from pathlib import Path

import pytest

from cascade.engine import standings as module
from cascade.engine.standings import Ending, Standings
from cascade.policy.health import why_closed
from cascade.policy.quantiles import first_token_limit, hedge_after, output_floor, quantile
from cascade.types import Bucket, Kind, RateLimits

NOW = 1_800_000_000.0
OURS = b'{"format": "cascade endpoints 1", "endpoints": '
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


def test_rate_limits_are_kept_whatever_became_of_the_call(keeper: Standings) -> None:
    limits = RateLimits(requests=Bucket(3, NOW + 10))
    for ending in (Ending(limits=limits), Ending(kind=Kind.CALLER, limits=limits)):
        call(keeper, f"p/{ending.kind}", ending)
        assert keeper.standings[f"p/{ending.kind}"].limits == limits


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


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[1, 2]",
        b'{"endpoints": {}}',
        b'{"format": "another", "endpoints": {}}',
        OURS + b'{"p/a": {"standing": {"failures": -1}}}}',
        OURS + b'{"p/a": {"standing": 7}}}',
        OURS + b'{"p/a": {"habits": {"latency": {"weights": {"999": 1}}}}}}',
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
    monkeypatch.setattr(module, "LARGEST", 10)
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

"""The standing of an endpoint: when it is left alone, when it is tried, what moves it."""

from __future__ import annotations

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from cascade.policy.health import (
    A_MOMENT,
    BLAME,
    CLEAN,
    IN_A_ROW,
    LAPSE,
    LONGEST,
    LONGEST_PASSING,
    MOST_IN_A_ROW,
    SHORTEST,
    SHORTEST_LASTING,
    Standing,
    after_cancel,
    after_failure,
    after_first_piece,
    after_success,
    failing_share,
    is_admitted,
    is_drained,
    opens_at,
    probed,
    reopens_in,
    resumed,
    why_closed,
    with_limits,
)
from cascade.types import Bucket, Kind, RateLimits

NOW = 1_800_000_000.0
BLAMELESS = [kind for kind in Kind if BLAME[kind] == "none"]
PASSING = [kind for kind in Kind if BLAME[kind] == "passing"]
LASTING = [kind for kind in Kind if BLAME[kind] == "lasting"]


def fail(
    standing: Standing = CLEAN,
    kind: Kind = Kind.UNAVAILABLE,
    *,
    times: int = 1,
    at: float = NOW,
    since: float | None = None,
    asks: float | None = None,
) -> Standing:
    """Calls that fail, each begun at the time it fails unless told otherwise."""
    for _ in range(times):
        standing = after_failure(standing, kind, asks, since=at if since is None else since, now=at)
    return standing


def closing(standing: Standing, at: float = NOW) -> float:
    """Seconds until it opens."""
    end = opens_at(standing, at)
    return 0.0 if end is None else end - at


def probe(standing: Standing, at: float, patience: float = 30.0) -> Standing:
    assert is_admitted(standing, at)
    return probed(standing, at, patience)


# --- what closes it ---


def test_every_kind_of_failure_has_its_blame() -> None:
    assert set(BLAME) == set(Kind)


@pytest.mark.parametrize("kind", BLAMELESS)
def test_what_is_the_request_s_fault_changes_nothing(kind: Kind) -> None:
    for standing in (CLEAN, fail(times=4), fail(times=5)):
        assert fail(standing, kind, times=100, asks=30.0) == standing


@pytest.mark.parametrize("kind", PASSING)
def test_five_failures_in_a_row_close_an_endpoint_for_two_seconds(kind: Kind) -> None:
    assert is_admitted(fail(kind=kind, times=4), NOW)
    assert closing(fail(kind=kind, times=5)) == SHORTEST == 2.0


def test_a_success_between_failures_begins_the_count_anew() -> None:
    standing = after_success(fail(times=4), since=NOW, now=NOW)
    assert is_admitted(fail(standing, times=4), NOW)
    assert not is_admitted(fail(standing, times=5), NOW)


@pytest.mark.parametrize("kind", LASTING)
def test_what_only_people_can_mend_closes_it_at_once_for_a_minute(kind: Kind) -> None:
    assert closing(fail(kind=kind)) == SHORTEST_LASTING == 60.0


@pytest.mark.parametrize("kind", [Kind.LIMITED, Kind.OVERLOADED])
def test_an_endpoint_that_asks_to_be_left_alone_is(kind: Kind) -> None:
    assert closing(fail(kind=kind, asks=12.5)) == 12.5


def test_fifty_days_are_five_minutes() -> None:
    assert closing(fail(kind=Kind.LIMITED, asks=50 * 86_400.0)) == LONGEST == 300.0
    assert closing(fail(kind=Kind.LIMITED, asks=math.inf)) == LONGEST


@pytest.mark.parametrize("asks", [0.0, -5.0, math.nan])
def test_a_wait_that_is_none_counts_as_none(asks: float) -> None:
    assert fail(kind=Kind.LIMITED, asks=asks) == fail(kind=Kind.LIMITED)


def test_an_endpoint_that_is_down_is_closed_after_five_calls_and_one_that_just_went_down_too() -> (
    None
):
    healthy = CLEAN
    for _ in range(1_000):
        healthy = after_success(healthy, since=NOW, now=NOW)
    rarely = healthy
    for _ in range(50):  # one failure in twenty calls
        rarely = fail(rarely)
        for _ in range(19):
            rarely = after_success(rarely, since=NOW, now=NOW)
    for standing in (CLEAN, healthy, rarely):
        assert is_admitted(fail(standing, times=IN_A_ROW - 1), NOW)
        assert not is_admitted(fail(standing, times=IN_A_ROW), NOW)


@pytest.mark.parametrize("seed", range(5))
def test_an_endpoint_that_fails_three_calls_in_ten_at_random_stays_open(seed: int) -> None:
    """A row of five comes once in 590 such calls: under load that is every second or two."""
    chance, standing, now, closings = random.Random(seed), CLEAN, NOW, 0
    for _ in range(100_000):
        now += 0.01
        if not is_admitted(standing, now):
            closings += 1
            now = opens_at(standing, now) or now
            standing = after_success(standing, since=now, now=now)
        if chance.random() < 0.3:
            standing = fail(standing, chance.choice(PASSING), at=now)
        else:
            standing = after_success(standing, since=now, now=now)
    assert closings <= 2
    assert not is_admitted(fail(standing, times=MOST_IN_A_ROW, at=now), now)


def test_an_opening_does_not_forget_how_often_it_fails() -> None:
    standing = CLEAN
    for _ in range(100):
        standing = after_success(fail(standing, times=2), since=NOW, now=NOW)
    closed = fail(standing, Kind.LIMITED, asks=1.0)
    opened = after_success(probe(closed, NOW + 1), since=NOW + 1, now=NOW + 2)
    assert is_admitted(fail(opened, times=IN_A_ROW, at=NOW + 3), NOW + 3)


def test_one_that_failed_often_and_has_mended_is_closed_by_five_again() -> None:
    standing = CLEAN
    for _ in range(100):
        standing = after_success(fail(standing, times=2), since=NOW, now=NOW)
    assert is_admitted(fail(standing, times=IN_A_ROW), NOW)
    for _ in range(1_000):
        standing = after_success(standing, since=NOW, now=NOW)
    assert not is_admitted(fail(standing, times=IN_A_ROW), NOW)
    assert after_success(standing, since=NOW, now=NOW) is standing


# --- the later end ---


def test_the_later_end_of_a_closing_wins_in_either_order() -> None:
    long_first = fail(fail(kind=Kind.LIMITED, asks=60.0), Kind.LIMITED, asks=10.0)
    short_first = fail(fail(kind=Kind.LIMITED, asks=10.0), Kind.LIMITED, asks=60.0)
    assert closing(long_first) == closing(short_first) == 60.0


def test_a_request_to_wait_does_not_shorten_what_people_must_mend() -> None:
    standing = fail(fail(kind=Kind.AUTH), Kind.LIMITED, at=NOW + 1, asks=1.0)
    assert closing(standing, NOW + 1) == 59.0
    assert standing.last is Kind.AUTH


def test_a_call_in_flight_that_brings_a_longer_wait_is_believed() -> None:
    standing = fail(fail(times=5), Kind.LIMITED, at=NOW + 1, since=NOW - 3, asks=20.0)
    assert closing(standing, NOW + 1) == 20.0


# --- on trial ---


def test_on_trial_exactly_one_call_goes_out() -> None:
    closed = fail(times=5)
    assert not is_admitted(closed, NOW + 1.999)
    on_trial = probe(closed, NOW + 2)
    assert not is_admitted(on_trial, NOW + 2)
    assert probed(on_trial, NOW + 3, 30.0) == on_trial


def test_the_success_of_the_probe_opens_it_and_forgets() -> None:
    standing = after_success(probe(fail(times=5), NOW + 2), since=NOW + 2, now=NOW + 3)
    assert is_admitted(standing, NOW + 3)
    assert closing(fail(standing, times=5, at=NOW + 4), NOW + 4) == SHORTEST


def test_each_probe_that_fails_doubles_the_closing_up_to_a_minute() -> None:
    standing, now, seen = fail(times=5), NOW, []
    for _ in range(7):
        seen.append(closing(standing, now))
        now += seen[-1]
        standing = fail(probe(standing, now), at=now)
    assert seen == [2, 4, 8, 16, 32, 60, LONGEST_PASSING]


def test_lasting_failures_double_up_to_five_minutes() -> None:
    standing, now, seen = fail(kind=Kind.AUTH), NOW, []
    for _ in range(5):
        seen.append(closing(standing, now))
        now += seen[-1]
        standing = fail(probe(standing, now), Kind.AUTH, at=now)
    assert seen == [60, 120, 240, 300, LONGEST]


def test_a_probe_that_meets_another_wait_obeys_it_to_the_second() -> None:
    standing, now = fail(kind=Kind.LIMITED, asks=3.0), NOW
    for _ in range(3):
        now += 3.0
        standing = fail(probe(standing, now), Kind.LIMITED, at=now, asks=3.0)
        assert closing(standing, now) == 3.0


def test_a_wait_that_is_asked_for_again_and_again_is_doubled_after_all() -> None:
    standing, now, seen = CLEAN, NOW, []
    for _ in range(IN_A_ROW + 2):
        standing = fail(probe(standing, now), Kind.OVERLOADED, at=now, asks=0.1)
        seen.append(closing(standing, now))
        now += seen[-1]
    assert seen == pytest.approx([0.1, 0.1, 0.1, 0.1, 2.0, 4.0, 8.0], rel=1e-3)


def test_a_wait_between_two_closings_does_not_undo_the_doubling() -> None:
    standing = fail(probe(fail(times=5), NOW + 2), Kind.LIMITED, at=NOW + 2, asks=10.0)
    standing = fail(probe(standing, NOW + 12), Kind.LIMITED, at=NOW + 12, since=NOW - 1, asks=9.0)
    standing = fail(probe(standing, NOW + 21), at=NOW + 21)
    assert closing(standing, NOW + 21) == 8.0


def test_a_probe_that_fails_after_a_wait_closes_it_though_it_is_the_second_failure() -> None:
    standing = fail(probe(fail(kind=Kind.LIMITED, asks=3.0), NOW + 3), at=NOW + 3)
    assert closing(standing, NOW + 3) == SHORTEST


@pytest.mark.parametrize("kind", BLAMELESS)
def test_a_probe_that_fails_by_its_own_fault_lets_another_go(kind: Kind) -> None:
    standing = fail(probe(fail(times=5), NOW + 2), kind, at=NOW + 3, since=NOW + 2)
    assert standing == fail(times=5)


def test_a_probe_that_is_cancelled_lets_another_go_and_no_other_call_does() -> None:
    on_trial = probe(fail(times=5), NOW + 2)
    assert not is_admitted(after_cancel(on_trial, since=NOW - 4), NOW + 3)
    assert is_admitted(after_cancel(on_trial, since=NOW + 2), NOW + 3)


def test_a_lost_probe_blocks_no_longer_than_its_patience() -> None:
    on_trial = probe(fail(times=5), NOW + 2, patience=10.0)
    assert not is_admitted(on_trial, NOW + 11.9)
    assert is_admitted(on_trial, NOW + 12)
    for_ever = probe(fail(times=5), NOW + 2, patience=math.inf)
    assert is_admitted(for_ever, NOW + 2 + LONGEST)


def test_a_probe_that_took_longer_than_its_patience_opens_it_all_the_same() -> None:
    standing = probe(probe(fail(times=5), NOW + 2, 10.0), NOW + 12, 10.0)
    assert is_admitted(after_success(standing, since=NOW + 2, now=NOW + 15), NOW + 15)


# --- a probe that speaks ---


def spoken(since: float = NOW + 2, now: float = NOW + 3) -> Standing:
    """The standing once a probe has shown its first piece."""
    return after_first_piece(probe(fail(times=5), since), since=since, now=now)


def test_the_first_piece_of_the_probe_opens_it() -> None:
    assert spoken().closed_until is None
    assert is_admitted(spoken(), NOW + 3)


def test_the_first_piece_of_another_call_does_nothing() -> None:
    on_trial = probe(fail(times=5), NOW + 2)
    for since in (NOW - 1, NOW + 2.5):
        assert after_first_piece(on_trial, since=since, now=NOW + 3) == on_trial
    for standing in (CLEAN, fail(times=3), fail(times=5)):
        assert after_first_piece(standing, since=NOW, now=NOW + 1) == standing


def test_a_probe_that_speaks_after_its_patience_opens_it_unless_another_is_out() -> None:
    late = probe(fail(times=5), NOW + 2, 1.0)
    assert is_admitted(after_first_piece(late, since=NOW + 2, now=NOW + 9), NOW + 9)
    other = probe(late, NOW + 4)
    assert after_first_piece(other, since=NOW + 2, now=NOW + 9) == other


def test_a_probe_that_speaks_after_it_was_asked_to_stay_away_opens_nothing() -> None:
    asked_away = fail(probe(fail(times=5), NOW + 2), Kind.LIMITED, at=NOW + 3, since=NOW, asks=20.0)
    assert after_first_piece(asked_away, since=NOW + 2, now=NOW + 4) == asked_away


def test_a_probe_that_breaks_after_it_spoke_counts_as_one_failure() -> None:
    broken = fail(spoken(), Kind.BROKEN, at=NOW + 9, since=NOW + 2)
    assert broken.failures == 1
    assert is_admitted(broken, NOW + 9)
    assert not is_admitted(fail(broken, Kind.BROKEN, times=4, at=NOW + 9), NOW + 9)
    asks = fail(spoken(), Kind.LIMITED, at=NOW + 9, since=NOW + 2, asks=7.0)
    assert closing(asks, NOW + 9) == 7.0


def test_an_endpoint_that_breaks_every_stream_it_begins_is_closed_for_longer_each_time() -> None:
    standing, now, seen = fail(times=5), NOW, []
    for _ in range(6):
        seen.append(closing(standing, now))
        now += seen[-1]
        standing = after_first_piece(probe(standing, now), since=now, now=now)
        standing = fail(standing, Kind.BROKEN, times=5, at=now)
    assert seen == [2, 4, 8, 16, 32, LONGEST_PASSING]


def test_a_whole_answer_after_that_lets_the_next_closing_be_short() -> None:
    whole = after_success(spoken(), since=NOW + 2, now=NOW + 9)
    assert closing(fail(whole, times=5, at=NOW + 9), NOW + 9) == SHORTEST
    assert after_success(whole, since=NOW + 9, now=NOW + 10) is whole


def test_calls_that_began_before_the_probe_stay_old_news_once_it_spoke() -> None:
    assert fail(spoken(), times=32, at=NOW + 4, since=NOW + 1) == spoken()


# --- when to ask again ---


def test_while_a_probe_is_out_it_is_worth_asking_again_in_a_moment() -> None:
    on_trial = probe(fail(times=5), NOW + 2, patience=120.0)
    assert opens_at(on_trial, NOW + 3) == NOW + 122
    assert reopens_in(on_trial, NOW + 3) == A_MOMENT
    assert not is_admitted(on_trial, NOW + 3 + A_MOMENT)


def test_a_closing_tells_its_rest_and_one_that_is_admitted_no_wait() -> None:
    closed = fail(times=5)
    assert reopens_in(closed, NOW + 0.5) == 1.5
    assert reopens_in(closed, NOW + 2) == 0.0
    assert reopens_in(CLEAN, NOW) == 0.0


# --- how often it fails ---


def test_the_share_of_calls_that_fail_is_learned() -> None:
    chance, standing = random.Random(1), CLEAN
    assert failing_share(standing) == 0.0
    for _ in range(5_000):
        if chance.random() < 0.6:
            standing = replace(fail(standing), closed_until=None)
        else:
            standing = after_success(standing, since=NOW, now=NOW)
    assert failing_share(standing) == pytest.approx(0.6, abs=0.1)


# --- old news ---


def test_calls_in_flight_when_it_closed_neither_lengthen_the_closing_nor_lift_it() -> None:
    closed = fail(times=5)
    for at in (NOW + 1, NOW + 2.5):
        assert fail(closed, times=32, at=at, since=NOW - 1) == closed
        assert fail(closed, Kind.AUTH, at=at, since=NOW - 1) == closed
        assert after_success(closed, since=NOW - 1, now=at) == closed


def test_a_call_that_began_before_it_opened_again_does_not_count_against_it() -> None:
    standing = after_success(probe(fail(times=5), NOW + 2), since=NOW + 2, now=NOW + 3)
    assert fail(standing, times=32, at=NOW + 4, since=NOW + 1) == standing


def test_two_failures_on_trial_double_the_closing_once() -> None:
    standing = probe(probe(fail(times=5), NOW + 2, 1.0), NOW + 3, 1.0)
    standing = fail(standing, at=NOW + 4, since=NOW + 2)
    assert closing(fail(standing, at=NOW + 4.5, since=NOW + 3), NOW + 4) == 4.0


def test_nothing_lifts_a_closing_before_its_time() -> None:
    closed = fail(kind=Kind.LIMITED, asks=10.0)
    assert after_success(closed, since=NOW + 1, now=NOW + 2) == closed


# --- clocks that are set ---


def test_a_clock_that_was_set_back_puts_it_on_trial_instead_of_locking_it_up() -> None:
    closed = fail(kind=Kind.AUTH)
    earlier = NOW - 86_400
    assert is_admitted(closed, earlier)
    on_trial = probe(closed, earlier)
    assert not is_admitted(on_trial, earlier)
    assert is_admitted(after_success(on_trial, since=earlier, now=earlier + 1), earlier + 1)
    assert closing(fail(on_trial, Kind.AUTH, at=earlier), earlier) == 120.0


def test_a_probe_from_the_future_is_lost() -> None:
    on_trial = probe(fail(times=5), NOW + 2)
    assert is_admitted(on_trial, NOW - 86_400)


def test_after_a_clock_was_set_back_failures_still_count() -> None:
    standing = after_success(probe(fail(times=5), NOW + 2), since=NOW + 2, now=NOW + 3)
    assert not is_admitted(fail(standing, times=5, at=NOW - 3_600), NOW - 3_600)


# --- a new process ---


def test_a_new_process_knows_who_was_closed_and_of_no_probe() -> None:
    closed = fail(times=5)
    assert resumed(probe(closed, NOW + 2), NOW + 3) == closed
    assert not is_admitted(resumed(closed, NOW + 1), NOW + 1)


@pytest.mark.parametrize("kind", LASTING)
def test_whoever_starts_again_after_a_lasting_failure_gets_one_try(kind: Kind) -> None:
    standing = resumed(fail(kind=kind), NOW + 1)
    assert is_admitted(standing, NOW + 1)
    assert not is_admitted(probe(standing, NOW + 1), NOW + 1)
    assert closing(fail(standing, kind, at=NOW + 2), NOW + 2) == 120.0


# --- rate limits ---


def test_requests_left_must_hold_those_under_way_and_one_more() -> None:
    standing = with_limits(CLEAN, RateLimits(requests=Bucket(3, NOW + 10)), NOW)
    assert not is_drained(standing, 1, 1, 2, NOW)
    assert is_drained(standing, 1, 1, 3, NOW)


def test_tokens_left_must_hold_the_request() -> None:
    standing = with_limits(CLEAN, RateLimits(tokens=Bucket(500, NOW + 10)), NOW)
    assert not is_drained(standing, 400, 100, 9, NOW)
    assert is_drained(standing, 400, 101, 0, NOW)


def test_what_is_left_of_each_kind_of_tokens_must_hold_its_own_part_of_the_request() -> None:
    left = RateLimits(input_tokens=Bucket(400_000), output_tokens=Bucket(8_000))
    standing = with_limits(CLEAN, left, NOW)
    assert not is_drained(standing, 10_000, 256, 0, NOW)
    assert not is_drained(standing, 400_000, 8_000, 0, NOW)
    assert is_drained(standing, 400_001, 1, 0, NOW)
    assert is_drained(standing, 1, 8_001, 0, NOW)


def test_what_was_told_lapses_at_its_reset_or_in_a_minute() -> None:
    told = with_limits(CLEAN, RateLimits(requests=Bucket(0, NOW + 10)), NOW)
    untold = with_limits(CLEAN, RateLimits(requests=Bucket(0)), NOW)
    daily = with_limits(CLEAN, RateLimits(tokens=Bucket(0, NOW + 80_000)), NOW)
    for standing, lapses in ((told, 10.0), (untold, LAPSE), (daily, LONGEST)):
        assert is_drained(standing, 1, 1, 0, NOW + lapses - 0.1)
        assert not is_drained(standing, 1, 1, 0, NOW + lapses)
        assert not is_drained(standing, 1, 1, 0, NOW - 3_600)


def test_one_that_told_nothing_is_not_drained() -> None:
    assert not is_drained(CLEAN, 10**9, 10**9, 10**6, NOW)
    assert not is_drained(with_limits(CLEAN, RateLimits(), NOW), 10**9, 10**9, 10**6, NOW)


def test_what_was_told_outlives_failures_and_opening() -> None:
    limits = RateLimits(requests=Bucket(0, NOW + 100))
    standing = probe(fail(with_limits(CLEAN, limits, NOW), times=5), NOW + 2)
    assert is_drained(after_success(standing, since=NOW + 2, now=NOW + 3), 1, 1, 0, NOW + 3)


# --- words ---


def test_people_are_told_why_and_for_how_long() -> None:
    closed = fail(times=5)
    assert why_closed(CLEAN, NOW) == "open"
    assert why_closed(closed, NOW + 0.5) == (
        "closed for 1.5 s more after 5 failures in a row, the last one unavailable"
    )
    assert why_closed(fail(kind=Kind.LIMITED, asks=3.2), NOW) == (
        "closed for 3.2 s more after a failure (limited)"
    )
    assert why_closed(fail(kind=Kind.TIMED_OUT, times=5), NOW + 2).startswith("on trial after 5")
    assert why_closed(fail(kind=Kind.TIMED_OUT, times=5), NOW + 2).endswith("timed out")
    assert why_closed(probe(closed, NOW + 2), NOW + 3).endswith(": one call is finding out")


def test_a_standing_survives_json() -> None:
    limits = RateLimits(Bucket(3, NOW + 10, 100), Bucket(500))
    standing = with_limits(probe(fail(times=5), NOW + 2), limits, NOW)
    assert msgspec.json.decode(msgspec.json.encode(standing), type=Standing) == standing
    assert msgspec.json.encode(CLEAN) == b"{}"


# --- laws ---

kinds = st.sampled_from(list(Kind))
asked = st.none() | st.sampled_from([0.0, 0.5, 2.0, 30.0, 299.0, 300.0, 301.0, 4e6]) | st.floats()
moments = st.sampled_from([0.0, NOW - 1, NOW, NOW + 2, NOW + 400]) | st.floats(0, 4e9)
standings = st.builds(
    Standing,
    failures=st.integers(0, 30),
    last=st.none() | kinds,
    strays=st.floats(0, 1e6),
    closed_until=st.none() | moments,
    changed_at=moments,
    period=st.floats(0, 1e6),
    probe_since=st.none() | moments,
    probe_until=st.none() | moments,
)


@settings(max_examples=500)
@given(standings, kinds, asked, moments, moments)
def test_whatever_is_in_a_file_its_standing_is_readable_and_opens_within_a_bound(
    standing: Standing, kind: Kind, asks: float | None, since: float, now: float
) -> None:
    after = after_failure(standing, kind, asks, since=since, now=now)
    for seen in (standing, after, after_success(standing, since=since, now=now)):
        end = opens_at(seen, now)
        assert end is None or now < end <= now + LONGEST
        assert why_closed(seen, now)
        assert msgspec.json.decode(msgspec.json.encode(seen), type=Standing) == seen


class Endpoints(RuleBasedStateMachine):
    """Two endpoints and whatever may happen to them, the clock being set included."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.standings = {"a": CLEAN, "b": CLEAN}
        self.flights: list[tuple[str, float]] = []
        self.probes: dict[str, list[tuple[float, float]]] = {"a": [], "b": []}

    names = st.sampled_from(["a", "b"])

    @initialize(name=names, failures=st.integers(0, 6))
    def begin_in_trouble(self, name: str, failures: int) -> None:
        self.standings[name] = fail(times=failures)

    @rule(seconds=st.sampled_from([0.01, 0.5, 1.0, 2.0, 5.0, 30.0, 60.0, 301.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(name=names, patience=st.sampled_from([1.0, 30.0, 1e9]))
    def a_call_begins(self, name: str, patience: float) -> None:
        self.now += 1e-3  # no two calls begin at once
        before = self.standings[name]
        if not is_admitted(before, self.now):
            return
        self.standings[name] = probed(before, self.now, patience)
        self.flights.append((name, self.now))
        if before.closed_until is None:
            assert self.standings[name] == before
        else:
            self.probes[name] = [(s, u) for s, u in self.probes[name] if u > self.now]
            assert not self.probes[name], "one probe at a time"
            self.probes[name].append((self.now, self.now + min(patience, LONGEST)))

    @rule(which=st.integers(0), kind=kinds, asks=asked)
    def a_call_fails(self, which: int, kind: Kind, asks: float | None) -> None:
        if not self.flights:
            return
        name, since = self.flights.pop(which % len(self.flights))
        before = dict(self.standings)
        after = after_failure(before[name], kind, asks, since=since, now=self.now)
        self.standings[name] = after
        self._probe_over(name, since)
        if BLAME[kind] == "none":
            assert after == after_cancel(before[name], since=since)
        end, new_end = (self._closing(s) for s in (before[name], after))
        assert new_end >= end, "the later end wins"
        if new_end > end:
            assert new_end > self.now
            self.probes[name] = []
        assert after.failures <= before[name].failures + 1

    @rule(which=st.integers(0))
    def a_call_succeeds(self, which: int) -> None:
        if not self.flights:
            return
        name, since = self.flights.pop(which % len(self.flights))
        before = self.standings[name]
        self.standings[name] = after_success(before, since=since, now=self.now)
        self._probe_over(name, since)
        if since >= before.changed_at and not self._closing(before):
            assert self.standings[name].closed_until is None
            self.probes[name] = []
        else:
            assert self.standings[name] == before

    @rule(which=st.integers(0))
    def a_call_speaks(self, which: int) -> None:
        if not self.flights:
            return
        name, since = self.flights[which % len(self.flights)]
        before = self.standings[name]
        after = after_first_piece(before, since=since, now=self.now)
        self.standings[name] = after
        if before.probe_since == since:
            assert after.closed_until is None
            self.probes[name] = []
        else:
            assert after == before

    @rule(which=st.integers(0))
    def a_call_is_cancelled(self, which: int) -> None:
        if not self.flights:
            return
        name, since = self.flights.pop(which % len(self.flights))
        before = self.standings[name]
        self.standings[name] = after_cancel(before, since=since)
        self._probe_over(name, since)
        bare = replace(before, probe_since=None, probe_until=None)
        assert self.standings[name] in (before, bare)

    @invariant()
    def each_opens_in_time_and_by_one_good_call(self) -> None:
        for standing in self.standings.values():
            end = opens_at(standing, self.now)
            assert end is None or self.now < end <= self.now + LONGEST
            later = end or self.now
            tried = probed(standing, later, 30.0)
            healed = after_success(tried, since=later, now=later + 1)
            assert healed.closed_until is None
            assert is_admitted(healed, later + 1)

    def _closing(self, standing: Standing) -> float:
        until = standing.closed_until
        return until if until is not None and until > self.now else 0.0

    def _probe_over(self, name: str, since: float) -> None:
        self.probes[name] = [probe for probe in self.probes[name] if probe[0] != since]


Endpoints.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestEndpoints = Endpoints.TestCase

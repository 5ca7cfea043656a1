"""What may be stored, for how long, and who may take it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.cache.rules import shelf
from cascade.types import (
    Bar,
    CacheTable,
    Comparison,
    Evidence,
    FinishReason,
    Message,
    Response,
    Tool,
    ToolCall,
)
from tests.cache.entries import asked, entry_of

TABLE = CacheTable()
TOOLS = (Tool("look"),)
MINE = "What is my balance?"


@pytest.mark.parametrize(
    ("fields", "settings", "stored"),
    [
        ({}, {}, True),
        ({"temperature": 0.0}, {}, True),
        ({"temperature": 0.7}, {}, False),
        ({"temperature": 0.7, "seed": 1}, {}, False),
        ({"temperature": 0.7}, {"sampled": True}, True),
        ({"tools": TOOLS}, {}, False),
        ({"tools": TOOLS}, {"tool_calls": True}, True),
        ({"cache": "off"}, {}, False),
        ({"cache": "refresh"}, {}, True),
        ({"text": MINE}, {}, False),
        ({"text": MINE, "user": "ann"}, {}, False),
        ({"text": MINE}, {"per_user": True}, False),
        ({"text": MINE, "user": "ann"}, {"per_user": True}, True),
        ({"text": "What is today's date?"}, {}, True),
    ],
)
def test_what_a_request_lets_be_stored(
    fields: dict[str, Any], settings: dict[str, Any], stored: bool
) -> None:
    table = msgspec.structs.replace(TABLE, **settings)
    assert shelf.may_store(asked(**fields), table) is stored


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", "content_filter", "unknown"])
def test_only_a_whole_text_is_kept(reason: FinishReason) -> None:
    response = Response(Message("assistant", "Rhine."), reason, "m")
    assert shelf.may_keep(response, TABLE) is (reason == "stop")


def test_a_refusal_and_an_empty_answer_are_not_kept() -> None:
    for message in (
        Message("assistant", None, refusal="I will not."),
        Message("assistant", "No.", refusal="I will not."),
        Message("assistant", ""),
        Message("assistant", None),
        Message("assistant", " \n"),
    ):
        assert not shelf.may_keep(Response(message, "stop", "m"), TABLE)


@pytest.mark.parametrize("reason", ["stop", "tool_calls", "length"])
def test_tool_calls_are_kept_only_where_that_is_asked_for(reason: FinishReason) -> None:
    message = Message("assistant", "Rhine.")
    if reason == "tool_calls":  # said to be there, and none is
        assert not shelf.may_keep(Response(message, reason, "m"), CacheTable(tool_calls=True))
    message = Message("assistant", None, tool_calls=(ToolCall("1", "look", "{}"),))
    response = Response(message, reason, "m")
    assert not shelf.may_keep(response, TABLE)
    assert shelf.may_keep(response, CacheTable(tool_calls=True)) is (reason != "length")


@given(st.floats(0, 1, exclude_max=True), st.floats(1, 1e7))
def test_a_lifetime_is_nine_tenths_of_its_time_at_least(jitter: float, ttl: float) -> None:
    lives = shelf.lifetime(asked(), CacheTable(ttl=ttl), jitter)
    assert 0.9 * ttl <= lives <= ttl


def test_lifetimes_spread_with_the_jitter() -> None:
    lives = [shelf.lifetime(asked(), TABLE, step / 10) for step in range(10)]
    assert lives == sorted(lives, reverse=True)
    assert lives[0] == TABLE.ttl
    assert len(set(lives)) == 10


def test_an_answer_about_now_lives_short() -> None:
    now = asked("What is today's date?")
    assert shelf.lifetime(now, TABLE, 0.0) == TABLE.now_ttl
    assert shelf.lifetime(now, CacheTable(ttl=5, now_ttl=60), 0.0) == 5


@pytest.mark.parametrize(
    ("age", "max_age", "good"),
    [
        (0, None, True),
        (99, None, True),
        (100, None, False),
        (101, None, False),
        (10, 11, True),
        (10, 10, False),
        (10, 0, False),
        (0, 0, False),
        (-30, None, True),
        (-30, 0, False),
        (-30, 1, True),
        (-3600, None, False),
    ],
)
def test_an_entry_is_fresh_until_it_expires_or_is_too_old_for_the_request(
    age: float, max_age: float | None, good: bool
) -> None:
    entry = entry_of(stored_at=1000.0, expires_at=1100.0)
    assert shelf.fresh(entry, 1000.0 + age, max_age) is good


RULE = (Comparison("mean_logprob", ">=", -0.1),)
CLEARED = Evidence(mean_logprob=-0.05)
MISSED = Evidence(mean_logprob=-0.5)


@pytest.mark.parametrize(
    ("evidence", "bar", "taken"),
    [
        (CLEARED, Bar(RULE), True),
        (MISSED, Bar(RULE), False),
        (Evidence(), Bar(RULE), False),
        (Evidence(), Bar(RULE, when_unsure="accept"), True),
        (MISSED, Bar(RULE, when_unsure="accept"), False),
        (Evidence(), Bar(()), True),
        (CLEARED, Bar(), False),
        (Evidence(), None, True),
    ],
)
def test_a_stored_answer_is_taken_if_its_evidence_clears_the_bar(
    evidence: Evidence, bar: Bar | None, taken: bool
) -> None:
    for basis in ("rule", "unchecked", "confidence", "reference"):
        entry = entry_of(evidence=evidence, basis=basis)
        assert shelf.takes(entry, bar=bar, rung_index=0, strongest_index=2) is taken


@pytest.mark.parametrize(("rung", "strongest"), [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2)])
def test_a_reference_answer_is_taken_where_nothing_stronger_is_open(
    rung: int, strongest: int
) -> None:
    """A free tier's only rung never feeds a request that could have the strongest one."""
    entry = entry_of(basis="reference", evidence=Evidence())
    taken = shelf.takes(entry, bar=Bar(RULE), rung_index=rung, strongest_index=strongest)
    assert taken is (rung >= strongest)


def test_stored_confidence_clears_nothing_while_no_calibration_vouches_for_it() -> None:
    entry = entry_of(basis="confidence", confidence=0.95)
    assert not shelf.takes(entry, bar=Bar(confidence=0.9), rung_index=0, strongest_index=1)


def test_at_the_strongest_rung_only_a_reference_answer_is_taken() -> None:
    for basis in ("rule", "unchecked", "confidence", "reference"):
        entry = entry_of(basis=basis, evidence=CLEARED)
        taken = shelf.takes(entry, bar=None, rung_index=1, strongest_index=1)
        assert taken is (basis == "reference")


@given(st.floats(-3, 0), st.floats(-3, 0), st.floats(0, 1))
def test_raising_a_bar_never_makes_an_answer_acceptable(
    seen: float, limit: float, more: float
) -> None:
    entry = entry_of(evidence=Evidence(mean_logprob=seen))

    def taken(value: float) -> bool:
        bar = Bar((Comparison("mean_logprob", ">=", value),))
        return shelf.takes(entry, bar=bar, rung_index=0, strongest_index=1)

    assert taken(limit) or not taken(limit + more)

"""What a preset makes of a ladder: bars and starts for each level."""

from __future__ import annotations

import math

import pytest

from cascade.config.presets import DEFAULT_BAR, PRESETS, PresetName
from cascade.config.read import Found, check, from_names
from cascade.types import LEVELS, Bar, Comparison, Ladder, Tables

MODELS = ("openai/gpt-4o-mini", "openai/gpt-4.1-mini", "openai/gpt-4o")
SURE = Bar(rule=(Comparison("mean_logprob", ">=", DEFAULT_BAR),))


def ladder(preset: PresetName, count: int = 3) -> Ladder:
    names = (*MODELS[: count - 1], MODELS[-1])
    return from_names(names, {"CASCADE_DECIDE__PRESET": preset}).ladders["default"]


def compiled(data: dict[str, object]) -> Tables:
    tables, found = check(Found(data, "test"), {})
    assert not found
    assert tables is not None
    return tables


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_reference_has_no_bar(preset: PresetName, count: int) -> None:
    made = ladder(preset, count)
    for level in LEVELS:
        assert len(made.bars[level]) == count
        assert made.bars[level][-1] is None
        assert 0 <= made.starts[level] < count


def test_balanced_asks_more_of_more_demanding_requests() -> None:
    made = ladder("balanced")
    assert made.bars["simple"] == (Bar(rule=()), Bar(rule=()), None)
    assert made.bars["moderate"] == made.bars["complex"] == (SURE, SURE, None)
    assert made.starts == {"simple": 0, "moderate": 0, "complex": 1}


def test_safe_asks_the_same_of_every_request() -> None:
    made = ladder("safe")
    assert {made.bars[level] for level in LEVELS} == {(SURE, SURE, None)}


def test_cheap_accepts_unchecked_from_the_first_rung() -> None:
    made = ladder("cheap")
    assert {made.bars[level] for level in LEVELS} == {(None, None, None)}
    assert set(made.starts.values()) == {0}


def test_best_starts_at_the_reference_and_nothing_clears_a_lower_rung() -> None:
    made = ladder("best")
    assert {made.bars[level] for level in LEVELS} == {(Bar(), Bar(), None)}
    assert set(made.starts.values()) == {2}


def test_a_complex_request_starts_at_the_last_of_two_rungs() -> None:
    assert ladder("balanced", 2).starts["complex"] == 1
    assert ladder("balanced", 1).starts["complex"] == 0


@pytest.mark.parametrize("preset", PRESETS)
def test_the_operators_own_rule_replaces_the_presets_bar_at_every_level(
    preset: PresetName,
) -> None:
    made = compiled(
        {
            "ladders": {"default": ["m", "openai/gpt-4o"], "only": ["m"]},
            "rungs": {"m": {"endpoints": ["openai/gpt-4o-mini"], "accept": "min_logprob > -2"}},
            "decide": {"preset": preset},
        }
    ).ladders
    own = Bar(rule=(Comparison("min_logprob", ">", -2.0),))
    assert {made["default"].bars[level] for level in LEVELS} == {(own, None)}
    assert {made["only"].bars[level] for level in LEVELS} == {(None,)}


def test_when_unsure_goes_into_every_bar_and_a_rung_may_differ() -> None:
    data = {
        "ladders": {"default": ["openai/gpt-4o-mini", "a", "b", "openai/gpt-4o"]},
        "rungs": {
            "a": {"endpoints": ["openai/gpt-4.1"], "accept": "min_logprob > -2"},
            "b": {
                "endpoints": ["openai/gpt-4.1-mini"],
                "accept": "min_logprob > -2",
                "when_unsure": "climb",
            },
        },
        "decide": {"when_unsure": "accept"},
    }
    bars = compiled(data).ladders["default"].bars["moderate"]
    assert [bar and bar.when_unsure for bar in bars] == ["accept", "accept", "climb", None]


def test_a_start_of_the_operators_own_holds_where_the_ladder_has_that_rung() -> None:
    data = {
        "ladders": {
            "default": list(MODELS),
            "other": ["openai/gpt-4.1", "openai/gpt-4o"],
            "turned": [MODELS[2], MODELS[1]],
        },
        "decide": {"start": {"simple": MODELS[1]}},
    }
    ladders = compiled(data).ladders
    assert ladders["default"].starts == {"simple": 1, "moderate": 0, "complex": 1}
    assert ladders["other"].starts["simple"] == 0
    assert ladders["turned"].starts["simple"] == 1


def test_the_default_bar_means_nine_chances_in_ten_for_each_token() -> None:
    assert math.exp(DEFAULT_BAR) == pytest.approx(0.9, abs=0.01)


def test_a_ladders_fingerprint_follows_what_answers_not_what_it_is_called() -> None:
    def mark(ladders: dict[str, list[str]], rungs: dict[str, object], **env: str) -> bytes:
        tables, found = check(Found({"ladders": ladders, "rungs": rungs}, "test"), env)
        assert tables is not None, found
        return tables.ladders["default"].fingerprint

    small: dict[str, object] = {"endpoints": ["openai/gpt-4o-mini"]}
    base = mark({"default": ["a", "openai/gpt-4o"]}, {"a": small})
    assert base == mark({"default": ["b", "openai/gpt-4o"]}, {"b": {**small, "calls": 9}})
    others = [
        mark({"default": ["openai/gpt-4o", "a"]}, {"a": small}),
        mark({"default": ["a"]}, {"a": small}),
        mark({"default": ["a", "openai/gpt-4o"]}, {"a": {**small, "pattern": "x"}}),
        mark({"default": ["a", "openai/gpt-4o"]}, {"a": {"endpoints": ["openai/gpt-4.1"]}}),
        mark(
            {"default": ["a", "openai/gpt-4o"]},
            {"a": small},
            OPENAI_BASE_URL="http://127.0.0.1:1/v1",
        ),
    ]
    assert len({base, *others}) == len(others) + 1


def test_a_fingerprint_does_not_follow_how_a_model_is_called() -> None:
    def mark(provider: dict[str, object], rung: dict[str, object]) -> bytes:
        data = {
            "ladders": {"default": ["m"]},
            "rungs": {"m": {"endpoints": ["mine/x", "mine/y"], **rung}},
            "providers": {"mine": {"base_url": "https://mine.test/v1", **provider}},
        }
        return compiled(data).ladders["default"].fingerprint

    base = mark({}, {})
    for provider in (
        {"protocol": "anthropic"},
        {"key": "$MINE", "key_header": "api-key"},
        {"proxy": "http://127.0.0.1:1", "api_version": "preview", "headers": {"x-team": "a"}},
    ):
        assert mark(dict(provider), {}) == base
    weighed = [{"model": "mine/x", "weight": 9}, "mine/y"]
    assert mark({}, {"endpoints": weighed, "balance": "weight", "hedge": "learned"}) == base
    assert mark({"base_url": "https://mine.test/v2"}, {}) != base

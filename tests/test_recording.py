"""The demo's recording: what it must be for the demo to say true things."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cascade.learning.trace import read_trace
from cascade.money import UNITS_PER_USD, from_usd, units_per_token
from cascade.tokens import count

RECORDING = Path(__file__).resolve().parents[1] / "examples" / "recording"
DEMO = RECORDING / "demo.jsonl"
MODELS = ["smollm2-135m", "gemma3-270m", "handwritten-reference"]
HANDWRITTEN = "handwritten-reference"


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RECORDING / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return _lines("demo.jsonl")


@pytest.fixture(scope="module")
def order() -> list[str]:
    return (RECORDING / "order.txt").read_text("utf-8").split()


def test_every_line_is_a_row_of_format_version_1() -> None:
    recording = read_trace(DEMO)
    assert list(recording.models) == MODELS
    for row in recording.rows:
        assert row.id
        assert row.dataset
        assert row.gold is not None
        assert list(row.answers) == MODELS
        assert recording.said(row.turns) == (row,)


def test_every_real_answer_was_measured(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        for model in MODELS[:2]:
            answer = row["answers"][model]
            assert answer["text"].strip()
            assert answer["latency_s"] > 0
            assert answer["mean_logprob"] < 0
            assert 0 < answer["output_tokens"] <= 120
            assert answer["input_tokens"] > 0
            assert "handwritten" not in answer


def test_hand_written_answers_are_marked_and_claim_no_measurement(
    rows: list[dict[str, Any]],
) -> None:
    for row in rows:
        answer = row["answers"][HANDWRITTEN]
        assert answer["handwritten"] is True
        assert not answer.keys() & {"latency_s", "mean_logprob"}
        assert answer["score"] == 1.0


def test_hand_written_answers_have_counted_tokens(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        answer = row["answers"][HANDWRITTEN]
        texts = [row[key] for key in ("system", "prompt") if key in row]
        assert answer["output_tokens"] == count(answer["text"])
        assert answer["input_tokens"] == sum(count(text) + 4 for text in texts) + 3


def test_every_cost_is_tokens_times_the_examples_price_exactly(rows: list[dict[str, Any]]) -> None:
    config = tomllib.loads((RECORDING / "config.toml").read_text("utf-8"), parse_float=Decimal)
    for row in rows:
        for model, answer in row["answers"].items():
            price = config["models"][f"demo/{model}"]["price"]
            units = answer["input_tokens"] * units_per_token(price["input"])
            units += answer["output_tokens"] * units_per_token(price["output"])
            assert from_usd(answer["cost_usd"]) == units
            assert Decimal(str(answer["cost_usd"])) * UNITS_PER_USD == units


def test_every_score_is_what_the_stated_rule_gives(rows: list[dict[str, Any]]) -> None:
    grading = _grading()
    for row, prompt in zip(rows, _lines("prompts.jsonl"), strict=True):
        if prompt["grade"]["rule"] == "python":
            continue  # it would run what a model wrote
        for answer in row["answers"].values():
            score, final = grading.grade(answer["text"], prompt["gold"], prompt["grade"])
            assert (answer["score"], answer.get("final")) == (score, final), row["id"]


def test_the_recording_holds_the_prompts_that_stand_beside_it(rows: list[dict[str, Any]]) -> None:
    for row, prompt in zip(rows, _lines("prompts.jsonl"), strict=True):
        for key in ("id", "dataset", "system", "prompt", "gold"):
            assert row.get(key) == prompt.get(key)
        assert row["answers"][HANDWRITTEN]["text"] == prompt["reference"]


def test_there_are_sixty_distinct_prompts_of_eight_kinds(rows: list[dict[str, Any]]) -> None:
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({(row.get("system"), row["prompt"]) for row in rows}) == len(rows) >= 60
    assert len({row["dataset"] for row in rows}) == 8


def test_the_order_is_a_days_traffic_with_repeats(
    rows: list[dict[str, Any]], order: list[str]
) -> None:
    assert set(order) == {row["id"] for row in rows}
    assert 75 <= len(order) <= 90
    assert len(order) - len(set(order)) >= 15


def test_the_recording_is_small_enough_for_a_wheel() -> None:
    assert DEMO.stat().st_size < 300_000


def _grading() -> ModuleType:
    spec = importlib.util.spec_from_file_location("grading", RECORDING / "grading.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""The benchmarks run. Their figures are no business of a test: nothing here asserts a time."""

from __future__ import annotations

import gzip
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import Figure, as_json, table
from benchmarks.intervals import interval
from benchmarks.prices import ListPrice, price_of, read
from benchmarks.rounds import Sample, median, percentile, turns
from cascade.learning.trace import RecordedAnswer, Recording, Row

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ, check=False, capture_output=True, text=True
    )


def test_every_benchmark_runs_and_measures_its_limit_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = run("--quick", "--json", str(file))
    assert done.returncode == 0, done.stderr
    figures: list[dict[str, Any]] = json.loads(file.read_text())["figures"]
    budgeted = [figure for figure in figures if figure["budget"] is not None]
    assert {figure["path"].split(",")[0] for figure in budgeted} == {
        "exact hit",
        "miss",
        "stream",
        "step",
        "three rungs",
        "import cascade",
        "cascade --help",
        "server ready",
        "server",
    }
    # What is counted in seconds of CPU may be too little to measure in a quick run.
    measured = [figure for figure in budgeted if "per core" not in figure["path"]]
    assert all(figure["limit"] is not None and figure["of"] for figure in measured)


def test_an_unknown_benchmark_is_refused_by_name() -> None:
    done = run("exact_hits")
    assert done.returncode == 2
    assert "exact_hits: choose among exact_hit," in done.stderr


def recorded(text: str, score: float, cost: float, logprob: float | None) -> dict[str, Any]:
    answer = {
        "text": text,
        "score": score,
        "input_tokens": 20,
        "output_tokens": 4,
        "cost_usd": cost,
        "latency_s": 0.5,
    }
    return answer if logprob is None else answer | {"mean_logprob": logprob}


def test_a_recording_is_answered_at_its_recorded_cost_then_from_the_cache(tmp_path: Path) -> None:
    trace, file = tmp_path / "trace.jsonl.gz", tmp_path / "report.json"
    rows = [
        {
            "prompt": f"What is the capital of country number {number}?",
            "answers": {
                "weak/1b": recorded("Paris", number % 2, 4.8e-6, -0.01 if number < 3 else None),
                "strong": recorded("Rome", 1.0, 48e-6, -0.5),
            },
        }
        for number in range(6)
    ]
    trace.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    done = run(
        *("recording", str(trace), "--ladder", "weak/1b,strong", "--bar", "-0.1"),
        *("--price", "weak/1b=0.2/0.2", "strong=2/2", "--json", str(file)),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(file.read_text())
    assert report["failed"] == []
    policy, again = report["policy"], report["again"]
    assert policy["rung_share"] == {"weak/1b": 0.5, "strong": 0.5}
    assert policy["calls"] == 6 + 3
    assert policy["cost_is_exact"] is True
    assert policy["quality"] == pytest.approx((0 + 1 + 0 + 3) / 6)
    assert policy["estimated_share"] == 0
    assert policy["recorded_latency_s"] == {"p50": 0.5, "p99": 1.0}
    assert again["calls"] == 0
    assert again["by_cache"] == {"exact": 6}
    assert report["baselines"]["always:weak/1b"]["quality"] == 0.5
    assert report["baselines"]["always:strong"]["cost_usd_per_1k"] == pytest.approx(0.048)


def test_a_ladder_that_was_not_recorded_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text(json.dumps({"prompt": "Hm?", "answers": {"a": {"text": "Hm."}}}))
    done = run("recording", str(trace), "--ladder", "a,b", "--bar", "-0.1")
    assert done.returncode == 2
    assert "b is not in the recording; it has a" in done.stderr


def test_a_figure_tells_whether_its_budget_was_met() -> None:
    time = Figure("hit", 20.0, "us", 5.0, "row", 25.0)
    rate = Figure("hit", 9_000.0, "/s", 20_000.0, "hello", 15_000.0)
    added = Figure("miss", 500.0, "us", 100.0, "direct", 300.0, added=True)
    unmeasured = Figure("memory", None, "MB", None, "", 90.0)
    assert [time.verdict, rate.verdict, added.verdict, unmeasured.verdict] == [
        "met",
        "missed",
        "missed",
        "",
    ]
    assert time.ratio == 4.0
    assert unmeasured.ratio is None
    assert "added <= 300 us" in table([time, rate, added, unmeasured])
    assert as_json([unmeasured])[0]["measured"] is None


def test_each_round_begins_with_another_path_and_the_median_is_taken_of_each_figure() -> None:
    assert list(turns(2, ["a", "b"])) == ["a", "b", "b", "a"]
    taken = [Sample(1.0, 9.0, 5.0), Sample(2.0, 7.0, 6.0), Sample(3.0, 8.0, 4.0)]
    assert median(taken) == Sample(2.0, 8.0, 5.0)
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.0
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.99) == 4.0


def test_a_price_comes_from_the_recorded_costs_only_if_it_explains_them_all() -> None:
    def row(given: int, taken: int, cost: float) -> Row:
        answer = RecordedAnswer("x", input_tokens=given, output_tokens=taken, cost_usd=cost)
        return Row(f"{given} {taken}", {"m": answer})

    exact = [row(100, 10, 100 * 0.3e-6 + 10 * 1.2e-6), row(7, 900, 7 * 0.3e-6 + 900 * 1.2e-6)]
    assert price_of("m", Recording(exact), {}) == ListPrice(0.3, 1.2, "derived")
    assert price_of("m", Recording([*exact, row(50, 50, 1.0)]), {}) is None
    assert price_of("m", Recording([]), {"m": ListPrice(1.0, 2.0)}) == ListPrice(1.0, 2.0)
    assert read("meta/llama=0.2/0.4") == ("meta/llama", ListPrice(0.2, 0.4))
    with pytest.raises(ValueError, match="write MODEL=INPUT/OUTPUT"):
        read("gpt-4o=2.5")


def test_an_interval_holds_the_mean_and_is_the_same_every_time() -> None:
    values = [0.0, 1.0] * 50
    bounds = interval(values)
    assert bounds is not None
    assert bounds[0] < 0.5 < bounds[1]
    assert bounds == interval(values)
    assert math.isclose(bounds[1] - bounds[0], 0.2, abs_tol=0.06)
    assert interval([]) is None

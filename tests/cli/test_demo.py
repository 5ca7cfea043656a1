"""``cascade demo``: the recorded traffic through the real server."""

from __future__ import annotations

import pytest

from tests.cli.commands import Place


def test_it_shows_rungs_cache_cost_and_what_it_is_not(place: Place) -> None:
    ran = place.run("demo", "--speed", "0")
    assert ran.status == 0
    words = " ".join(ran.out.split())
    for part in (
        "demo/smollm2-135m",
        "demo/handwritten-reference",
        "exact",
        "strongest alone",
        "p95",
        "Not calibrated",
        "prices are the example's own",
        "written by hand",
    ):
        assert part in words
    assert not list(place.path.iterdir())


def test_its_json_adds_up(place: Place) -> None:
    told = place.run("demo", "--speed", "0", "--json").json
    assert list(told) == [
        *("requests", "by_rung", "by_cache", "cost_usd", "always_strongest_usd"),
        *("saved_share", "latency_s"),
    ]
    assert told["requests"] == sum(told["by_rung"].values()) == sum(told["by_cache"].values()) == 83
    assert told["always_strongest_usd"] == 0.0287375
    assert told["saved_share"] == pytest.approx(1 - told["cost_usd"] / 0.0287375)
    assert 0 < told["cost_usd"] < told["always_strongest_usd"]
    assert told["latency_s"]["p50"] <= told["latency_s"]["p95"]

"""``cascade init``: a first configuration from the keys that are there."""

from __future__ import annotations

import pytest

from cascade.cli.starting import LADDERS
from cascade.config.read import from_names, load
from tests.cli.commands import Place, Run

SECRET = "sk-not-to-be-seen"


def test_without_a_key_it_says_what_to_do_and_writes_nothing(place: Place, run: Run) -> None:
    ran = run("init")
    assert (ran.status, ran.out) == (2, "")
    assert "$OPENAI_API_KEY" in ran.err
    assert "export OPENAI_API_KEY=" in ran.err
    assert "cascade demo" in ran.err
    assert not list(place.path.iterdir())


def test_it_writes_a_configuration_that_loads_and_says_what_requests_cost(
    place: Place, run: Run
) -> None:
    ran = run("init", "--json", OPENAI_API_KEY=SECRET, MISTRAL_API_KEY=SECRET)
    told = ran.json
    assert ran.status == 0
    assert told["config"] == "config.toml"
    assert told["found"] == [
        {"provider": "openai", "variable": "OPENAI_API_KEY"},
        {"provider": "mistral", "variable": "MISTRAL_API_KEY"},
    ]
    written = place.path / "config.toml"
    tables = load(written, {})
    assert list(tables.ladders) == ["default", "mistral"]
    luna = next(rung for rung in told["rungs"] if rung["rung"] == "openai/gpt-5.6-luna")
    price = tables.rungs["openai/gpt-5.6-luna"].endpoints[0].price
    assert price is not None
    assert luna["cost_usd_per_1k"] == (500 * price.input + 250 * price.output) / 10**9
    assert SECRET not in written.read_text() + ran.out + ran.err


def test_it_never_writes_over_a_file(place: Place, run: Run) -> None:
    written = place.write("config.toml", "mine")
    ran = run("init", OPENAI_API_KEY=SECRET)
    assert ran.status == 2
    assert "config.toml: it is there already" in ran.err
    assert "--config FILE" in ran.err
    assert written.read_text() == "mine"
    assert run("init", "--config", "other.toml", OPENAI_API_KEY=SECRET).status == 0
    assert (place.path / "other.toml").exists()


@pytest.mark.parametrize("provider", LADDERS)
def test_the_suggested_models_are_in_the_price_list_cheapest_first(provider: str) -> None:
    rungs = from_names([f"{provider}/{model}" for model in LADDERS[provider]], {}).rungs
    prices = [rung.endpoints[0].price for rung in rungs.values()]
    costs = [2 * price.input + price.output for price in prices if price is not None]
    assert len(costs) == len(prices)
    assert costs == sorted(costs)


@pytest.mark.parametrize(
    ("variable", "provider", "protocol"),
    [
        ("ANTHROPIC_API_KEY", "anthropic", "anthropic"),
        ("ANTHROPIC_AUTH_TOKEN", "anthropic", "anthropic"),
        ("GOOGLE_API_KEY", "google", "gemini"),
        ("GEMINI_API_KEY", "google", "gemini"),
        ("MISTRAL_API_KEY", "mistral", "openai"),
    ],
)
def test_each_vendor_is_asked_in_its_own_protocol(
    place: Place, run: Run, variable: str, provider: str, protocol: str
) -> None:
    ran = run("init", "--json", **{variable: SECRET})
    assert ran.json["found"] == [{"provider": provider, "variable": variable}]
    rungs = load(place.path / "config.toml", {variable: SECRET}).rungs.values()
    assert {rung.endpoints[0].protocol for rung in rungs} == {protocol}


def test_it_says_what_the_preset_makes_of_models_without_log_probabilities(run: Run) -> None:
    ran = run("init", ANTHROPIC_API_KEY=SECRET)
    assert "reads log-probabilities, which none of its endpoints gives" in ran.err
    assert 'when_unsure = "accept"' in ran.err


def test_it_has_nothing_to_add_where_the_preset_fits(run: Run) -> None:
    assert "Warning" not in run("init", OPENAI_API_KEY=SECRET).err

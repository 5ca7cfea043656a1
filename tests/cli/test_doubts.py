"""``cascade check`` warns of what is no mistake and was probably not meant."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.commands import Place, Run

KEYS = {"OPENAI_API_KEY": "something", "ANTHROPIC_API_KEY": "something"}


def warnings(place: Place, run: Run, text: str) -> list[dict[str, Any]]:
    place.write("config.toml", text)
    ran = run("check", "--json", **KEYS)
    assert ran.status == 0, ran.err
    assert ran.json["ok"]
    assert ran.err.count("Warning: ") == len(ran.json["warnings"])
    found: list[dict[str, Any]] = ran.json["warnings"]
    return found


def ladder(*models: str, more: str = "") -> str:
    return f"[ladders]\ndefault = {list(models)}\n{more}"


def rule(text: str) -> str:
    return f'[rungs.r]\nendpoints = ["openai/gpt-4o-mini"]\naccept = "{text}"\n'


def test_a_model_that_the_price_list_does_not_know_is_told_with_the_nearest_name(
    place: Place, run: Run
) -> None:
    (warning,) = warnings(place, run, ladder("openai/gpt-4o-mni", "openai/gpt-4o"))
    assert warning["place"] == 'models."openai/gpt-4o-mni"'
    assert "price is unknown" in warning["problem"]
    assert warning["mend"].startswith('Did you mean "openai/gpt-4o-mini"? If not, add [models.')


def test_a_name_like_no_other_gets_no_guess(place: Place, run: Run) -> None:
    (warning,) = warnings(place, run, ladder("openai/unheard-of-model"))
    assert warning["mend"].startswith('Add [models."openai/unheard-of-model"] price')


def test_a_price_of_ones_own_and_a_provider_without_a_list_are_no_doubt(
    place: Place, run: Run
) -> None:
    own = '[models."openai/ours"]\nprice = { input = 0.1, output = 0.4 }\n'
    assert warnings(place, run, ladder("ollama/small", "openai/ours", more=own)) == []


def test_a_dearer_rung_before_a_cheaper_one_is_told(place: Place, run: Run) -> None:
    (warning,) = warnings(place, run, ladder("openai/gpt-4o", "openai/gpt-4o-mini"))
    assert warning["place"] == "ladders.default"
    assert "openai/gpt-4o ($10 per million output tokens)" in warning["problem"]
    assert "before openai/gpt-4o-mini ($0.6)" in warning["problem"]


@pytest.mark.parametrize(
    "text", ["mean_logprob >= 0.1", "min_logprob > 0", "output_tokens >= 1 and p10_logprob >= 2"]
)
def test_a_bar_that_nothing_can_clear_is_told(place: Place, run: Run, text: str) -> None:
    (warning,) = warnings(place, run, ladder("r", "openai/gpt-4o", more=rule(text)))
    assert warning["place"] == "rungs.r.accept"
    assert warning["value"] in text
    assert "never above 0" in warning["problem"]


@pytest.mark.parametrize("text", ["mean_logprob >= 0", "first_margin >= 2", "mean_logprob <= 1"])
def test_a_bar_that_something_can_clear_is_no_doubt(place: Place, run: Run, text: str) -> None:
    assert warnings(place, run, ladder("r", "openai/gpt-4o", more=rule(text))) == []


def test_a_rung_whose_endpoints_lack_what_its_bar_reads_is_told(place: Place, run: Run) -> None:
    models = ("anthropic/claude-haiku-4-5", "anthropic/claude-opus-4-5")
    (warning,) = warnings(place, run, ladder(*models))
    assert (warning["place"], warning["value"]) == ("ladders.default", models[0])
    assert "for moderate and complex requests reads log-probabilities" in warning["problem"]
    assert "it will be called last, since it could not be accepted" in warning["problem"]
    accepting = ladder(*models, more='[decide]\nwhen_unsure = "accept"\n')
    assert warnings(place, run, accepting) == []

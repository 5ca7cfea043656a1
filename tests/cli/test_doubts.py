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


def test_each_vendors_key_that_goes_to_a_foreign_host_is_told(place: Place, run: Run) -> None:
    text = ladder("openai/gpt-4o-mini", "mine/x", "mine/y", "anthropic/claude-opus-4-5") + (
        '[decide]\nwhen_unsure = "accept"\n'
        '[providers.openai]\nbase_url = "http://gate.test:8000/v1"\n'
        '[providers.mine]\nbase_url = "https://mine.test/v1"\nkey = "$ANTHROPIC_API_KEY"\n'
    )
    first, second = warnings(place, run, text)
    assert first["place"] == "providers.openai.base_url"
    assert first["problem"] == (
        "$OPENAI_API_KEY, openai's key, goes to http://gate.test:8000, which is not openai's own"
    )
    assert second["place"] == "providers.mine.base_url"
    assert "$ANTHROPIC_API_KEY, anthropic's key, goes to https://mine.test," in second["problem"]
    assert 'key = "$…" or "none" under [providers.mine]' in second["mend"]


def test_a_key_that_the_environment_sends_elsewhere_is_told_too(
    place: Place, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    (warning,) = warnings(place, run, ladder("openai/gpt-4o-mini", "openai/gpt-4o"))
    assert "goes to http://127.0.0.1:1, which is not openai's own" in warning["problem"]


def test_a_vendor_with_two_variables_is_told_once(place: Place, run: Run) -> None:
    text = ladder("anthropic/claude-opus-4-5") + (
        '[providers.anthropic]\nbase_url = "https://gate.test/v1"\n'
    )
    (warning,) = warnings(place, run, text)
    assert warning["problem"].startswith("$ANTHROPIC_API_KEY or $ANTHROPIC_AUTH_TOKEN, anthropic's")


def test_a_key_of_ones_own_may_go_anywhere(place: Place, run: Run) -> None:
    text = ladder("mine/x") + (
        '[providers.mine]\nbase_url = "https://mine.test/v1"\nkey = "$MINE_KEY"\n'
    )
    place.write("config.toml", text)
    assert run("check", "--json", MINE_KEY="something").json["warnings"] == []


@pytest.mark.parametrize("api_version", ["", 'api_version = "2024-10-21"\n'])
def test_a_deployment_without_a_version_is_told(place: Place, run: Run, api_version: str) -> None:
    text = ladder("azure/ours") + (
        '[providers.azure]\nbase_url = "https://x.openai.azure.com/openai/deployments/ours"\n'
        f'{api_version}[models."azure/ours"]\nprice = {{ input = 1, output = 2 }}\n'
    )
    place.write("config.toml", text)
    told = run("check", "--json", AZURE_OPENAI_API_KEY="something").json["warnings"]
    assert [each["place"] for each in told] == (
        [] if api_version else ["providers.azure.api_version"]
    )

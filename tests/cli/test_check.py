"""``cascade check``: every mistake, or what the configuration means."""

from __future__ import annotations

from tests.cli.commands import Place, Run


def test_it_shows_prices_capabilities_bars_and_that_nothing_is_calibrated(
    configured: Place, run: Run
) -> None:
    out = run("check").out
    for part in (
        "No mistakes.",
        "x/cheap",
        "none needed",
        "configuration",
        "mean_logprob >= -0.1, else climb",
        "any sound answer",
        "Not calibrated. Preset balanced",
    ):
        assert part in out
    told = run("check", "--json").json
    assert told["ok"]
    assert not told["calibrated"]
    assert told["models"][0]["price"]["output"] == 0.4
    assert told["models"][0]["price_source"] == "configuration"
    assert told["models"][0]["context"] is None
    ladder = told["ladders"]["default"]
    assert ladder["starts"] == {
        "simple": "x/cheap",
        "moderate": "x/cheap",
        "complex": "x/strong",
    }
    assert ladder["bars"]["moderate"] == {"x/cheap": "mean_logprob >= -0.1", "x/strong": None}


def test_live_asks_each_endpoint_and_tells_which_does_not_answer(
    configured: Place, run: Run
) -> None:
    ran = run("check", "--live", "--json")
    assert ran.status == 1
    cheap, strong = ran.json["live"]
    assert (cheap["ok"], cheap["cost_usd"]) == (True, 1.4e-06)
    assert not strong["ok"]
    assert strong["kind"] == "unsupported"
    assert "was not recorded on the prompt" in strong["message"]
    assert not ran.json["ok"]


def test_all_mistakes_are_told_at_once(place: Place, run: Run) -> None:
    place.write(
        "config.toml",
        """
[ladders]
default = ["openai/gpt-5.6-luna"]
[decide]
preset = "balancd"
max_cost = "cheap"
[cache]
sise = "1 GB"
""",
    )
    ran = run("check", "--json")
    assert ran.status == 2
    assert [error["place"] for error in ran.json["mistakes"]] == [
        "decide.preset",
        "decide.max_cost",
        "cache.sise",
    ]
    assert ran.json["mistakes"][0]["mend"] == 'Did you mean "balanced"?'
    assert "decide.preset = 'balancd'" in ran.err
    assert "3 mistakes" in ran.err


def test_a_missing_key_is_a_mistake_that_names_its_variable(place: Place, run: Run) -> None:
    place.write("config.toml", '[ladders]\ndefault = ["openai/gpt-5.6-luna"]\n')
    ran = run("check", "--json")
    assert ran.status == 2
    assert ran.json["mistakes"] == []
    (missing,) = ran.json["missing_keys"]
    assert missing["place"] == "providers.openai.key"
    assert "export OPENAI_API_KEY=" in missing["mend"]
    assert run("check", OPENAI_API_KEY="something").status == 0


def test_with_a_missing_key_it_says_no_mistakes_of_the_file_only(place: Place, run: Run) -> None:
    models = '"openai/gpt-5.6-luna", "anthropic/claude-opus-4-5"'
    place.write("config.toml", f"[ladders]\ndefault = [{models}]\n")
    ran = run("check")
    assert ran.status == 2
    assert ran.out.startswith("No mistakes in the file; 2 keys are missing.\n")
    one = run("check", OPENAI_API_KEY="something")
    assert one.out.startswith("No mistakes in the file; 1 key is missing.\n")


def test_live_tells_of_a_key_that_cannot_be_sent_and_asks_the_others(
    configured: Place, run: Run
) -> None:
    text = (configured.path / "config.toml").read_text()
    url = text.partition('base_url = "')[2].partition('"')[0]
    other = f'[providers.y]\nbase_url = "{url}"\nkey = "$Y_KEY"\n'
    configured.write("config.toml", text.replace('"x/strong"]', '"y/strong"]') + other)
    ran = run("check", "--live", "--json", Y_KEY="abc\u200bdef")
    assert ran.status == 2
    cheap, strong = ran.json["live"]
    assert cheap["ok"]
    assert (strong["ok"], strong["kind"]) == (False, "auth")
    assert "$Y_KEY holds a character that no key has" in strong["message"]


def test_it_shows_protocols_balance_and_reserved_tools(place: Place, run: Run) -> None:
    place.write(
        "config.toml",
        """
[ladders]
default = ["small", "anthropic/claude-sonnet-5"]

[rungs.small]
endpoints = ["google/gemini-3-flash", { model = "ollama/llama3", weight = 3 }]
balance = "weight"
hedge = "learned"

[decide]
strong_for_tools = ["refund"]
""",
    )
    keys = {"GOOGLE_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
    told = run("check", "--json", **keys).json
    assert {model["name"]: model["protocol"] for model in told["models"]} == {
        "google/gemini-3-flash": "gemini",
        "ollama/llama3": "openai",
        "anthropic/claude-sonnet-5": "anthropic",
    }
    small = told["rungs"]["small"]
    assert (small["balance"], small["weights"], small["hedge"]) == ("weight", [1, 3], "learned")
    assert told["decide"]["strong_for_tools"] == ["refund"]
    assert "Only the strongest rung may call refund." in run("check", **keys).out

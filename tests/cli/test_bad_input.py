"""Bad input: each message says what, where and how to mend it; no command shows a traceback."""

from __future__ import annotations

import pytest

from tests.cli.commands import CAPITAL, Place, Provider, Run

LADDER = '[ladders]\ndefault = ["x/cheap", "x/strong"]\n'


@pytest.mark.parametrize(
    ("arguments", "status", "parts"),
    [
        (["ask", " "], 2, ["messages[0].content", "' '", "empty", "Write something"]),
        (["ask", "Hi", "--quality", "0.9"], 2, ["quality = 0.9", "calibration", '"best"']),
        (["ask", "Hi", "--ladder", "none"], 2, ["ladder = 'none'", "no such ladder", "default"]),
        (["ask", "Hi", "--max-cost", "-1"], 2, ["max_cost = -1", "US dollars", "positive"]),
        (["ask", "Hi", "--deadline", "x"], 2, ["--deadline", "valid number"]),
        (["ask"], 2, ["Missing argument 'TEXT'"]),
        (["ask", "Hi", "--config", "no.toml"], 2, ["no.toml", "cannot be read", "path"]),
        (["ask", CAPITAL, "--max-cost", "1e-7"], 1, ["max_cost", "cheapest call", "Raise the cap"]),
        (["ask", "Nobody recorded this."], 1, ["x/cheap", "x/strong", "404", "not_recorded"]),
        (["warm", "no.txt"], 2, ["no.txt", "cannot be read", "path"]),
        (["warm", "x", "--concurrency", "0"], 2, ["--concurrency", "1"]),
        (["emulate", "--recording", "no.jsonl"], 1, ["no.jsonl", "cannot be read", ".jsonl"]),
        (["serve", "--port", "70000"], 1, ["70000", "0 to 65535"]),
        (["frobnicate"], 2, ["No such command 'frobnicate'"]),
    ],
    ids=lambda value: " ".join(value[:4]) if isinstance(value, list) else None,
)
def test_a_wrong_argument(
    configured: Place, run: Run, arguments: list[str], status: int, parts: list[str]
) -> None:
    ran = run(*arguments)
    assert (ran.status, ran.out) == (status, "")
    for part in parts:
        assert part in ran.err


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"{LADDER}[decide]\ndeadline = 'soon'\n", ["decide.deadline", "'soon'", "seconds"]),
        (f"{LADDER}[decide]\nprest = 'safe'\n", ["decide.prest", "unknown", '"preset"']),
        (f"{LADDER}[decide]\ndeadline = \n", ["config.toml, line 4", "not TOML", "Mend the line"]),
        (f"{LADDER}[tiers.free]\nmonthly_tokens = 1\n", ["tiers", "does not know", "Take it out"]),
        ('[ladders]\ndefault = ["opnai/gpt"]\n', ["ladders.default[0]", '"openai"']),
        (
            '[ladders]\ndefault = ["openai/unheard-of-model"]\n[decide]\nmax_cost = 0.01\n',
            ['models."openai/unheard-of-model".price', "price is unknown", "max_cost", "Add [mod"],
        ),
        ("[other]\na = 1\n", ["none was found", "./config.toml", "cascade init"]),
    ],
    ids=["type", "key", "syntax", "later", "provider", "price", "foreign"],
)
def test_a_wrong_configuration(place: Place, run: Run, text: str, parts: list[str]) -> None:
    place.write("config.toml", text)
    ran = run("ask", CAPITAL)
    assert (ran.status, ran.out) == (2, "")
    for part in parts:
        assert part in ran.err


def test_a_missing_key_names_its_variable(place: Place, run: Run) -> None:
    place.write("config.toml", '[ladders]\ndefault = ["openai/gpt-5.6-luna"]\n')
    ran = run("ask", CAPITAL)
    assert (ran.status, ran.out) == (2, "")
    for part in ("providers.openai.key", "$OPENAI_API_KEY is not set", "export OPENAI_API_KEY=…"):
        assert part in ran.err


def test_a_prompt_beyond_every_context_window_names_the_windows(
    place: Place, provider: Provider, run: Run
) -> None:
    place.configure(provider.url)
    text = (place.path / "config.toml").read_text()
    place.write("config.toml", text.replace("price =", "context = 100\nprice ="))
    ran = run("ask", "-", stdin=b"word " * 2_000)
    assert (ran.status, ran.out) == (2, "")
    for part in ("context", "100", "Shorten"):
        assert part in ran.err


def test_a_provider_that_is_down_is_named_with_every_attempt(place: Place, run: Run) -> None:
    place.configure("http://127.0.0.1:9")  # the discard port: nobody listens
    text = (place.path / "config.toml").read_text()
    once = "".join(
        f'[rungs."x/{name}"]\nendpoints = ["x/{name}"]\ncalls = 1\n' for name in ("cheap", "strong")
    )
    place.write("config.toml", text + once)
    ran = run("ask", CAPITAL)
    assert (ran.status, ran.out) == (1, "")
    for part in ("x/cheap", "x/strong", "unavailable", "no connection"):
        assert part in ran.err


def test_the_environment_is_named_where_it_is_wrong(
    configured: Place, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASCADE_DECIDE__PRESET", "saef")
    ran = run("ask", CAPITAL)
    assert ran.status == 2
    for part in ("decide.preset", "$CASCADE_DECIDE__PRESET", "'saef'", '"safe"'):
        assert part in ran.err


def test_a_table_that_only_the_environment_names_is_told_with_its_variable(
    configured: Place, run: Run
) -> None:
    ran = run("check", CASCADE_DECID__PRESET="cheap")
    assert ran.status == 2
    assert "decid (from $CASCADE_DECID__PRESET): this table is unknown." in ran.err
    assert 'Did you mean "decide"?' in ran.err

"""``cascade warm``: every line is paid for once, however often it is stopped."""

from __future__ import annotations

import io
import json
import signal

import pytest
from rich.console import Console

from cascade.cli.bar import ProgressBar
from tests.cli.commands import CAPITAL, COMPARE, SLOW, Place, Provider


def body(prompt: str, **more: object) -> str:
    return json.dumps({"model": "auto", "messages": [{"role": "user", "content": prompt}], **more})


def test_prompts_and_bodies_are_warmed_and_the_second_run_calls_nobody(
    configured: Place, provider: Provider
) -> None:
    configured.write("w.txt", f"{CAPITAL}\n\n{body(COMPARE)}\n{body(CAPITAL)}\n")
    first = configured.run("warm", "w.txt", "--json")
    told = first.json
    assert list(told) == ["requests", "warmed", "already", "failed", "cost_usd", "seconds"]
    assert (told["requests"], told["warmed"], told["already"], told["failed"]) == (3, 2, 1, 0)
    assert told["cost_usd"] == 0.000109
    assert first.status == 0
    before = provider.delivered()["calls"]
    again = configured.run("warm", "w.txt", "--json").json
    assert (again["warmed"], again["already"], again["cost_usd"]) == (0, 3, 0.0)
    assert configured.run("ask", COMPARE, "--json").json["cache"] == "exact"
    assert provider.delivered()["calls"] == before
    anew = configured.run("warm", "w.txt", "--refresh", "--json").json
    assert (anew["warmed"], anew["already"]) == (2, 1)
    assert provider.delivered()["calls"] == before + 3


def test_a_bad_line_is_named_and_the_others_go_on(configured: Place) -> None:
    configured.write(
        "w.txt",
        "\n".join(
            [
                '{"model": "auto", "messages": ',
                body(CAPITAL, model="nobody"),
                body(CAPITAL, temperature=1),
                body(CAPITAL, colour="red"),
                "Nobody recorded this.",
                CAPITAL,
            ]
        ),
    )
    ran = configured.run("warm", "w.txt", "--json")
    assert ran.status == 1
    assert (ran.json["warmed"], ran.json["failed"]) == (1, 5)
    for line, said in (
        (1, "not JSON"),
        (2, "there is no ladder, rung or alias of this name"),
        (3, "its answer may not be kept"),
        (4, "colour"),
        (5, "no rung gave an answer"),
    ):
        assert any(
            told.startswith(f"w.txt, line {line}: ") and said in told
            for told in ran.err.splitlines()
        ), (line, ran.err)


def test_interrupted_it_keeps_what_it_has_and_goes_on_from_there(
    configured: Place, provider: Provider
) -> None:
    configured.write("w.txt", f"{CAPITAL}\n{COMPARE}\n{SLOW}\n")
    counted = provider.delivered()
    with configured.start("warm", "w.txt", "--concurrency", "1") as warming:
        provider.wait_for("calls", counted["calls"] + 4)  # the fourth is the slow one
        warming.send_signal(signal.SIGINT)
        out, err = warming.communicate(timeout=60)
    assert (warming.returncode, out) == (130, "")
    assert "Stopped. 2 of 3 requests: 2 warmed" in err
    provider.wait_for("disconnected", counted["disconnected"] + 1)
    configured.write("w.txt", f"{CAPITAL}\n{COMPARE}\n")
    again = configured.run("warm", "w.txt", "--json").json
    assert (again["already"], again["cost_usd"]) == (2, 0.0)
    assert provider.delivered()["calls"] == counted["calls"] + 4


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"abc\x00def", "byte 3 of the line is NUL"),
        (b"caf\xe9", "byte 3 of the line is not UTF-8"),
        (CAPITAL.encode("utf-16"), "NUL"),
    ],
    ids=["nul", "latin", "utf-16"],
)
def test_a_file_that_is_no_text_is_refused_before_anything_is_paid(
    configured: Place, provider: Provider, line: bytes, said: str
) -> None:
    before = provider.delivered()["calls"]
    (configured.path / "w.txt").write_bytes(CAPITAL.encode() + b"\n" + line + b"\n")
    ran = configured.run("warm", "w.txt")
    assert (ran.status, ran.out) == (2, "")
    assert "w.txt, line 2: " in ran.err
    assert said in ran.err
    assert "Give a text file in UTF-8" in ran.err
    assert provider.delivered()["calls"] == before


def test_a_missing_key_ends_it_at_once(configured: Place, provider: Provider) -> None:
    text = (configured.path / "config.toml").read_text()
    configured.write("config.toml", text.replace("[providers.x]", '[providers.x]\nkey = "$X_KEY"'))
    configured.write("w.txt", f"{CAPITAL}\n{COMPARE}\n")
    ran = configured.run("warm", "w.txt")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.count("$X_KEY is not set") == 1


def test_the_bar_shows_how_far_it_is_and_what_was_spent() -> None:
    written = io.StringIO()
    screen = Console(file=written, force_terminal=True, width=80)
    with ProgressBar(screen, 3) as bar:
        bar.show(2, "$0.000107")
    assert "2/3" in written.getvalue()
    assert "$0.000107" in written.getvalue()

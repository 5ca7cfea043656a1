"""``cascade ask``: the answer on standard output, all else on standard error."""

from __future__ import annotations

import signal

from tests.cli.commands import CAPITAL, COMPARE, SLOW, Place, Provider


def test_the_answer_is_printed_and_its_story_told(configured: Place) -> None:
    ran = configured.run("ask", CAPITAL)
    assert (ran.status, ran.out) == (0, "Paris.\n")
    configuration, story = ran.err.splitlines()
    assert configuration == "Configuration: config.toml"
    assert story.startswith("x/cheap answered: it cleared the rung's bar for a simple request; it")
    assert story.endswith("not calibrated.")


def test_a_hard_question_climbs_and_the_second_one_who_asks_pays_nothing(
    configured: Place, provider: Provider
) -> None:
    first = configured.run("ask", COMPARE, "--json").json
    assert list(first) == [
        *("text", "id", "rung", "endpoint", "model", "outcome", "basis", "confidence", "cache"),
        *("age_s", "cost_usd", "cost_estimated", "saved_usd", "saved_basis", "latency_s"),
        *("first_token_s", "level", "dropped", "usage", "attempts"),
    ]
    assert (first["text"], first["rung"]) == ("TCP is reliable, UDP is quick.", "x/strong")
    assert (first["basis"], first["cache"], first["confidence"]) == ("reference", "miss", None)
    # 10 tokens in at .10 and 3 out at .40, then 10 in at 2.50 and 8 out at 10, per million.
    assert first["cost_usd"] == 0.0001072
    assert first["usage"]["output_tokens"] == 8
    assert [attempt["result"] for attempt in first["attempts"]] == ["short", "accepted"]
    assert list(first["attempts"][0]) == [
        *("rung", "endpoint", "model", "purpose", "result", "kind", "why", "confidence"),
        *("cost_usd", "estimated", "latency_s"),
    ]
    before = provider.delivered()["calls"]
    second = configured.run("ask", COMPARE, "--json").json
    assert (second["cache"], second["cost_usd"], second["attempts"]) == ("exact", 0.0, [])
    assert provider.delivered()["calls"] == before
    anew = configured.run("ask", COMPARE, "--no-cache", "--json").json
    assert anew["cache"] == "miss"
    assert provider.delivered()["calls"] == before + 2


def test_a_dash_reads_the_question_from_standard_input(configured: Place) -> None:
    assert configured.run("ask", "-", stdin=CAPITAL.encode()).out == "Paris.\n"


def test_quality_best_asks_the_strongest(configured: Place) -> None:
    assert configured.run("ask", CAPITAL, "--quality", "best", "--json").json["rung"] == "x/strong"


def test_ctrl_c_leaves_quietly_and_cancels_the_paid_call(
    configured: Place, provider: Provider
) -> None:
    counted = provider.delivered()
    with configured.start("ask", SLOW) as asking:
        provider.wait_for("calls", counted["calls"] + 1)
        asking.send_signal(signal.SIGINT)
        out, err = asking.communicate(timeout=60)
    assert (asking.returncode, out, err) == (130, "", "Configuration: config.toml\n")
    provider.wait_for("disconnected", counted["disconnected"] + 1)


def test_a_reader_that_goes_away_ends_it_without_a_trace(configured: Place) -> None:
    with configured.start("ask", CAPITAL) as asking:
        assert asking.stdout is not None
        assert asking.stderr is not None
        asking.stdout.close()
        err = asking.stderr.read()
    assert asking.returncode == 1
    assert "Traceback" not in err
    assert "Exception" not in err

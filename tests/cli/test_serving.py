"""``cascade serve`` and ``cascade emulate``: one JSON line when ready, and a signal ends them."""

from __future__ import annotations

import json
import signal
import urllib.request

import pytest

from tests.cli.commands import RECORDING, Place, listening


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_status_0(configured: Place, number: signal.Signals) -> None:
    with listening(configured, "serve", "--port", "0") as (ready, process):
        assert list(ready) == ["ready", "url"]
        with urllib.request.urlopen(f"{ready['url']}/health/readiness") as response:
            assert response.status == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "Configuration: config.toml\n")


def test_the_emulator_tells_its_models_and_a_signal_ends_it(place: Place) -> None:
    place.write("r.jsonl", "\n".join(map(json.dumps, RECORDING)))
    with listening(place, "emulate", "--recording", "r.jsonl", "--speed", "0") as (ready, process):
        assert list(ready) == ["ready", "url", "models"]
        assert ready["models"] == ["cheap", "strong"]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_server_without_keys_warns_and_says_so_when_asked(place: Place) -> None:
    place.write("config.toml", '[ladders]\ndefault = ["openai/gpt-5.6-luna"]\n')
    with listening(place, "serve", "--port", "0") as (_, process):
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert "Warning: providers.openai.key: $OPENAI_API_KEY is not set" in err

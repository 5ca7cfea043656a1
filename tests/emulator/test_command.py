"""``cascade emulate`` takes faults and a prompt cache, and tells where nobody answers."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cascade.emulator import unreachable
from tests.cli.commands import RECORDING, Place, listening
from tests.emulator.asking import ask, delivered, request


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.write("r.jsonl", "\n".join(map(json.dumps, RECORDING)))
    return place


def test_faults_happen_and_the_ready_line_has_addresses_that_are_unreachable(place: Place) -> None:
    options = ("--speed", "0", "--faults", "cheap/503=1;seed=3", "--prefix-cache")
    with listening(place, "emulate", "--recording", "r.jsonl", *options) as (ready, _):
        assert list(ready) == ["ready", "url", "models", "unreachable"]
        asked = request("openai", False, "cheap", "What is the capital of France?")
        assert ask(ready["url"], *asked).status == 503
        assert delivered(ready["url"])["faults"] == {"503": 1}
        refused = urlsplit(ready["unreachable"]["refused"])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((refused.hostname, refused.port))
        assert ready["unreachable"]["dns"] == "http://emulator.invalid"


def test_faults_that_cannot_be_read_are_an_error_that_lists_what_there_is(place: Place) -> None:
    ran = place.run("emulate", "--recording", "r.jsonl", "--faults", "oops=1")
    assert ran.status in (1, 2)
    assert "there is no fault 'oops'. There are reset, 429, " in ran.err


def test_the_help_names_the_faults(place: Place) -> None:
    ran = place.run("emulate", "--help")
    assert ran.status == 0
    assert "slow-first-token" in ran.out.replace("\n", " ")


def test_a_refusing_port_is_held_while_it_is_wanted() -> None:
    with unreachable() as addresses:
        port = urlsplit(addresses["refused"]).port or 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))

"""A provider for the whole directory, and a fresh place for each test."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cascade.cli import main
from tests.cli.commands import RECORDING, Place, Provider, Ran, Run, listening


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    place = Place(tmp_path_factory.mktemp("provider"))
    recording = place.write("recording.jsonl", "\n".join(map(json.dumps, RECORDING)))
    with listening(place, "emulate", "--recording", str(recording)) as (ready, _):
        yield Provider(ready["url"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def configured(place: Place, provider: Provider) -> Place:
    place.configure(provider.url)
    return place


@pytest.fixture
def run(place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process, in the test's place and an empty environment.

    It spares the start of a process, of which there are enough in these tests.
    """
    monkeypatch.chdir(place.path)
    for name in os.environ:
        if name.startswith("CASCADE_") or name.endswith(("_KEY", "_TOKEN", "_URL")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CASCADE_DATA", place.env["CASCADE_DATA"])

    def here(*arguments: str, stdin: bytes = b"", **env: str) -> Ran:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["cascade", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    return here

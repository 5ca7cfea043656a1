"""A provider for the whole directory, and a fresh place for each test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import RECORDING, Place, Provider, listening


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

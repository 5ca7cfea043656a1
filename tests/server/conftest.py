"""The emulator and a server before it, once per file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from cascade.emulator import Emulator
from tests.server.kit import RECORDING, client_of, serving
from tests.serving import running


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The emulator's URL, without ``/v1``."""
    with running(Emulator(RECORDING)) as url:
        yield url


@pytest.fixture
def url(provider: str, tmp_path: Path) -> Iterator[str]:
    """A server with an empty cache; its URL, without ``/v1``."""
    with serving(f"{provider}/v1", tmp_path) as url:
        yield url


@pytest.fixture(scope="module")
def shared_url(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that the tests of a file share; for those that do not care what is cached."""
    with serving(f"{provider}/v1", tmp_path_factory.mktemp("shared")) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with client_of(url) as client:
        yield client


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url) as http:
        yield http


@pytest.fixture
def calls(provider: str) -> Callable[[], int]:
    """How many calls the provider has taken since the test began."""

    def taken() -> int:
        body: dict[str, Any] = httpx.get(f"{provider}/emulator/delivered").json()
        return int(body["calls"])

    before = taken()
    return lambda: taken() - before

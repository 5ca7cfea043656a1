"""The server tells whether it lives, whether it is ready, and what is missing."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from cascade import AsyncCascade
from cascade.config.keys import keyless_rungs
from cascade.config.read import load
from cascade.errors import CascadeError, Closed
from cascade.listen import Listener
from cascade.server import Server
from tests.server.kit import KEY, KEYS, cascade_on, serving
from tests.serving import running


@pytest.fixture
def url(shared_url: str) -> str:
    return shared_url


def test_it_is_alive_and_ready(http: httpx.Client) -> None:
    assert http.get("/health/liveness").json() == {"status": "ok"}
    assert http.get("/health/readiness").json()["status"] == "ready"
    assert http.head("/health/readiness").status_code == 200


def test_readiness_tells_what_the_cache_could_not_read_or_keep(tmp_path: Path) -> None:
    ai = cascade_on("http://127.0.0.1:9/v1", tmp_path, environ=KEYS)
    with running(Server(ai, environ=KEYS), lifespan=True) as url:
        told = httpx.get(f"{url}/health/readiness").json()
        assert told["cache"] == {"damaged": 0, "busy": 0, "unfit": 0, "lost": 0}
        assert ai._engine is not None
        assert ai._engine.cache is not None
        ai._engine.cache._unreadable(OSError("a row that is not ours"))
        assert httpx.get(f"{url}/health/readiness").json()["cache"]["damaged"] == 1


def test_it_is_not_ready_without_a_key_and_says_which(tmp_path: Path) -> None:
    with (
        serving("http://127.0.0.1:9/v1", tmp_path, environ={}) as url,
        httpx.Client(base_url=url) as http,
    ):
        assert http.get("/health/liveness").status_code == 200
        response = http.get("/health/readiness")
        assert response.status_code == 503
        assert response.json()["status"] == "not ready"
        assert "warnings" not in response.json()
        (problem,) = response.json()["problems"]
        assert "$TEST_KEY is not set" in problem


BACKUP = """
[rungs.backed]
endpoints = ["test/small", "free/small"]

[providers.free]
base_url = "http://127.0.0.1:9/v1"
key = "none"

[models."free/small"]
price = { input = 0.10, output = 0.40 }
"""


def test_a_key_that_no_rung_depends_on_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    ladders = '[ladders]\ndefault = ["backed"]\n'
    provider = '[providers.test]\nbase_url = "http://127.0.0.1:9/v1"\nkey = "$TEST_KEY"\n'
    price = '[models."test/small"]\nprice = { input = 0.10, output = 0.40 }\n'
    file.write_text(ladders + provider + price + BACKUP, encoding="utf-8")
    tables = load(file, {})
    assert keyless_rungs(tables, {}) == {}
    ai = AsyncCascade(tables=tables, data_dir=tmp_path, environ={})
    with running(Server(ai, environ={}), lifespan=True) as url:
        response = httpx.get(f"{url}/health/readiness")
    assert response.status_code == 200
    assert response.json()["status"] == "ready"
    (warning,) = response.json()["warnings"]
    assert "$TEST_KEY is not set" in warning


def test_a_data_directory_that_cannot_be_had_stops_the_start(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file, no directory")
    ai = cascade_on("http://127.0.0.1:9/v1", tmp_path)
    ai._data_dir = taken
    listener = Listener(Server(ai, environ=KEYS), lifespan=True)
    with pytest.raises(CascadeError, match="could not start"):
        listener.run()


def test_it_opens_the_cascade_at_the_start_and_closes_it_at_the_end(tmp_path: Path) -> None:
    ai = cascade_on("http://127.0.0.1:9/v1", tmp_path)
    with running(Server(ai, environ=KEYS), lifespan=True) as url:
        assert httpx.get(f"{url}/health/readiness").status_code == 200
    with pytest.raises(Closed):
        ai.stream("?").__aenter__().send(None)


def test_no_reply_carries_a_key(http: httpx.Client) -> None:
    for path in ("/v1/models", "/health/liveness", "/health/readiness", "/nothing"):
        response = http.get(path)
        assert KEY not in response.text + str(response.headers)

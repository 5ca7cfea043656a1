"""A web page cannot spend money on a server of its reader's machine."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import msgspec
import pytest

from cascade.server.origin import ForeignOriginError, check, refuse_foreign
from tests.server.kit import ASKED, PATH

BODY = msgspec.json.encode({"model": "auto", "messages": ASKED})


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null"])
def test_a_page_of_another_address_is_refused_and_nobody_is_called(
    http: httpx.Client, calls: Callable[[], int], origin: str
) -> None:
    headers = {"origin": origin, "content-type": "text/plain"}
    for response in (
        http.post(PATH, content=BODY, headers=headers),
        http.get("/v1/models", headers=headers),
        http.get("/health/readiness", headers=headers),
    ):
        assert response.status_code == 403
        assert response.headers["x-should-retry"] == "false"
        error = response.json()["error"]
        assert error["code"] == "foreign_origin"
        assert origin in error["message"]
    assert calls() == 0


def test_a_page_of_the_servers_own_address_is_answered(http: httpx.Client, url: str) -> None:
    assert http.post(PATH, content=BODY, headers={"origin": url}).status_code == 200


def test_a_client_that_is_no_browser_sends_no_origin_and_is_answered(http: httpx.Client) -> None:
    assert http.post(PATH, content=BODY).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (b"http://localhost:8000", b"localhost:8000"),
        (b"http://LocalHost", b"localhost:80"),
        (b"https://ai.example", b"ai.example:443"),
        (b"https://ai.example", b"AI.example"),
        (b"http://[::1]:8000", b"[::1]:8000"),
    ],
)
def test_an_origin_is_the_hosts_own_whatever_its_spelling(origin: bytes, host: bytes) -> None:
    check(origin, [(b"host", host)])


@pytest.mark.parametrize(
    ("origin", "hosts"),
    [
        (b"http://localhost:8001", [b"localhost:8000"]),
        (b"http://ai.example", [b"ai.example:443"]),
        (b"http://evil.example", [b"evil.example", b"localhost"]),
        (b"localhost", [b"localhost"]),
        (b"http://", [b""]),
        (b"null", [b"null"]),
        (b"", [b""]),
        (b"http://localhost", []),
    ],
)
def test_an_origin_that_is_not_the_one_hosts_is_foreign(origin: bytes, hosts: list[bytes]) -> None:
    headers = [(b"origin", origin), *((b"host", host) for host in hosts)]
    with pytest.raises(ForeignOriginError):
        refuse_foreign(headers)

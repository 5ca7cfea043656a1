"""An application listens until a signal, or the address that cannot be had is named."""

from __future__ import annotations

import asyncio
import logging
import socket
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from cascade.errors import CascadeError
from cascade.listen import Listener, Receive, Scope, Send
from tests.serving import running


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything with a word."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    """Fail to start."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no disk"})


def test_it_answers_at_the_url_that_is_known_before_it_serves() -> None:
    with running(hello) as url, urlopen(url) as response:
        assert urlsplit(url).port
        assert response.read() == b"hello"


def test_it_tells_the_url_once_when_it_is_ready() -> None:
    told: list[str] = []

    def ready(url: str) -> None:
        told.append(url)
        listener.stop()

    listener = Listener(hello, on_ready=ready)
    listener.run()
    assert told == [listener.url]


def test_an_ipv6_address_stands_in_brackets() -> None:
    try:
        listener = Listener(hello, "::1")
    except CascadeError:
        pytest.skip("there is no IPv6 here")
    assert listener.url.startswith("http://[::1]:")
    listener.close()


def test_a_taken_port_is_named_with_a_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CascadeError) as caught:
            Listener(hello, port=port)
    assert str(caught.value) == (
        f"cannot listen at 127.0.0.1, port {port}: Address already in use. Stop what listens "
        "there, or choose another port (0 takes any free one)."
    )


@pytest.mark.parametrize(
    ("host", "port", "problem"),
    [
        ("127.0.0.1", 70_000, "a port is a number from 0 to 65535"),
        ("127.0.0.1", -1, "a port is a number from 0 to 65535"),
        ("nowhere.invalid", 0, "the host is not known"),
        ("192.0.2.1", 0, "Choose an address of this machine"),
    ],
)
def test_an_address_that_cannot_be_had_is_named(host: str, port: int, problem: str) -> None:
    with pytest.raises(CascadeError) as caught:
        Listener(hello, host, port)
    assert f"cannot listen at {host}, port {port}: " in str(caught.value)
    assert problem in str(caught.value)


def test_an_application_that_does_not_start_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    listener = Listener(broken, on_ready=told.append, lifespan=True)
    with caplog.at_level(logging.ERROR), pytest.raises(CascadeError, match="could not start"):
        listener.run()
    assert told == []
    assert "no disk" in caplog.text


def test_an_answer_that_outlasts_the_grace_is_cut_without_a_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        listener.stop()
        await asyncio.Event().wait()

    listener = Listener(endless, grace=0)
    address = urlsplit(listener.url)
    with socket.create_connection((address.hostname, address.port)) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        with caplog.at_level(logging.ERROR):
            listener.run()
    assert [record.exc_info for record in caplog.records] == [None]

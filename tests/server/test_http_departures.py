"""A client that leaves takes the paid call with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cascade import AsyncCascade
from cascade.listen import Listener
from cascade.server import Server
from tests.providers.rawserver import Peer, serve
from tests.server.kit import ASKED, HEAD, KEYS, PATH, cascade_on, event
from tests.serving import running

pytestmark = pytest.mark.anyio

LIVE = '[decide]\ndelivery = "live"\n'
BODY: dict[str, Any] = {"model": "strong", "messages": ASKED}


class Patient:
    """A provider's script that sends what it is told, then waits until the caller has gone."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        await peer.request()
        if self.chunks:
            await peer.send(HEAD)
        for chunk in self.chunks:
            await peer.chunk(chunk)
        self.asked.set()
        await peer.gone()
        self.left.set()


async def leave(url: str, body: dict[str, Any], when: Callable[[str], bool] | None) -> None:
    """Ask, and close the connection: at the text that ``when`` waits for, or at once."""
    async with httpx.AsyncClient(base_url=url) as http, http.stream("POST", PATH, json=body) as got:
        received = ""
        async for text in got.aiter_text():
            received += text
            if when is not None and when(received):
                return


def recorded(ai: AsyncCascade) -> tuple[int, int, bool]:
    """Cancelled requests, calls, and whether they cost something."""
    totals = ai.totals
    return totals.by_outcome["cancelled"], totals.calls, totals.spent > 0


async def waiting(ai: AsyncCascade, number: int) -> None:
    """Return once so many callers wait for the one call."""
    engine = await ai.open()
    while sum(run.callers for run in engine._runs._by_key.values()) != number:  # noqa: ASYNC110 - of another thread
        await asyncio.sleep(0.005)


async def test_in_mid_stream(tmp_path: Path) -> None:
    script = Patient(event({"content": "once upon"}))
    async with serve(script) as provider:
        ai = cascade_on(provider.url, tmp_path, LIVE)
        with running(Server(ai, environ=KEYS), lifespan=True) as url:
            await leave(url, BODY | {"stream": True}, lambda text: "once upon" in text)
            await script.left.wait()
    assert recorded(ai) == (1, 1, True)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("chunks", [(), (event({"content": "held"}),)])
async def test_before_the_first_byte(
    tmp_path: Path, stream: bool, chunks: tuple[bytes, ...]
) -> None:
    script = Patient(*chunks)
    async with serve(script) as provider:
        # By default a draft of the first rung is held until it is accepted.
        ai = cascade_on(provider.url, tmp_path)
        with running(Server(ai, environ=KEYS), lifespan=True) as url:
            body = BODY | {"model": "auto", "stream": stream}
            asking = asyncio.create_task(leave(url, body, None))
            await script.asked.wait()
            asking.cancel()
            await script.left.wait()
            with pytest.raises(asyncio.CancelledError):
                await asking
    assert recorded(ai) == (1, 1, True)


async def test_one_of_two_that_wait_for_the_same_answer(tmp_path: Path) -> None:
    """The other one still gets it."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            asked.set()
            await go_on.wait()
            await peer.send(HEAD)
            await peer.chunk(event({"content": "shared"}))
            await peer.chunk(event({}, "stop"))
            await peer.chunk(b"data: [DONE]\n\n")
            await peer.send(b"0\r\n\r\n")

    async with serve(script) as provider:
        ai = cascade_on(provider.url, tmp_path)
        with running(Server(ai, environ=KEYS), lifespan=True) as url:
            body = BODY | {"stream": True}
            leaving = asyncio.create_task(leave(url, body, None))
            await asked.wait()
            async with httpx.AsyncClient(base_url=url) as http:
                staying = asyncio.create_task(http.post(PATH, json=body))
                await waiting(ai, 2)
                leaving.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await leaving
                await waiting(ai, 1)
                go_on.set()
                response = await staying
    assert response.status_code == 200
    assert "shared" in response.text
    assert response.headers["x-cascade-cache"] == "collapsed"


async def test_the_end_of_the_server_is_the_end_of_its_calls(tmp_path: Path) -> None:
    script = Patient(event({"content": "once upon"}))
    async with serve(script) as provider:
        ai = cascade_on(provider.url, tmp_path, LIVE)
        listener = Listener(Server(ai, environ=KEYS), lifespan=True, grace=1)
        serving = asyncio.create_task(asyncio.to_thread(listener.run))
        asking = asyncio.create_task(leave(listener.url, BODY | {"stream": True}, None))
        await script.asked.wait()
        listener.stop()
        await script.left.wait()
        await serving
        with pytest.raises(httpx.RemoteProtocolError):  # no clean end
            await asking
    assert recorded(ai) == (1, 1, True)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_that_the_servers_end_cuts_hears_that_it_stops(
    tmp_path: Path, stream: bool
) -> None:
    script = Patient()
    async with serve(script) as provider:
        ai = cascade_on(provider.url, tmp_path, LIVE)
        listener = Listener(Server(ai, environ=KEYS), lifespan=True, grace=1)
        serving = asyncio.create_task(asyncio.to_thread(listener.run))
        async with httpx.AsyncClient(base_url=listener.url) as http:
            asking = asyncio.create_task(http.post(PATH, json=BODY | {"stream": stream}))
            await script.asked.wait()
            listener.stop()
            response = await asking
        await script.left.wait()
        await serving
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "closing"
    assert "the server is stopping" in response.json()["error"]["message"]
    assert recorded(ai)[:2] == (1, 1)

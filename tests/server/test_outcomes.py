"""An answer that is only the best there was says so, in every protocol, whole and streamed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cascade.server import events
from cascade.wire.sse import SseReader
from tests.providers.rawserver import Peer
from tests.server.clients import PROTOCOLS, body, target
from tests.server.kit import ASKED, HEAD, before, end_stream, event, failure, whole

pytestmark = pytest.mark.anyio

SHORT = "The Moselle, perhaps."
DOWN = failure(b"500 Internal Server Error", "out of order")


async def script(peer: Peer) -> None:
    """The first rung answers below its bar, and the other one is out of order."""
    while (asked := await peer.request()) is not None:
        await peer.send(await reply(msgspec.json.decode(asked), peer))


async def reply(asked: dict[str, Any], peer: Peer) -> bytes:
    if asked["model"] != "small":
        return DOWN
    if not asked.get("stream"):
        return whole({"role": "assistant", "content": SHORT})
    await peer.send(HEAD)
    await peer.chunk(event({"content": SHORT}))
    await peer.chunk(event({}, "stop"))
    await end_stream(peer)
    return b""


def account(protocol: str, content: bytes) -> dict[str, Any]:
    """What the last events of a stream tell under ``cascade``."""
    told = [json.loads(e.data) for e in SseReader().feed(content) if e.data != b"[DONE]"]
    found: list[dict[str, Any]] = [
        each["usage"]["cascade"] if protocol == "anthropic" else each["cascade"]
        for each in told[-2:]
        if "cascade" in (each.get("usage") or {} if protocol == "anthropic" else each)
    ]
    (only,) = found
    return only


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_header_and_the_account_say_that_it_is_the_best_there_was(
    protocol: str, stream: bool, tmp_path: Path
) -> None:
    async with before(script, tmp_path) as stage:
        response = await stage.http.post(
            target(protocol, stream=stream), json=body(protocol, stream=stream)
        )
    assert response.status_code == 200, response.text
    assert SHORT in response.text
    assert response.headers["x-cascade-outcome"] == "best_effort"
    if stream:
        assert account(protocol, response.content)["outcome"] == "best_effort"
    else:
        told = response.json()
        assert told["cascade"]["outcome"] == "best_effort"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_stream_whose_head_left_before_says_it_at_its_end(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "QUIET_S", 0.02)
    lively = asyncio.Event()

    async def slow(peer: Peer) -> None:
        while (asked := await peer.request()) is not None:
            await lively.wait()
            await peer.send(await reply(msgspec.json.decode(asked), peer))

    path, asked = target(protocol, stream=True), body(protocol, stream=True)
    async with (
        before(slow, tmp_path) as stage,
        stage.http.stream("POST", path, json=asked) as response,
    ):
        assert "x-cascade-outcome" not in response.headers
        lively.set()
        content = await response.aread()
    assert account(protocol, content)["outcome"] == "best_effort"


async def test_openai_s_client_finds_it_on_the_chunk_of_the_finish_reason(tmp_path: Path) -> None:
    async with before(script, tmp_path) as stage:
        stream = await stage.openai.chat.completions.create(
            model="auto", messages=ASKED, stream=True
        )
        *_, last = [chunk async for chunk in stream]
    assert last.choices[0].finish_reason == "stop"
    assert (last.model_extra or {})["cascade"]["outcome"] == "best_effort"

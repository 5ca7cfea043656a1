"""Who asks for them sees decisions in the stream, as events that every client passes over."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.providers.rawserver import Peer, Script
from tests.server.clients import PROTOCOLS, Wish, body, speaking, target
from tests.server.kit import HEAD, before, end_stream, event

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("protocol", PROTOCOLS),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession"),  # Google's client
]

WATCHED: dict[str, Any] = {"cascade": {"events": True}}


def drafts(*texts: str) -> Script:
    """Answer with these texts, one after the other and from the start again. The first rung asks
    for log-probabilities, and none are sent: its draft is short, and the ladder is climbed."""
    left = list(texts)

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            text = left.pop(0)
            left.append(text)
            await peer.send(HEAD)
            await peer.chunk(event({"content": text}))
            await peer.chunk(event({}, "stop"))
            await end_stream(peer)

    return script


def decided(received: str) -> list[dict[str, Any]]:
    """The decisions among a stream's events."""
    lines = [line for line in received.split("\n") if line.startswith("data: {")]
    told = [msgspec.json.decode(line.removeprefix("data: ")).get("cascade", {}) for line in lines]
    return [each for each in told if "event" in each]


async def ask(stage: Any, protocol: str, **more: Any) -> str:
    asked = body(protocol, stream=True, **more)
    response = await stage.http.post(target(protocol, stream=True), json=asked)
    assert response.status_code == 200, response.text
    return str(response.text)


async def test_a_climb_is_told_before_the_answer(protocol: str, tmp_path: Path) -> None:
    async with before(drafts("a poor draft", "the answer"), tmp_path) as stage:
        received = await ask(stage, protocol, **WATCHED)
    checking, climbing = decided(received)
    assert checking == {"event": "checking", "rung": "small"}
    assert (climbing["event"], climbing["rung"]) == ("climbing", "strong")
    assert climbing["why"]
    assert received.index('"climbing"') < received.index("the answer")
    assert "poor" not in received


async def test_nothing_is_told_unasked(protocol: str, tmp_path: Path) -> None:
    async with before(drafts("a poor draft", "the answer"), tmp_path) as stage:
        received = await ask(stage, protocol)
    assert decided(received) == []
    assert '"climbing"' not in received


async def test_it_is_told_while_the_answer_is_still_made(protocol: str, tmp_path: Path) -> None:
    told = asyncio.Event()
    drafted = drafts("a poor draft")

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        await peer.chunk(event({"content": "a poor draft"}))
        await told.wait()
        await peer.chunk(event({}, "stop"))
        await end_stream(peer)
        await drafted(peer)

    async with before(script, tmp_path) as stage:
        path, asked = target(protocol, stream=True), body(protocol, stream=True, **WATCHED)
        async with stage.http.stream("POST", path, json=asked) as response:
            received = ""
            async for text in response.aiter_text():
                received += text
                if decided(received):
                    told.set()
    assert [each["event"] for each in decided(received)] == ["checking", "climbing"]


async def test_the_official_client_passes_over_them(protocol: str, tmp_path: Path) -> None:
    wish = Wish(cascade={"events": True, "cache": "off"})
    async with (
        before(drafts("a poor draft", "the answer"), tmp_path) as stage,
        speaking(protocol, str(stage.http.base_url)) as client,
    ):
        assert "".join([piece async for piece in client.pieces(wish)]) == "the answer"
        heard = await client.gathered(wish)
    assert (heard.text, heard.finish) == ("the answer", client.kept[0])


async def test_a_failure_after_a_decision_is_an_error_event(protocol: str, tmp_path: Path) -> None:
    answers = [[event({"content": "a poor draft"}), event({}, "stop")], []]

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(HEAD)
            for piece in answers.pop(0) if answers else []:
                await peer.chunk(piece)
            await end_stream(peer)

    more = '[decide]\nat_the_end = "error"\n'
    async with (
        before(script, tmp_path, more) as stage,
        speaking(protocol, str(stage.http.base_url)) as client,
    ):
        with pytest.raises(client.error, match="the stream ended"):
            async for _ in client.pieces(Wish(cascade={"events": True})):
                pass


async def test_a_stream_with_decisions_has_one_id(protocol: str, tmp_path: Path) -> None:
    async with before(drafts("a poor draft", "the answer"), tmp_path) as stage:
        received = await ask(stage, protocol, **WATCHED)
    events = [
        msgspec.json.decode(line.removeprefix("data: "))
        for line in received.split("\n")
        if line.startswith("data: {")
    ]
    identities = {each.get("id") or each.get("responseId") for each in events} - {None}
    # Anthropic's events carry no id but the message's own.
    assert len(identities) == (0 if protocol == "anthropic" else 1)

"""The official clients of every protocol get what they expect, from one provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from cascade.server import events
from tests.providers.rawserver import Peer, Script
from tests.server.clients import LIMIT, PROTOCOLS, Client, Wish, body, speaking, target
from tests.server.kit import (
    CONFIG,
    HARD,
    HEAD,
    always,
    before,
    end_stream,
    event,
    failure,
    serving,
    streams,
    whole,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("protocol", PROTOCOLS),
    # Google's client, and how it sends what is long:
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession"),
    pytest.mark.filterwarnings("ignore:Sending a large body"),
]

TEXT = "The Rhine and the Moselle."
LIVE = '[decide]\ndelivery = "live"\npreset = "cheap"\n'
WEATHER = {"name": "weather", "arguments": '{"town":"Koblenz"}'}
STRONG = Wish(model="strong")


@pytest.fixture
async def client(protocol: str, url: str) -> AsyncIterator[Client]:
    async with speaking(protocol, url) as client:
        yield client


async def read(client: Client, wish: Wish, heard: Callable[[], None] = lambda: None) -> str:
    text = ""
    async for piece in client.pieces(wish):
        text += piece
        heard()
    return text


def keeping(bodies: list[dict[str, Any]], answer: bytes) -> Script:
    """Answer with these bytes, and keep what was asked."""

    async def script(peer: Peer) -> None:
        while (asked := await peer.request()) is not None:
            bodies.append(msgspec.json.decode(asked))
            await peer.send(answer)

    return script


# --- answers ---


async def test_an_answer_whole_and_streamed(client: Client) -> None:
    whole = await client.ask(Wish())
    assert whole.text == TEXT
    assert whole.finish == client.kept[0]
    assert whole.usage == (20, 8)
    assert await read(client, Wish(HARD)) == "The Rhine."
    assert (await client.gathered(Wish(HARD))).text == "The Rhine."


@pytest.mark.parametrize("model", ["auto", "default", "batch", "small", "quick", "vendor/fast"])
async def test_a_model_is_auto_a_ladder_a_rung_or_an_alias(client: Client, model: str) -> None:
    assert (await client.ask(Wish(model=model))).text == TEXT
    assert await read(client, Wish(model=model)) == TEXT


async def test_the_models_are_listed(client: Client) -> None:
    names = await client.names()
    assert names[:5] == ["auto", "default", "batch", "small", "strong"]
    assert [await client.named(name) for name in names] == names


async def test_options_of_the_cascade_come_in_the_body(client: Client) -> None:
    heard = await client.ask(Wish(cascade={"quality": "best"}))
    assert heard.text == "They are the Rhine and the Moselle."


@pytest.mark.parametrize("more", ["", LIVE])
async def test_tools_and_their_calls(protocol: str, tmp_path: Path, more: str) -> None:
    calls = [
        {"index": number, "id": f"call_{number}", "type": "function", "function": WEATHER}
        for number in range(2)
    ]
    bodies: list[dict[str, Any]] = []
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    wish = Wish(model="strong", tools=True, cascade={"cache": "off"})
    expected = [("weather", {"town": "Koblenz"})] * 2
    async with (
        before(keeping(bodies, whole(message, "tool_calls")), tmp_path, more) as stage,
        speaking(protocol, str(stage.http.base_url)) as client,
    ):
        heard = await client.ask(wish)
        assert (heard.calls, heard.finish) == (expected, client.kept[2])
        (tool,) = bodies[0]["tools"]
        assert tool["function"]["name"] == "weather"
        assert tool["function"]["parameters"]["properties"] == {"town": {"type": "string"}}
    pieces = []
    for call in calls:
        begun = call | {"function": {"name": "weather", "arguments": ""}}
        pieces.append(event({"tool_calls": [begun]}))
        for part in ('{"town":', '"Koblenz"}'):
            more_of_it = {"index": call["index"], "function": {"arguments": part}}
            pieces.append(event({"tool_calls": [more_of_it]}))
    async with (
        before(streams([*pieces, event({}, "tool_calls")]), tmp_path, more) as stage,
        speaking(protocol, str(stage.http.base_url)) as client,
    ):
        heard = await client.gathered(wish)
        assert (heard.calls, heard.finish) == (expected, client.kept[2])


async def test_images_and_schemas_reach_the_provider(protocol: str, tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []
    answer = whole({"role": "assistant", "content": '{"town":"Koblenz"}'})
    async with (
        before(keeping(bodies, answer), tmp_path) as stage,
        speaking(protocol, str(stage.http.base_url)) as client,
    ):
        heard = await client.ask(Wish(model="strong", image=True, schema=True))
    assert heard.text == '{"town":"Koblenz"}'
    _, image = bodies[0]["messages"][0]["content"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    schema = bodies[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"] == {"town": {"type": "string"}}


async def test_an_answer_at_its_limit_says_so(protocol: str, tmp_path: Path) -> None:
    cut = whole({"role": "assistant", "content": "The Rhine and"}, "length")
    async with (
        before(always(cut), tmp_path) as stage,
        speaking(protocol, str(stage.http.base_url)) as client,
    ):
        assert (await client.ask(STRONG)).finish == client.kept[1]


# --- the cache ---


@pytest.mark.parametrize("first", PROTOCOLS)
async def test_what_one_protocol_asked_another_finds(
    protocol: str, first: str, url: str, calls: Callable[[], int]
) -> None:
    async with speaking(first, url) as client:
        await client.ask(Wish())
    async with speaking(protocol, url) as client, httpx.AsyncClient(base_url=url) as http:
        assert (await client.ask(Wish())).text == TEXT
        assert await client.gathered(Wish()) == await client.ask(Wish())
        for stream in (False, True):
            asked = body(protocol, stream=stream)
            response = await http.post(target(protocol, stream=stream), json=asked)
            assert response.headers["x-cascade-cache"] == "exact"
            assert response.headers["cache-status"] == "cascade; hit"
            assert response.headers["x-cascade-rung"] == "small"
    assert calls() == 1


async def test_a_stream_from_the_cache_is_the_stream_that_was_kept(
    client: Client, calls: Callable[[], int]
) -> None:
    assert await client.gathered(Wish()) == await client.gathered(Wish())
    assert calls() == 1


# --- errors ---


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        (Wish(model="smal"), 404),
        (Wish(text=" "), 400),
        (Wish(cascade={"max_cost": 1e-9}), 400),
        (Wish(cascade={"cache": "only"}), 504),
        (Wish(text="x" * 1_100_000), 413),
    ],
    ids=["name", "empty", "cap", "only", "long"],
)
async def test_a_mistake_is_the_clients_own_exception(
    client: Client, wish: Wish, status: int
) -> None:
    with pytest.raises(client.error) as caught:
        await client.ask(wish)
    assert client.status(caught.value) == status
    with pytest.raises(client.error) as caught:
        await read(client, wish)
    assert client.status(caught.value) == status


async def test_when_everything_fails_it_is_a_503_with_the_attempts(
    protocol: str, tmp_path: Path
) -> None:
    down = failure(b"500 Internal Server Error", "out of order")
    async with (
        before(always(down), tmp_path) as stage,
        speaking(protocol, str(stage.http.base_url)) as client,
    ):
        with pytest.raises(client.error, match="out of order") as caught:
            await client.ask(Wish(model="small"))
        assert client.status(caught.value) == 503
        asked = body(protocol, model="small")
        response = await stage.http.post(target(protocol, "small"), json=asked)
    assert response.headers["x-should-retry"] == "false"
    (attempt,) = response.json()["cascade"]["attempts"]
    assert attempt["result"] == "failed"


async def test_a_stream_that_breaks_raises_in_the_client(protocol: str, tmp_path: Path) -> None:
    half = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        await peer.chunk(event({"content": "half of"}))
        await half.wait()
        peer.reset()

    async with (
        before(script, tmp_path, LIVE) as stage,
        speaking(protocol, str(stage.http.base_url)) as client,
    ):
        with pytest.raises(client.error, match="broke"):
            await read(client, STRONG, half.set)


# --- leaving, waiting ---


async def test_a_client_that_leaves_a_stream_cancels_the_call(
    protocol: str, tmp_path: Path
) -> None:
    left = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        await peer.chunk(event({"content": "once upon"}))
        await peer.gone()
        left.set()

    begun = asyncio.Event()
    async with (
        before(script, tmp_path, LIVE) as stage,
        speaking(protocol, str(stage.http.base_url)) as client,
    ):
        reading = asyncio.create_task(read(client, STRONG, begun.set))
        await begun.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await left.wait()


async def test_a_client_that_leaves_before_the_answer_cancels_the_call(
    protocol: str, tmp_path: Path
) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()
        left.set()

    async with (
        before(script, tmp_path) as stage,
        speaking(protocol, str(stage.http.base_url)) as client,
    ):
        asking = asyncio.create_task(client.ask(STRONG))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await left.wait()


async def test_signs_of_life_disturb_no_client(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "QUIET_S", 0.02)
    lively = asyncio.Event()

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await lively.wait()
            await peer.send(HEAD)
            await peer.chunk(event({"content": "at last"}))
            await peer.chunk(event({}, "stop"))
            await end_stream(peer)

    signs = {
        "openai": ": keep-alive\n\n",
        "anthropic": 'event: ping\ndata: {"type": "ping"}\n\n',
        "gemini": "\n",
    }
    wish = Wish(model="strong", cascade={"cache": "off"})
    asked = body(protocol, model="strong", stream=True, cascade={"cache": "off"})
    async with (
        before(script, tmp_path, LIVE) as stage,
        speaking(protocol, str(stage.http.base_url)) as client,
    ):
        reading = asyncio.create_task(client.gathered(wish))
        path = target(protocol, "strong", stream=True)
        async with stage.http.stream("POST", path, json=asked) as response:
            received = ""
            async for text in response.aiter_text():
                received += text
                if received.startswith(signs[protocol] * 2):
                    lively.set()
        assert (await reading).text == "at last"
    assert "at last" in received


# --- headers ---


async def test_headers_tell_the_same_in_every_protocol(protocol: str, url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        for stream in (False, True):
            path = target(protocol, stream=stream)
            response = await http.post(path, json=body(protocol, HARD, stream=stream))
            assert response.status_code == 200, response.text
            told = response.headers
            assert (told["x-cascade-rung"], told["x-cascade-model"]) == ("strong", "strong")
            assert told["x-cascade-attempts"] == ("0" if stream else "2")
            assert told["x-request-id"] == told["x-cascade-request-id"]
            assert told["x-cascade-outcome"] == "accepted"
            assert ("request-id" in told) == (protocol == "anthropic")
            expected = "text/event-stream" if stream else "application/json"
            assert told["content-type"].startswith(expected)


async def test_dropped_parameters_are_told(protocol: str, provider: str, tmp_path: Path) -> None:
    small = '[models."test/small"]\n'
    config = CONFIG.replace(small, small + 'lacks = ["temperature"]\n')
    with serving(f"{provider}/v1", tmp_path, config=config) as url:
        async with httpx.AsyncClient(base_url=url) as http, speaking(protocol, url) as client:
            assert (await client.ask(Wish(temperature=0.5))).text == TEXT
            more: dict[str, Any] = {"temperature": 0.5}
            if protocol == "gemini":
                more = {"generationConfig": {"maxOutputTokens": LIMIT} | more}
            response = await http.post(target(protocol), json=body(protocol, **more))
            assert response.headers["x-cascade-dropped"] == "temperature"
            assert response.json()["cascade"]["dropped"] == ["temperature"]
            live: dict[str, Any] = {"cascade": {"delivery": "live", "cache": "off"}}
            asked = body(protocol, stream=True, **more, **live)
            response = await http.post(target(protocol, stream=True), json=asked)
            assert response.headers["x-cascade-dropped"] == "temperature"
            plain = await http.post(target(protocol), json=body(protocol))
            assert "x-cascade-dropped" not in plain.headers

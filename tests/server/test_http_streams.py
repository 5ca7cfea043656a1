"""A stream through the whole path: as it comes, or held until accepted; never a wrong end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest

from cascade.server import events
from tests.providers.rawserver import Peer, serve
from tests.server.kit import (
    ASKED,
    HEAD,
    PATH,
    always,
    before,
    cascade_on,
    end_stream,
    event,
    failure,
    streams,
    whole,
)

pytestmark = pytest.mark.anyio

LIVE = '[decide]\ndelivery = "live"\npreset = "cheap"\n'
USAGE: Any = {"include_usage": True}
BODY: dict[str, Any] = {"model": "strong", "messages": ASKED, "stream": True}
WEATHER: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"town": {"type": "string"}}},
        },
    }
]


def logprob(token: str, value: float) -> dict[str, Any]:
    top = [{"token": token, "logprob": value}, {"token": "x", "logprob": -9.0}]
    return {"content": [{"token": token, "logprob": value, "top_logprobs": top}]}


async def test_chunks_arrive_as_they_are_sent(tmp_path: Path) -> None:
    """The provider sends a chunk only when the client has the one before it."""
    arrived = asyncio.Semaphore(1)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        for number in range(50):
            await arrived.acquire()
            await peer.chunk(event({"content": f"{number} "}))
        await arrived.acquire()
        await peer.chunk(event({}, "stop"))
        await end_stream(peer)

    async with before(script, tmp_path, LIVE) as stage:
        stream = await stage.openai.chat.completions.create(
            model="strong", messages=ASKED, stream=True, stream_options=USAGE
        )
        texts = []
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                texts.append(chunk.choices[0].delta.content)
                arrived.release()
    assert texts == [f"{number} " for number in range(50)]
    assert stream.response.headers["x-cascade-cache"] == "miss"
    assert stream.response.headers["x-cascade-model"] == "scripted-1"
    assert stream.response.headers["x-cascade-rung"] == "strong"
    assert stream.response.headers["x-cascade-request-id"].startswith("ans_")


async def test_a_live_stream_knows_its_rung_with_its_first_piece(tmp_path: Path) -> None:
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        await peer.chunk(event({"content": "once "}))
        await more.wait()
        await peer.chunk(event({}, "stop"))
        await end_stream(peer)

    async with (
        serve(script) as provider,
        cascade_on(provider.url, tmp_path, LIVE) as ai,
        ai.stream("?", rung="strong") as stream,
    ):
        rungs = [stream.rung]
        async for _ in stream:
            rungs.append(stream.rung)
            more.set()
        rungs += [stream.rung, stream.answer.rung]
    assert rungs == [None, "strong", "strong", "strong"]


async def test_a_draft_that_falls_short_is_never_seen(tmp_path: Path) -> None:
    """The first rung asks for log-probabilities, and this provider sends none."""
    drafts = [
        [event({"content": "a poor draft"}), event({}, "stop")],
        [event({"content": "the answer"}), event({}, "stop")],
    ]

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(HEAD)
            for piece in drafts.pop(0):
                await peer.chunk(piece)
            await end_stream(peer)

    async with before(script, tmp_path) as stage:
        response = await stage.http.post(PATH, json=BODY | {"model": "auto"})
    assert "poor" not in response.text
    assert '"the answer"' in response.text
    assert response.text.endswith("data: [DONE]\n\n")


async def test_an_answer_held_until_accepted_tells_everything_in_its_headers(
    tmp_path: Path,
) -> None:
    pieces = [
        event({"role": "assistant", "content": ""}),
        event({"content": "yes"}, logprobs=logprob("yes", -0.01)),
        event({}, "stop"),
    ]
    async with before(streams(pieces), tmp_path) as stage:
        response = await stage.http.post(PATH, json=BODY | {"model": "auto"})
    assert response.headers["x-cascade-rung"] == "small"
    assert response.headers["x-cascade-attempts"] == "1"
    assert float(response.headers["x-cascade-cost-usd"]) > 0
    assert response.headers["content-type"].startswith("text/event-stream")


async def test_a_stream_that_breaks_ends_with_an_error_and_no_done(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        await peer.chunk(event({"content": "half of"}))
        await half.wait()
        peer.reset()

    half = asyncio.Event()
    async with before(script, tmp_path, LIVE) as stage:
        status, received = await stage.stream(BODY, half.set)
    assert status == 200
    *_, last = received.strip().split("\n\n")
    assert "half of" in received
    assert "[DONE]" not in received
    error = msgspec.json.decode(last.removeprefix("data: "))["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == "stream_broken"


async def test_the_official_client_raises_when_a_stream_breaks(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        await peer.chunk(event({"content": "half of"}))
        await half.wait()
        await peer.chunk(b'data: {"error": {"message": "overloaded", "code": "overloaded"}}\n\n')
        await end_stream(peer)

    half = asyncio.Event()
    async with before(script, tmp_path, LIVE) as stage:
        stream = await stage.openai.chat.completions.create(
            model="strong", messages=ASKED, stream=True
        )

        async def read() -> None:
            async for _ in stream:
                half.set()

        with pytest.raises(openai.APIError, match="broke"):
            await read()


async def test_a_long_silence_is_filled_with_comments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "QUIET_S", 0.02)
    commented = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await commented.wait()
        await peer.send(HEAD)
        await peer.chunk(event({"content": "at last"}))
        await peer.chunk(event({}, "stop"))
        await end_stream(peer)

    async with before(script, tmp_path) as stage:
        _, received = await stage.stream(BODY, commented.set)
    assert received.startswith(": keep-alive\n\n")
    events_only = [part for part in received.split("\n\n") if part.startswith("data: ")]
    assert "at last" in received
    assert events_only[-1] == "data: [DONE]"


async def test_after_a_comment_a_failure_is_an_error_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "QUIET_S", 0.02)
    commented = asyncio.Event()

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await commented.wait()
            await peer.send(failure(b"400 Bad Request", "no"))

    async with before(script, tmp_path) as stage:
        status, received = await stage.stream(BODY, commented.set)
    assert status == 200
    *_, last = received.strip().split("\n\n")
    assert msgspec.json.decode(last.removeprefix("data: "))["error"]["code"] == (
        "rejected_by_provider"
    )
    assert "[DONE]" not in received


async def test_tools_and_their_calls_pass_through_a_whole_answer(tmp_path: Path) -> None:
    function = {"name": "weather", "arguments": '{"town":"Koblenz"}'}
    call = {"id": "call_1", "type": "function", "function": function}
    answer = whole({"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls")
    bodies: list[bytes] = []

    async def script(peer: Peer) -> None:
        while (body := await peer.request()) is not None:
            bodies.append(body)
            await peer.send(answer)

    async with before(script, tmp_path) as stage:
        got = await stage.openai.chat.completions.create(
            model="strong", messages=ASKED, tools=WEATHER, tool_choice="required"
        )
    sent = msgspec.json.decode(bodies[0])
    assert sent["tools"] == WEATHER
    assert sent["tool_choice"] == "required"
    assert got.choices[0].finish_reason == "tool_calls"
    assert got.choices[0].message.tool_calls is not None
    assert got.choices[0].message.tool_calls[0].model_dump(exclude_none=True) == call


@pytest.mark.parametrize("more", ["", LIVE])
async def test_tool_calls_pass_through_a_stream(tmp_path: Path, more: str) -> None:
    begin = {"index": 0, "id": "call_1", "type": "function"}
    pieces = [
        event({"tool_calls": [begin | {"function": {"name": "weather", "arguments": ""}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '{"town":'}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '"Trier"}'}}]}),
        event({}, "tool_calls"),
    ]
    async with (
        before(streams(pieces), tmp_path, more) as stage,
        stage.openai.chat.completions.stream(
            model="strong", messages=ASKED, tools=WEATHER
        ) as stream,
    ):
        final = await stream.get_final_completion()
    assert final.choices[0].finish_reason == "tool_calls"
    (call,) = final.choices[0].message.tool_calls or []
    assert (call.id, call.function.name) == ("call_1", "weather")
    assert call.function.arguments == '{"town":"Trier"}'


@pytest.mark.parametrize("more", ["", LIVE])
@pytest.mark.parametrize("rivals", [None, 1, 2])
async def test_log_probabilities_pass_through_a_stream(
    tmp_path: Path, more: str, rivals: int | None
) -> None:
    pieces = [
        event({"content": "ye"}, logprobs=logprob("ye", -0.25)),
        event({"content": "s"}, logprobs=logprob("s", -0.5)),
        event({}, "stop"),
    ]
    options = {} if rivals is None else {"top_logprobs": rivals}
    async with before(streams(pieces), tmp_path, more) as stage:
        stream = await stage.openai.chat.completions.create(**BODY | {"logprobs": True} | options)
        entries = [
            entry
            async for chunk in stream
            for choice in chunk.choices
            if choice.logprobs is not None
            for entry in choice.logprobs.content or []
        ]
    assert [(entry.token, entry.logprob) for entry in entries] == [("ye", -0.25), ("s", -0.5)]
    assert [len(entry.top_logprobs) for entry in entries] == [rivals or 0] * 2


async def test_a_model_with_a_hostile_name_cannot_write_headers(tmp_path: Path) -> None:
    answer = whole({"role": "assistant", "content": "hello"})
    hostile = answer.replace(b'"scripted-1"', b'"a\\r\\nb: c"').replace(
        b"Content-Length: %d" % len(answer.split(b"\r\n\r\n", 1)[1]),
        b"Content-Length: %d" % (len(answer.split(b"\r\n\r\n", 1)[1]) - 1),
    )
    async with before(always(hostile), tmp_path) as stage:
        response = await stage.http.post(PATH, json=BODY | {"stream": False})
    assert response.status_code == 200
    assert response.json()["model"] == "a\r\nb: c"
    assert response.headers["x-cascade-model"] == "a??b: c"
    assert "b" not in response.headers

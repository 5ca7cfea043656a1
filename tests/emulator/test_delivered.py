"""The emulator counts what it delivered, neither more nor less."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from cascade.emulator import Emulator
from cascade.emulator.counting import Tally
from tests.emulator.recordings import SMALL, taking
from tests.serving import running


def delivered(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/emulator/delivered") as response:
        body: dict[str, Any] = json.load(response)
    return body


def delivered_once(url: str, **expected: int) -> dict[str, Any]:
    """What is delivered once it shows what is expected."""
    limit = time.monotonic() + 10
    while True:
        body = delivered(url)
        if all(body[name] == value for name, value in expected.items()):
            return body
        assert time.monotonic() < limit, body
        time.sleep(0.005)


def send(url: str, body: dict[str, Any]) -> socket.socket:
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=10)
    content = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    connection.sendall(head.encode() + content)
    return connection


def wait_for(stream: bool) -> dict[str, Any]:
    messages = [{"role": "user", "content": "wait"}]
    return {"model": "slow", "messages": messages, "stream": stream}


def test_nothing_is_delivered_at_first_and_every_model_is_listed() -> None:
    with running(Emulator(SMALL)) as url:
        body = delivered(url)
    zeros = dict.fromkeys(Tally.__struct_fields__, 0)
    assert body == zeros | {"by_model": dict.fromkeys(SMALL.models, zeros), "faults": {}}


@pytest.mark.anyio
async def test_counts_are_exact_under_concurrency() -> None:
    emulator = Emulator(SMALL)
    models = ["measured", "letter", "bare", "silent"]

    async def one(session: aiohttp.ClientSession, url: str, number: int) -> None:
        body = {
            "model": models[number % 4],
            "messages": [
                {"role": "system", "content": "Answer briefly."},
                {"role": "user", "content": "Which rivers meet in Koblenz?"},
            ],
            "stream": number % 8 >= 4,
        }
        async with session.post(f"{url}/v1/chat/completions", json=body) as response:
            assert response.status == 200
            await response.read()

    with running(emulator) as url:
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(one(session, url, number) for number in range(400)))
        body = delivered(url)

    assert (body["calls"], body["uncounted"], body["disconnected"]) == (400, 100, 0)
    assert body["input_tokens"] == 300 * 21
    assert body["output_tokens"] == 100 * (8 + 3 + 0)
    assert (body["cached_tokens"], body["cache_write_tokens"]) == (0, 0)
    assert body["by_model"]["measured"]["output_tokens"] == 800
    assert body["by_model"]["bare"]["calls"] == 100
    assert body["by_model"]["words"]["calls"] == 0


def test_requests_that_the_recording_lacks_are_no_calls() -> None:
    with running(Emulator(SMALL)) as url:
        with send(url, wait_for(stream=False)) as connection:
            assert connection.recv(100).startswith(b"HTTP/1.1 404")
        assert delivered(url)["calls"] == 0


def test_a_caller_who_leaves_a_stream_gets_no_more_and_is_charged_for_no_more() -> None:
    with running(Emulator(taking(60, tokens=1000))) as url:
        with send(url, wait_for(stream=True)) as connection:
            received = b""
            while b'"x"' not in received:
                received += connection.recv(4096)
            assert delivered(url)["disconnected"] == 0
        body = delivered_once(url, disconnected=1)
    assert (body["calls"], body["input_tokens"]) == (1, 5)
    assert 0 < body["output_tokens"] < 1000


def test_a_caller_who_leaves_before_a_whole_answer_has_got_no_output() -> None:
    with running(Emulator(taking(60))) as url:
        with send(url, wait_for(stream=False)):
            delivered_once(url, calls=1)
        body = delivered_once(url, disconnected=1)
    assert (body["calls"], body["input_tokens"], body["output_tokens"]) == (1, 5, 0)

"""A server under test: its recording, its configuration, and clients' views of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import openai

from cascade import AsyncCascade
from cascade.config.read import load
from cascade.learning.trace import RecordedAnswer, Recording, Row
from cascade.server import Server
from tests.providers.rawserver import Peer, Script, serve
from tests.providers.rawserver import Server as RawServer
from tests.serving import running

KEY = "sk-test-2f9c1d77e0b84a6f"
KEYS = {"TEST_KEY": KEY}
PATH = "/v1/chat/completions"

EASY = "Which rivers meet in Koblenz?"
HARD = "Which river is longer?"
ASKED: list[Any] = [{"role": "user", "content": EASY}]

RECORDING = Recording(
    [
        Row(
            prompt=EASY,
            answers={
                "small": RecordedAnswer(
                    text="The Rhine and the Moselle.",
                    input_tokens=20,
                    output_tokens=8,
                    mean_logprob=-0.05,
                ),
                "strong": RecordedAnswer(
                    text="They are the Rhine and the Moselle.", input_tokens=20, output_tokens=10
                ),
            },
        ),
        Row(
            prompt=HARD,
            answers={
                "small": RecordedAnswer(
                    text="The Moselle.", input_tokens=10, output_tokens=4, mean_logprob=-2.5
                ),
                "strong": RecordedAnswer(
                    text="The Rhine.", input_tokens=10, output_tokens=4, mean_logprob=-0.01
                ),
            },
        ),
    ]
)

CONFIG = """
[ladders]
default = ["small", "strong"]
batch = ["small"]

[rungs]
strong = "test/strong"

[rungs.small]
endpoints = ["test/small"]
accept = "mean_logprob >= -0.15"
calls = 1

[providers.test]
base_url = "URL"
key = "$TEST_KEY"

[models."test/small"]
price = { input = 0.10, output = 0.40 }

[models."test/strong"]
price = { input = 2.50, output = 10.00 }

[server]
aliases = { "gpt-4o" = "auto", "quick" = "small", "vendor/fast" = "small" }
"""


def cascade_on(provider: str, folder: Path, more: str = "", **options: Any) -> AsyncCascade:
    """A cascade whose one provider answers at this URL (with ``/v1``)."""
    file = folder / "config.toml"
    config = options.pop("config", CONFIG)
    file.write_text(config.replace("URL", provider) + more, encoding="utf-8")
    environ = options.pop("environ", KEYS)
    tables = load(file, environ)
    return AsyncCascade(tables=tables, data_dir=folder, environ=environ, **options)


@contextlib.contextmanager
def serving(
    provider: str,
    folder: Path,
    more: str = "",
    *,
    body_limit: int = 1_000_000,
    **options: Any,
) -> Iterator[str]:
    """Run a server while the block runs; gives its URL, without ``/v1``."""
    environ = options.get("environ", KEYS)
    ai = cascade_on(provider, folder, more, **options)
    server = Server(ai, environ=environ, body_limit=body_limit)
    with running(server, lifespan=True) as url:
        yield url


def client_of(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)


def async_client_of(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)


class Stage(msgspec.Struct):
    """A server before a scripted provider, with clients of the server."""

    provider: RawServer
    http: httpx.AsyncClient
    openai: openai.AsyncOpenAI

    async def stream(self, body: dict[str, Any], heard: Callable[[], None]) -> tuple[int, str]:
        """Ask, and call ``heard`` at every piece of the answer; gives its status and text."""
        async with self.http.stream("POST", PATH, json=body) as response:
            received = ""
            async for text in response.aiter_text():
                received += text
                heard()
        return response.status_code, received


@contextlib.asynccontextmanager
async def before(script: Script, folder: Path, more: str = "") -> AsyncIterator[Stage]:
    """Run a provider by a script and a server before it while the block runs."""
    async with serve(script) as provider:
        server = serving(provider.url, folder, more)
        url = server.__enter__()
        try:
            async with httpx.AsyncClient(base_url=url) as http, async_client_of(url) as client:
                yield Stage(provider, http, client)
        finally:
            # The server may still be talking to the provider, which lives on this loop.
            await asyncio.to_thread(server.__exit__, None, None, None)


# --- scripted providers ---

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def whole(message: dict[str, Any], finish: str = "stop", **choice: Any) -> bytes:
    """An HTTP response with a whole chat completion."""
    body = msgspec.json.encode(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "scripted-1",
            "choices": [
                {"index": 0, "message": message, "finish_reason": finish, "logprobs": None} | choice
            ],
            "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
        }
    )
    return _response(b"200 OK", body)


def failure(status: bytes, message: str, code: str | None = None) -> bytes:
    """An HTTP response with an error of OpenAI's shape."""
    body = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    return _response(status, msgspec.json.encode(body))


def _response(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def event(delta: dict[str, Any], finish: str | None = None, **choice: Any) -> bytes:
    """One chunk of a stream, as an event."""
    return b"data: " + msgspec.json.encode(
        {
            "id": "chatcmpl-2",
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": "scripted-1",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish} | choice],
        }
    ) + b"\n\n"  # fmt: skip


async def end_stream(peer: Peer) -> None:
    await peer.chunk(b"data: [DONE]\n\n")
    await peer.send(b"0\r\n\r\n")


def always(*responses: bytes) -> Script:
    """Answer every request with these bytes, one after the other, the last for ever."""
    left = list(responses)

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(left.pop(0) if len(left) > 1 else left[0])

    return script


def streams(pieces: Sequence[bytes]) -> Callable[[Peer], Awaitable[None]]:
    """Answer every request with a stream of these events."""

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(HEAD)
            for piece in pieces:
                await peer.chunk(piece)
            await end_stream(peer)

    return script

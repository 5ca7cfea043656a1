"""A provider that costs next to nothing: a raw protocol, answers made in advance.

    python -m benchmarks.mock

It listens on loopback, writes ``{"url": …}`` and ends with its standard input. The path chooses
the answer, so that one process plays several models:

- ``/v1/chat/completions``: a whole answer.
- ``/low/v1/…``: a whole answer with log-probabilities that clear no bar.
- ``/stream/N/v1/…``: N pieces, the first at once, the others ``GAP`` seconds apart.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import cast

import msgspec

from benchmarks.running import run, stdin_closed

GAP = 0.002
LARGEST = 1 << 20  # bytes of a request; more than that is a mistake
TEXT = "The Rhine and the Moselle meet in Koblenz."
TOKENS = TEXT.split(" ")


def whole(*, logprob: float | None = None) -> bytes:
    """A response with head, of a dozen tokens; ``logprob`` is that of each of them."""
    choice: dict[str, object] = {
        "index": 0,
        "message": {"role": "assistant", "content": TEXT},
        "finish_reason": "stop",
    }
    if logprob is not None:
        tokens = [{"token": word, "logprob": logprob, "top_logprobs": []} for word in TOKENS]
        choice["logprobs"] = {"content": tokens}
    body = msgspec.json.encode(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "mock",
            "choices": [choice],
            "usage": {"prompt_tokens": 20, "completion_tokens": 12, "total_tokens": 32},
        }
    )
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def stream(pieces: int) -> tuple[bytes, ...]:
    """A streamed response in as many parts as it has pieces; head and end go with a piece."""
    parts = [_chunk(_event({"content": f"word{number} "}, None)) for number in range(pieces)]
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    usage = {"prompt_tokens": 20, "completion_tokens": pieces, "total_tokens": 20 + pieces}
    last = _event({}, "stop") + _event(None, None, usage) + b"data: [DONE]\n\n"
    parts[0] = head + _chunk(_event({"role": "assistant", "content": ""}, None)) + parts[0]
    parts[-1] += _chunk(last) + b"0\r\n\r\n"
    return tuple(parts)


def _event(
    delta: dict[str, str] | None, reason: str | None, usage: dict[str, int] | None = None
) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "mock",
        "choices": choices,
    }
    if usage is not None:
        body["usage"] = usage
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Provider(asyncio.Protocol):
    """One connection."""

    answers: dict[bytes, tuple[bytes, ...]] = {}  # noqa: RUF012 - shared on purpose, by path

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by duck typing
        self._buffer = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > LARGEST:
            self._transport.abort()
            return
        while (size := _whole_request(self._buffer)) is not None:
            path = bytes(self._buffer[: self._buffer.find(b"\r\n")]).split(b" ")[1]
            del self._buffer[:size]
            self._answer(path)

    def _answer(self, path: bytes) -> None:
        parts = self.answers.get(path)
        if parts is None:
            parts = self.answers[path] = _made(path)
        self._transport.write(parts[0])
        if len(parts) > 1:
            self._later(iter(parts[1:]))

    def _later(self, parts: Iterator[bytes]) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()

        def send() -> None:
            nonlocal due
            part = next(parts, None)
            if part is not None:
                self._transport.write(part)
                due += GAP
                self._timer = loop.call_at(due, send)

        due += GAP
        self._timer = loop.call_at(due, send)


def _whole_request(buffer: bytearray) -> int | None:
    """The size of the first request in the buffer; None while it is not all there."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(buffer[:end]).lower()
    length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    size = end + 4 + int(length or 0)
    return size if len(buffer) >= size else None


def _made(path: bytes) -> tuple[bytes, ...]:
    match path.decode().removesuffix("/v1/chat/completions").split("/"):
        case [""]:
            return (whole(),)
        case ["", "low"]:
            return (whole(logprob=-3.0),)
        case ["", "stream", pieces]:
            return stream(int(pieces))
        case _:
            return (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    sys.stdout.write(f'{{"url":"http://127.0.0.1:{port}"}}\n')
    sys.stdout.flush()
    await stdin_closed()
    server.close()


if __name__ == "__main__":
    run(_serve())

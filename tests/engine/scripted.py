"""A provider on loopback that speaks OpenAI's protocol and does to each request what a script says.

Real sockets, no server library: a script decides about every byte, and sees when its client has
gone. ``provider`` runs it on the test's own event loop, ``provider_in_thread`` on one of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

NO_LINGER = struct.pack("ii", 1, 0)
Script = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Received:
    """One request as the provider saw it. Times are ``time.monotonic()``'s."""

    model: str
    body: dict[str, Any]
    headers: dict[str, str]
    connection: int
    at: float
    finished: bool = False
    closed_at: float | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def streamed(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def left_early(self) -> bool:
        """Whether the client closed the connection before the reply had ended."""
        return self.closed_at is not None and not self.finished


class Exchange:
    """A request and the means to answer it, piece by piece."""

    def __init__(self, received: Received, transport: asyncio.Transport) -> None:
        self.received = received
        self._transport = transport
        self._chunked = False

    def head(
        self, status: int = 200, headers: Mapping[str, str] | None = None, length: int | None = None
    ) -> None:
        """Send the head; without a length the body comes in chunks, as an event stream."""
        lines = [f"HTTP/1.1 {status} Scripted"]
        if length is None:
            self._chunked = True
            lines += ["Content-Type: text/event-stream", "Transfer-Encoding: chunked"]
        else:
            lines += ["Content-Type: application/json", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self._transport.write("\r\n".join([*lines, "", ""]).encode())

    def send(self, data: bytes) -> None:
        """Send bytes of the body."""
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def event(self, data: Any) -> None:
        """Send one event of the stream."""
        text = data if isinstance(data, str) else json.dumps(data)
        self.send(b"data: " + text.encode() + b"\n\n")

    def piece(self, text: str, *, logprob: float | None = None, **delta: Any) -> None:
        """Send a chunk with a piece of text, one token long where it has a log-probability."""
        logprobs = None if logprob is None else {"content": [_token(text, logprob)]}
        choice = {"index": 0, "delta": {"content": text, **delta}, "logprobs": logprobs}
        self.event(_chunk(self.received.model, [{**choice, "finish_reason": None}]))

    def end(self, *, usage: tuple[int, int] | None = (10, 2), finish: str | None = "stop") -> None:
        """End the stream: finish reason, usage, ``[DONE]``, the last chunk."""
        model = self.received.model
        if finish is not None:
            self.event(_chunk(model, [{"index": 0, "delta": {}, "finish_reason": finish}]))
        if usage is not None:
            self.event({**_chunk(model, []), "usage": _usage(usage)})
        self.event("[DONE]")
        self.last_chunk()

    def last_chunk(self) -> None:
        """End the body as HTTP wants it."""
        self._transport.write(b"0\r\n\r\n")

    def whole(
        self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        self.head(status, headers, len(body))
        self.send(body)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def reset(self) -> None:
        """Close it with a TCP reset."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._transport.abort()


# --- scripts ---


def says(
    text: str | Sequence[str] = "fine",
    *,
    logprob: float | None = -0.01,
    usage: tuple[int, int] | None = (10, 2),
    finish: str = "stop",
    before: float = 0.0,
    gap: float = 0.0,
) -> Script:
    """A good answer: after ``before`` seconds, its pieces ``gap`` seconds apart."""
    pieces = [text] if isinstance(text, str) else list(text)

    async def script(exchange: Exchange) -> None:
        await asyncio.sleep(before)
        if not exchange.received.streamed:
            await asyncio.sleep(gap * len(pieces))
            exchange.whole(
                completion(exchange.received.model, "".join(pieces), logprob, usage, finish)
            )
            return
        exchange.head()
        for piece in pieces:
            exchange.piece(piece, logprob=logprob)
            await asyncio.sleep(gap)
        exchange.end(usage=usage, finish=finish)

    return script


def fails(
    status: int,
    message: str = "it went wrong",
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    before: float = 0.0,
) -> Script:
    """An error of the protocol."""
    error = {"message": message, "type": "scripted", "code": code, "param": None}

    async def script(exchange: Exchange) -> None:
        await asyncio.sleep(before)
        exchange.whole(json.dumps({"error": error}).encode(), status, headers)

    return script


def garbles(body: bytes) -> Script:
    """A 200 with these bytes, as one event of a stream or as the whole body."""

    async def script(exchange: Exchange) -> None:
        if not exchange.received.streamed:
            exchange.whole(body)
            return
        exchange.head()
        exchange.send(b"data: " + body + b"\n\n")
        exchange.last_chunk()

    return script


def hangs(pieces: int = 0, *, head: bool = False, gap: float = 0.0) -> Script:
    """Nothing, or a head, or a head and some pieces; then silence until the client goes."""

    async def script(exchange: Exchange) -> None:
        if head or pieces:
            if exchange.received.streamed:
                exchange.head()
            else:
                exchange.head(length=1000)
        for number in range(pieces):
            exchange.piece(f"{number} ", logprob=-0.01)
            await asyncio.sleep(gap)
        await asyncio.Event().wait()

    return script


def dies(pieces: int = 0, how: Literal["reset", "closed", "clean"] = "reset") -> Script:
    """A stream that breaks after some pieces: reset, closed amid its body, or ended cleanly."""

    async def script(exchange: Exchange) -> None:
        if exchange.received.streamed:
            exchange.head()
        else:
            exchange.head(length=1000)
        for number in range(pieces):
            exchange.piece(f"{number} ", logprob=-0.01)
        await asyncio.sleep(0.01)  # what was sent must arrive: a reset may overtake it
        if how == "reset":
            exchange.reset()
        elif how == "closed":
            exchange.close()
        else:
            exchange.last_chunk()

    return script


def completion(
    model: str,
    text: str,
    logprob: float | None = -0.01,
    usage: tuple[int, int] | None = (10, 2),
    finish: str = "stop",
    **message: Any,
) -> bytes:
    """The body of a whole answer."""
    logprobs = None if logprob is None else {"content": [_token(text, logprob)]}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, **message},
        "logprobs": logprobs,
        "finish_reason": finish,
    }
    body = {**_chunk(model, [choice]), "object": "chat.completion"}
    return json.dumps(body if usage is None else {**body, "usage": _usage(usage)}).encode()


def finish_event(reason: str = "stop") -> dict[str, Any]:
    """The data of the event that ends an answer."""
    return _chunk("scripted", [{"index": 0, "delta": {}, "finish_reason": reason}])


def _chunk(model: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
        "choices": choices,
    }


def _usage(tokens: tuple[int, int]) -> dict[str, int]:
    read, written = tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": None, "top_logprobs": []}


# --- the provider ---


class Provider:
    """What the test sees of it. ``calls`` are the requests so far, in order."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[Received] = []
        self.connections = 0
        self.open: set[_Connection] = set()
        self._scripts: dict[str, list[Script]] = {}

    def on(self, model: str, *scripts: Script) -> None:
        """Scripts for the next requests of a model, one each; the last one serves for all more."""
        self._scripts[model] = list(scripts)

    def asked(self, model: str) -> list[Received]:
        """The requests of a model."""
        return [call for call in self.calls if call.model == model]

    def script_for(self, model: str) -> Script:
        """The next script of a model; a good answer where none was given."""
        scripts = self._scripts.get(model) or [says()]
        return scripts.pop(0) if len(scripts) > 1 else scripts[0]


class _Connection(asyncio.Protocol):
    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._number = provider.connections
        provider.connections += 1
        self.lost = asyncio.Event()
        self._buffer = b""
        self._current: Received | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._provider.open.add(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._take()

    def eof_received(self) -> None:
        self._gone()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()
        self._provider.open.discard(self)
        self.lost.set()

    def abort(self) -> None:
        self._transport.abort()

    def _gone(self) -> None:
        received = self._current
        if received is not None and received.closed_at is None:
            received.closed_at = time.monotonic()
            received.closed.set()
        if self._task is not None:
            self._task.cancel()

    def _take(self) -> None:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found or self._task is not None:
            return
        lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:]]
        headers = {name.lower(): value for name, _, value in lines}
        length = int(headers["content-length"])
        if len(rest) < length:
            return
        body, self._buffer = json.loads(rest[:length]), rest[length:]
        received = Received(body["model"], body, headers, self._number, time.monotonic())
        self._current = received
        self._provider.calls.append(received)
        exchange = Exchange(received, self._transport)
        self._task = asyncio.get_running_loop().create_task(self._reply(exchange))

    async def _reply(self, exchange: Exchange) -> None:
        received = exchange.received
        await self._provider.script_for(received.model)(exchange)
        received.finished = True
        self._task = None
        self._take()


@contextlib.asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """Run a provider on the running loop."""
    own = Provider()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(own), "127.0.0.1", 0, backlog=1024)
    own.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield own
    finally:
        server.close()
        for connection in list(own.open):
            connection.abort()
        await asyncio.gather(*(connection.lost.wait() for connection in list(own.open)))


@contextlib.contextmanager
def provider_in_thread() -> Iterator[Provider]:
    """Run a provider on a loop in a thread of its own, for code that blocks."""
    ready: list[Provider] = []
    started = threading.Event()
    stops: list[Callable[[], object]] = []

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        async with provider() as own:
            ready.append(own)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="provider")
    thread.start()
    started.wait()
    try:
        yield ready[0]
    finally:
        stops[0]()
        thread.join()

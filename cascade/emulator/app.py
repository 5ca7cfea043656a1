"""The emulator as an ASGI application. What it does and does not do is told in the package."""

from __future__ import annotations

import itertools
import math
import time

import msgspec

from cascade.emulator.client import Client, send_whole
from cascade.emulator.counting import Delivered, Tally
from cascade.emulator.lookup import NotRecordedError, find
from cascade.emulator.replies import Reply, deltas, reply_to, whole
from cascade.errors import EmulatorError, RequestError
from cascade.learning.trace import Recording
from cascade.listen import ClientLeftError, Receive, Scope, Send, read_body
from cascade.types import Delta
from cascade.wire.codec import Incoming
from cascade.wire.openai_chat import decode_request, encode_error, encode_response, writer


class Emulator:
    """A provider that answers from a recording.

    ``speed`` 1 keeps the recorded latencies, 2 halves them, 0 leaves them out. ``delivered``
    counts what left, by model.

    Raises:
        EmulatorError: the speed is not a number of at least 0.
    """

    def __init__(self, recording: Recording, speed: float = 1.0) -> None:
        if not (math.isfinite(speed) and speed >= 0):
            raise EmulatorError(
                f"the speed is {speed}, which is no number of at least 0. Give 1 for the recorded "
                "latencies, 2 for half of them, 0 for none."
            )
        self.recording = recording
        self.speed = speed
        self.delivered = Delivered(recording.models)
        self._numbers = itertools.count(1)
        self._models = _models_body(recording)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = time.monotonic()
        path: str = scope["path"]
        match scope["method"], path.removeprefix("/v1"):  # base URLs come with and without /v1
            case "POST", "/chat/completions":
                await self._complete(arrived, receive, send)
            case "GET", "/models":
                await send_whole(send, 200, self._models)
            case "GET", "/emulator/delivered":
                await send_whole(send, 200, self.delivered.encode())
            case "GET", "/health" | "/health/liveness" | "/health/readiness":
                await send_whole(send, 200, b'{"status":"ok"}')
            case method, _:
                await send_whole(send, 404, _error(f"there is nothing to {method} at {path}", None))

    async def _complete(self, arrived: float, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive)
        except ClientLeftError:
            return
        try:
            incoming = decode_request(body)
            answer = find(self.recording, incoming.model, incoming.request)
        except RequestError as error:
            await send_whole(send, 400, _error(str(error), None, error.place))
            return
        except NotRecordedError as missing:
            await send_whole(send, 404, _error(missing.message, missing.code, missing.place))
            return
        reply = reply_to(incoming.request, answer)
        tally = self.delivered.by_model[incoming.model]
        _take(tally, reply)
        client = Client(receive, send, arrived, reply.duration / self.speed if self.speed else 0.0)
        try:
            if incoming.stream:
                await self._stream(incoming, reply, tally, client)
            else:
                await self._whole(incoming, reply, tally, client)
        except ClientLeftError:
            tally.disconnected += 1
        finally:
            client.close()

    async def _whole(self, incoming: Incoming, reply: Reply, tally: Tally, client: Client) -> None:
        response = whole(reply, id=self._id(), created=int(time.time()), model=incoming.model)
        body = encode_response(response)
        await client.until(1.0)
        tally.output_tokens += _output_tokens(reply, len(reply.tokens))
        await send_whole(client.send, 200, body)

    async def _stream(self, incoming: Incoming, reply: Reply, tally: Tally, client: Client) -> None:
        writing = writer(self._id(), int(time.time()), incoming.model, incoming.include_usage)
        pieces = tuple(deltas(reply))
        ready = writing.start()  # leaves with the first token, as providers do it
        sent = 0
        while sent < len(pieces):
            due = await client.until((sent + 1) / len(pieces))
            until = max(sent + 1, math.floor(due * len(pieces)))
            ready += b"".join(map(writing.write, pieces[sent:until]))
            tally.output_tokens += _output_tokens(reply, until - sent)
            sent = until
            if sent < len(pieces):
                await client.send_piece(ready)
                ready = b""
        await client.until(1.0)
        ready += writing.write(Delta(finish_reason=reply.finish_reason)) + writing.end(reply.usage)
        await client.send_piece(ready, last=True)

    def _id(self) -> str:
        return f"chatcmpl-emulated-{next(self._numbers)}"


def _error(message: str, code: str | None, param: str | None = None) -> bytes:
    return encode_error(message, type="invalid_request_error", code=code, param=param)


def _take(tally: Tally, reply: Reply) -> None:
    tally.calls += 1
    if reply.usage is None:
        tally.uncounted += 1
    else:
        tally.input_tokens += reply.usage.input_tokens
        tally.cached_tokens += reply.usage.cached_tokens
        tally.cache_write_tokens += reply.usage.cache_write_tokens


def _output_tokens(reply: Reply, pieces: int) -> int:
    return pieces if reply.counted else 0


def _models_body(recording: Recording) -> bytes:
    models = [
        {"id": model, "object": "model", "created": 0, "owned_by": "recording"}
        for model in recording.models
    ]
    return msgspec.json.encode({"object": "list", "data": models})

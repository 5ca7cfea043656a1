"""Whole HTTP responses."""

from __future__ import annotations

import time

import msgspec
from msgspec.structs import replace

from cascade.listen import Send
from cascade.server.headers import Header
from cascade.server.thoughts import without_thoughts
from cascade.types import Answer, Response
from cascade.wire.framing import Framing

JSON: Header = (b"content-type", b"application/json")
_UNBUFFERED: tuple[Header, ...] = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))


class Reply(msgspec.Struct):
    """A response whose body is there as a whole."""

    status: int
    body: bytes
    headers: list[Header]

    async def send(self, send: Send) -> None:
        """Send it; the length of the body is added."""
        self.headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


def unbuffered(framing: Framing) -> tuple[Header, ...]:
    """Return what is told of a body that goes on as it comes."""
    return ((b"content-type", framing.content_type), *_UNBUFFERED)


def told(answer: Answer, *, thoughts: bool) -> Response:
    """The answer's response with an id and a time, which clients rely on, and with its thoughts if
    they are wanted. Where the provider sent no id or time, the answer's own id and the present
    stand there."""
    response = answer.response if thoughts else without_thoughts(answer.response)
    if response.id and response.created:
        return response
    return replace(
        response,
        id=response.id or answer.id,
        created=response.created or int(time.time()),
    )

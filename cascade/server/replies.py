"""Whole HTTP responses, and the reading of a request's body."""

from __future__ import annotations

import msgspec

from cascade.listen import Receive, Send
from cascade.server.headers import Header
from cascade.server.presence import ClientLeftError

JSON: Header = (b"content-type", b"application/json")
EVENTS: Header = (b"content-type", b"text/event-stream; charset=utf-8")
UNBUFFERED: tuple[Header, ...] = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))

_DRAINED = 4  # times the limit: as much of a body that is too long is read and thrown away


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


class TooLargeError(Exception):
    """The body is longer than the limit."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """Return the request's body.

    Raises:
        TooLargeError: it has more than ``limit`` bytes.
        ClientLeftError: the client left before its end.
    """
    event = await receive()
    if event["type"] == "http.disconnect":
        raise ClientLeftError
    body: bytes = event["body"]
    if event["more_body"]:
        return await _rest(receive, body, limit)
    if len(body) > limit:
        raise TooLargeError
    return body


async def _rest(receive: Receive, first: bytes, limit: int) -> bytes:
    parts, size, more = [first], len(first), True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientLeftError
        part: bytes = event.get("body", b"")
        size += len(part)
        more = event.get("more_body", False)
        if size <= limit:
            parts.append(part)
        elif size > _DRAINED * limit:
            break
        else:  # read on, so that a client which sends before it reads hears what is wrong
            parts.clear()
    if size > limit:
        raise TooLargeError
    return b"".join(parts)

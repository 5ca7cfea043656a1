"""Who waits for an answer: its connection, its patience, its departure."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import time
from collections.abc import Iterable

from cascade.listen import ClientLeftError, Receive, Scope, Send, departure, stopping, transport_of

Headers = Iterable[tuple[bytes, bytes]]

JSON = b"application/json"
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection


class Client:
    """Who waits for an answer that takes ``duration`` seconds from ``arrived`` on.

    While there is something to wait for, it also listens for the client's departure.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, arrived: float, duration: float
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._arrived = arrived
        self._duration = duration
        self._started = False
        self._departure: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def until(self, share: float) -> float:
        """Wait until this share of the answer is due and return the share that is due by then.

        Raises:
            ClientLeftError: the client left meanwhile.
        """
        if not self._duration:
            return 1.0
        # Against the time of arrival, so that lateness never adds up over many tokens.
        await self._wait(self._arrived + share * self._duration - time.monotonic())
        return min(1.0, (time.monotonic() - self._arrived) / self._duration)

    async def idle(self, seconds: float = math.inf) -> None:
        """Let so many seconds go by, for a fault; nobody waits for its end when all is to stop.

        Raises:
            ClientLeftError: the client left meanwhile, or was left.
        """
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(stopping(self._scope))
        await self._wait(seconds, self._stopping)
        if self._stopping.done():
            await self.reset()
            raise ClientLeftError

    async def _wait(self, seconds: float, *others: asyncio.Task[None]) -> None:
        gone = self._listen()
        if seconds > 0:
            patience = None if seconds == math.inf else seconds
            await asyncio.wait(
                (gone, *others), timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
        if gone.done():
            raise ClientLeftError

    async def head(
        self, content_type: bytes, length: int | None = None, status: int = 200, more: Headers = ()
    ) -> None:
        """Send status and headers; the second time, do nothing."""
        if self._started:
            return
        self._started = True
        headers = [(b"content-type", content_type), *more]
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send_piece(self, data: bytes, *, last: bool = False) -> None:
        """Send a piece of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})

    def write_raw(self, data: bytes) -> None:
        """Write to the connection itself, past HTTP.

        Raises:
            ClientLeftError: the client has left, though its departure was not heard of yet.
        """
        transport = transport_of(self._scope)
        if transport.is_closing():
            raise ClientLeftError
        transport.write(data)

    async def hang_up(self) -> None:
        """Close the connection after what was written, and wait until it is closed."""
        transport_of(self._scope).close()
        await asyncio.wait((self._listen(),))

    async def reset(self) -> None:
        """Reset the connection, and wait until it is gone."""
        transport = transport_of(self._scope)
        if not transport.is_closing():
            own = transport.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            transport.abort()
        await asyncio.wait((self._listen(),))

    def close(self) -> None:
        """Listen no longer."""
        for task in (self._departure, self._stopping):
            if task is not None:
                task.cancel()

    def _listen(self) -> asyncio.Task[None]:
        if self._departure is None:
            self._departure = asyncio.ensure_future(departure(self._receive))
        return self._departure


async def send_whole(send: Send, status: int, body: bytes, more: Headers = ()) -> None:
    """Send a whole answer of JSON, with ``more`` headers."""
    headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

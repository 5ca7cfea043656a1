"""Who waits for an answer: its body, its patience, its departure."""

from __future__ import annotations

import asyncio
import time

from cascade.listen import ClientLeftError, Event, Receive, Send, departure


class Client:
    """Who waits for an answer that takes ``duration`` seconds from ``arrived`` on.

    While there is something to wait for, it also listens for the client's departure.
    """

    def __init__(self, receive: Receive, send: Send, arrived: float, duration: float) -> None:
        self.send = send
        self._arrived = arrived
        self._duration = duration
        self._started = False
        self._departure = asyncio.ensure_future(departure(receive)) if duration else None

    async def until(self, share: float) -> float:
        """Wait until this share of the answer is due and return the share that is due by then.

        Raises:
            ClientLeftError: the client left meanwhile.
        """
        if self._departure is None:
            return 1.0
        # Against the time of arrival, so that lateness never adds up over many tokens.
        left = self._arrived + share * self._duration - time.monotonic()
        if left > 0:
            await asyncio.wait((self._departure,), timeout=left)
        if self._departure.done():
            raise ClientLeftError
        return min(1.0, (time.monotonic() - self._arrived) / self._duration)

    async def send_piece(self, data: bytes, *, last: bool = False) -> None:
        """Send a piece of a stream, the head before the first one."""
        if not self._started:
            self._started = True
            await self.send(_head(200, b"text/event-stream", None))
        await self.send({"type": "http.response.body", "body": data, "more_body": not last})

    def close(self) -> None:
        """Listen no longer."""
        if self._departure is not None:
            self._departure.cancel()


async def send_whole(send: Send, status: int, body: bytes) -> None:
    """Send a whole answer of JSON."""
    await send(_head(status, b"application/json", len(body)))
    await send({"type": "http.response.body", "body": body})


def _head(status: int, content_type: bytes, length: int | None) -> Event:
    headers = [(b"content-type", content_type)]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    return {"type": "http.response.start", "status": status, "headers": headers}

"""A stream's events over one response: the head with the first, signs of life in long silences."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from cascade.listen import Send
from cascade.server.headers import Header
from cascade.server.replies import unbuffered
from cascade.wire.framing import Framing

QUIET_S = 10.0
"""Seconds of silence after which a sign of life tells that the answer is still coming."""


class Events:
    """Sends events while its block runs.

    The head leaves with the first event, so that whatever fails before can still be a proper HTTP
    error; or with the first sign of life, after ``QUIET_S`` seconds without an event.

    Attributes:
        started: the head has left.
    """

    def __init__(self, send: Send, headers: list[Header], framing: Framing) -> None:
        self.started = False
        self._send, self._headers, self._framing = send, headers, framing
        self._beat: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        # One timer that looks at the last event's time, not one for every event.
        self._timer = self._loop.call_later(QUIET_S, self._tick)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if self._beat is not None:
            self._beat.cancel()

    def tell(self, headers: list[Header]) -> None:
        """Replace the head's headers, unless it has left."""
        self._headers = headers

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """Send whole events; waits while the client reads too slowly."""
        if self._beat is not None:
            await self._beat
            self._beat = None
        await self._start()
        body = self._framing.pack(data, last)
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})
        self._last = self._loop.time()

    async def _start(self) -> None:
        if not self.started:
            self.started = True
            headers = [*unbuffered(self._framing), *self._headers]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    def _tick(self) -> None:
        left = self._last + QUIET_S - self._loop.time()
        # A sign that still waits for a slow client is one too many already.
        if left <= 0 and (self._beat is None or self._beat.done()):
            self._beat = self._loop.create_task(self._live())
        self._timer = self._loop.call_later(left if left > 0 else QUIET_S, self._tick)

    async def _live(self) -> None:
        await self._start()
        sign = self._framing.keep_alive
        await self._send({"type": "http.response.body", "body": sign, "more_body": True})

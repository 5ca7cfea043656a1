"""Work that is worth its money only while the client is there."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from cascade.errors import Closed
from cascade.listen import ClientLeftError, Receive, departure


class WhileThere:
    """Runs a block while the client is there, and cancels it at once when the client leaves.

    The request's body must have been read. Entered for calls only: an answer from the cache is
    sent before anybody could leave.

    Raises:
        ClientLeftError: from the block's end, where the client left before it.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        # A time-out without a time: its careful way of cancelling a task is what is wanted here.
        self._scope = asyncio.timeout(None)
        self._inside = False

    async def __aenter__(self) -> Self:
        await self._scope.__aenter__()
        self._inside = True
        self._loop = asyncio.get_running_loop()
        self._watch = self._loop.create_task(departure(self._receive))
        self._watch.add_done_callback(self._gone)
        return self

    def _gone(self, watch: asyncio.Task[None]) -> None:
        if not watch.cancelled():
            watch.exception()  # a connection that cannot be read is as good as closed
            if self._inside:
                self._scope.reschedule(self._loop.time())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._inside = False
        self._watch.cancel()
        try:
            await self._scope.__aexit__(kind, error, trace)
        except TimeoutError:
            raise ClientLeftError from None
        if self._scope.expired() and kind is Closed:  # the block took it for the server's end
            raise ClientLeftError

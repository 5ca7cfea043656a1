"""Hold and commit: what of a stream may leave, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from cascade.types import Decision, Delta

Piece = Delta | Decision


class Outlet:
    """Where a caller reads a stream: what is put in comes out in order, then the end.

    Decisions come between the pieces of the answer, for those who want to watch.
    """

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    def put(self, piece: Piece) -> None:
        """Let a piece leave."""
        self._pieces.append(piece)
        self._wake()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def batches(self) -> AsyncGenerator[list[Piece], None]:
        """Read to the end, each time all that has come since."""
        while True:
            if self._pieces:
                batch, self._pieces = self._pieces, []
                yield batch
                continue
            if self._ended:
                return
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None


class Delivery:
    """Between the calls of one request and its outlet.

    Pieces of every live call are held until one of them is committed; its held pieces leave, the
    others' are dropped, and from then on its pieces leave as they arrive.
    """

    def __init__(self, outlet: Outlet | None) -> None:
        self._outlet = outlet
        self._held: dict[int, list[Delta]] = {}
        self.committed: int | None = None

    def take(self, call: int, delta: Delta) -> None:
        """A piece of a live call has arrived."""
        if self.committed is None:
            self._held.setdefault(call, []).append(delta)
        elif call == self.committed:
            self._let_out(delta)

    def commit(self, call: int) -> None:
        """From now on this call's pieces leave, and no other's."""
        self.committed = call
        for delta in self._held.pop(call, ()):
            self._let_out(delta)
        self._held.clear()

    def detach(self) -> None:
        """The reader has gone; whatever still arrives is for nobody."""
        self._outlet = None

    def _let_out(self, delta: Delta) -> None:
        if self._outlet is not None:
            self._outlet.put(delta)

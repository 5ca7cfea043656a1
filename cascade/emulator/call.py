"""One call: what it is answered with, and how the answer leaves, whole or streamed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from cascade.emulator.client import JSON, Client
from cascade.emulator.counting import Tally
from cascade.emulator.replies import Reply, whole
from cascade.types import Delta
from cascade.wire.codec import Codec, Incoming, Writer
from cascade.wire.framing import Framing, ServerSentEvents

__all__ = ["Call"]


class Call:
    """One call, whose client waits for its answer.

    A provider's parts in turn: ``begin`` takes the call's input on the bill; then ``answer``, or
    ``leave``, ``finish`` and ``flush`` one by one. Output is counted as it leaves. ``begun`` is
    called when it begins to.

    Attributes:
        reply: what it is answered with; may be exchanged before the answer begins.
        model: the name the answer bears.
        framing: the form of a stream; may be exchanged likewise.
        ready: the part of a stream that leaves next.
    """

    def __init__(
        self,
        codec: Codec,
        incoming: Incoming,
        reply: Reply,
        client: Client,
        tally: Tally,
        begun: Callable[[], None],
        id: str,  # noqa: A002 - the protocols' word
    ) -> None:
        self.codec = codec
        self.reply = reply
        self.client = client
        self.framing: Framing = ServerSentEvents()
        self.model = incoming.model
        self.stream = incoming.stream
        self._include_usage = incoming.include_usage
        self._tally = tally
        self._id = id
        self._begun = begun
        self._created = int(time.time())
        self._sent = 0
        self.ready = b""

    @property
    def content_type(self) -> bytes:
        """The answer's content type."""
        return self.framing.content_type if self.stream else JSON

    def begin(self) -> None:
        """Count the input."""
        self._tally.charge(self.reply.usage)

    async def answer(self) -> None:
        """Send the whole answer as it is due.

        Raises:
            ClientLeftError: the client left before its end.
        """
        if self.stream:
            self.start()
            await self.leave(len(self.reply.pieces))
            await self.client.until(1.0)
            self.finish()
            await self.flush(last=True)
        else:
            await self.client.until(1.0)
            self.count(0, len(self.reply.pieces))
            await self.send_body(self.body())

    def body(self) -> bytes:
        """Return the whole answer; nothing is counted."""
        response = whole(self.reply, id=self._id, created=self._created, model=self.model)
        return self.codec.encode_response(response)

    async def send_body(self, body: bytes) -> None:
        """Send this as the whole answer."""
        await self.client.head(JSON, len(body))
        await self.client.send_piece(body, last=True)

    def writer(self) -> Writer:
        """Return a writer for this answer as a stream."""
        return self.codec.writer(self._id, self._created, self.model, self._include_usage)

    def start(self) -> None:
        """Begin the stream; its opening leaves with the first token, as providers do it."""
        self._writer = self.writer()
        self.add(self._writer.start(self.reply.usage))

    async def leave(self, until: int) -> None:
        """Let the pieces up to this one leave as they are due; the last waits for what follows.

        Raises:
            ClientLeftError: the client left meanwhile.
        """
        pieces = self.reply.pieces
        while self._sent < until:
            due = await self.client.until((self._sent + 1) / len(pieces))
            now = min(until, max(self._sent + 1, math.floor(due * len(pieces))))
            self.add(b"".join(map(self._writer.write, pieces[self._sent : now])))
            self.count(self._sent, now)
            self._sent = now
            if now < until:
                await self.flush()

    def finish(self) -> None:
        """Write the finish, the usage and the end."""
        finish = self._writer.write(Delta(finish_reason=self.reply.finish_reason))
        self.add(finish + self._writer.end(self.reply.usage))
        self.close()

    def add(self, events: bytes) -> None:
        """Add events to what leaves next."""
        self.ready += self.framing.pack(events)

    def close(self) -> None:
        """Add what ends the stream's form."""
        self.ready += self.framing.pack(b"", last=True)

    def entire_stream(self) -> bytes:
        """Return all of the stream's bytes, instead of sending them; nothing is counted."""
        self.start()
        self.add(b"".join(map(self._writer.write, self.reply.pieces)))
        self.finish()
        entire, self.ready = self.ready, b""
        return entire

    async def flush(self, *, last: bool = False) -> None:
        """Send what is ready."""
        await self.client.head(self.content_type)
        ready, self.ready = self.ready, b""
        await self.client.send_piece(ready, last=last)

    def count(self, begin: int, end: int) -> None:
        """Count the tokens of these pieces as delivered."""
        if not begin:
            self._begun()
        self._tally.output_tokens += self.reply.tokens(end) - self.reply.tokens(begin)

"""Answers as streams: stored ones at once, live ones as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from cascade.client import AsyncCascade, AsyncStream
from cascade.client.account import account
from cascade.listen import Send
from cascade.policy.parameters import dropped
from cascade.server import errors, headers
from cascade.server.asked import Asked
from cascade.server.events import Events
from cascade.server.replies import Reply, told, unbuffered
from cascade.server.thoughts import piece_without_thoughts
from cascade.types import Answer, Decision, Delta, Request, Rung, Tables
from cascade.wire.codec import Writer
from cascade.wire.replay import deltas_of


def replayed(answer: Answer, asked: Asked) -> Reply:
    """Return a whole answer as a stream: a live one's events, all in one body."""
    body = asked.framing.pack(_events(answer, asked), last=True)
    told = headers.of_answer(answer, asked)
    return Reply(200, body, [*unbuffered(asked.framing), *told])


def _events(answer: Answer, asked: Asked) -> bytes:
    response = told(answer, thoughts=asked.thoughts)
    identity = answer.id if asked.events else response.id
    writer = asked.dialect.codec.writer(
        identity, response.created, answer.model, asked.include_usage
    )
    return b"".join(
        (
            writer.start(response.usage),
            *map(writer.write, deltas_of(response)),
            writer.end(response.usage, account(answer)),
        )
    )


async def stream(ai: AsyncCascade, asked: Asked, send: Send) -> Reply | None:
    """Answer with a stream that has to be made; None once it has been sent.

    Raises:
        CascadeError: there is no answer, and nothing has been sent yet.
        Closed: so does the server's end, where it cancels what is under way.
    """
    identity = errors.new_id()
    beginning = headers.of_beginning(asked, identity)
    async with Events(send, beginning, asked.framing) as events:
        try:
            async with AsyncStream(ai, asked.request) as answering:
                identity = answering.id
                return await _Passage(ai.tables, answering, events, asked).run()
        except asyncio.CancelledError:
            if not events.started:
                raise errors.stopping() from None
            raise  # no clean end: what has come is not the whole answer
        except errors.KNOWN as error:
            if not events.started:
                raise
            reply = errors.problem(error, identity, asked.dialect)
        except Exception as error:
            # A defect of ours, and the head has left: all we have is an error event.
            if not events.started:
                raise
            reply = errors.unexpected(error, identity, asked.dialect)
        await events.send(asked.dialect.codec.encode_error_event(reply.body), last=True)
        return None


class _Passage:
    """Passes one stream on as it comes."""

    def __init__(
        self, tables: Tables, answering: AsyncStream, events: Events, asked: Asked
    ) -> None:
        self._tables, self._answering = tables, answering
        self._events, self._asked = events, asked

    async def run(self) -> Reply | None:
        """Pass on what comes; return what is to be sent instead where nothing has been yet."""
        events, asked, writer = self._events, self._asked, None
        async for batch in self._answering.batches():
            data = self._decisions(batch) if asked.events else b""
            deltas = _deltas(batch, asked.thoughts)
            if deltas and writer is None:
                answer = self._answering.known
                if answer is not None:  # it was held until accepted, or is somebody else's
                    if not (data or events.started):
                        return replayed(answer, asked)
                    await events.send(data + _events(answer, asked), last=True)
                    return None
                writer = self._begin(deltas)
                data += writer.start(next((d.usage for d in deltas if d.usage), None))
            if writer is not None:
                data += b"".join(map(writer.write, deltas))
            if data:
                await events.send(data)
        answer = self._answering.answer
        assert writer is not None, "an answer has at least its finish reason to stream"
        await events.send(writer.end(answer.response.usage, account(answer)), last=True)
        return None

    def _decisions(self, batch: Sequence[Delta | Decision]) -> bytes:
        """Write the decisions among a batch's pieces. They go before the others: none is made on
        what has begun to leave."""
        write, now = self._asked.dialect.decided, int(time.time())
        return b"".join(
            write(piece, self._answering.id, now, self._asked.model)
            for piece in batch
            if isinstance(piece, Decision)
        )

    def _begin(self, deltas: Sequence[Delta]) -> Writer:
        """Begin a live stream with what its first pieces tell of who answers."""
        asked, answering = self._asked, self._answering
        model = next((delta.model for delta in deltas if delta.model), None)
        rung = answering.rung
        lost = () if rung is None else _dropped(self._tables.rungs[rung], asked.request)
        self._events.tell(headers.of_beginning(asked, answering.id, rung, model, lost))
        known = next((delta.id for delta in deltas if delta.id), answering.id)
        # Decisions may have left under the answer's own id: one stream has one id.
        identity = answering.id if asked.events else known
        return asked.dialect.codec.writer(
            identity, int(time.time()), model or asked.model, asked.include_usage
        )


def _deltas(batch: Sequence[Delta | Decision], thoughts: bool) -> list[Delta]:
    deltas = [piece for piece in batch if isinstance(piece, Delta)]
    return deltas if thoughts else [piece_without_thoughts(delta) for delta in deltas]


def _dropped(rung: Rung, request: Request) -> tuple[str, ...]:
    """What is dropped whichever of the rung's endpoints answers, and what always is."""
    first, *others = rung.endpoints
    names = dropped(request, first.lacks)
    everywhere = (name for name in names if all(name in other.lacks for other in others))
    return (*everywhere, *request.ignored)

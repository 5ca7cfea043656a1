"""Answers as streams of chunks: stored ones at once, live ones as they come."""

from __future__ import annotations

import asyncio
import time

from cascade.client import AsyncCascade, AsyncStream
from cascade.client.account import account
from cascade.listen import Send
from cascade.server import errors, headers
from cascade.server.asked import Asked
from cascade.server.events import Events
from cascade.server.replies import EVENTS, UNBUFFERED, Reply, named
from cascade.types import Answer, Delta
from cascade.wire.openai_chat.stream_writer import StreamWriter
from cascade.wire.replay import deltas_of


def replayed(answer: Answer, asked: Asked) -> Reply:
    """Return a whole answer as a stream: a live one's events, all in one body."""
    told = headers.of_answer(answer, asked.request, asked.elapsed_s)
    return Reply(200, _events(answer, asked), [EVENTS, *UNBUFFERED, *told])


def _events(answer: Answer, asked: Asked) -> bytes:
    response = named(answer)
    writer = StreamWriter(response.id, response.created, answer.model, asked.include_usage)
    return b"".join(
        (
            writer.start(),
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
    beginning = headers.of_beginning(asked.request, identity, None, None, asked.elapsed_s)
    async with Events(send, beginning) as events:
        try:
            async with AsyncStream(ai, asked.request) as answering:
                identity = answering.id
                return await _pass_on(answering, events, asked)
        except asyncio.CancelledError:
            if not events.started:
                raise errors.stopping() from None
            raise  # no clean end: what has come is not the whole answer
        except errors.KNOWN as error:
            if not events.started:
                raise
            reply = errors.problem(error, identity)
        except Exception as error:
            # A defect of ours, and the head has left: all we have is an error event.
            if not events.started:
                raise
            reply = errors.unexpected(error, identity)
        await events.send(errors.event(reply), last=True)
        return None


async def _pass_on(answering: AsyncStream, events: Events, asked: Asked) -> Reply | None:
    writer: StreamWriter | None = None
    async for deltas in answering.batches():
        if writer is None:
            answer = answering.known
            if answer is not None:  # it was held until accepted, or is somebody else's
                if not events.started:
                    return replayed(answer, asked)
                await events.send(_events(answer, asked), last=True)
                return None
            writer = _live_writer(deltas, events, asked, answering)
            data = writer.start()
        else:
            data = b""
        data += b"".join(map(writer.write, deltas))
        if data:
            await events.send(data)
    answer = answering.answer
    assert writer is not None, "an answer has at least its finish reason to stream"
    await events.send(writer.end(answer.response.usage, account(answer)), last=True)
    return None


def _live_writer(
    deltas: list[Delta], events: Events, asked: Asked, answering: AsyncStream
) -> StreamWriter:
    """Begin a live stream with what its first pieces tell of who answers."""
    model = next((delta.model for delta in deltas if delta.model), None)
    known = next((delta.id for delta in deltas if delta.id), answering.id)
    beginning = headers.of_beginning(
        asked.request, answering.id, answering.rung, model, asked.elapsed_s
    )
    events.tell(beginning)
    return StreamWriter(known, int(time.time()), model or asked.model, asked.include_usage)

"""Requests for answers and for counts, in whatever protocol they are made."""

from __future__ import annotations

import asyncio
import time

from cascade import tokens
from cascade.client import AsyncCascade
from cascade.client.account import account
from cascade.listen import Receive, Scope, Send, read_body
from cascade.server import errors, headers
from cascade.server.asked import Asked
from cascade.server.dialects import Dialect
from cascade.server.names import Names
from cascade.server.replies import JSON, Reply, told
from cascade.server.streaming import replayed, stream
from cascade.server.tightening import tightened
from cascade.server.while_there import WhileThere
from cascade.types import Answer
from cascade.wire.counting import counted_body, to_answer


class Answering:
    """Answers requests, whole and streamed. ``body_limit`` is in bytes."""

    def __init__(self, ai: AsyncCascade, names: Names, body_limit: int) -> None:
        self._ai, self._names, self._body_limit = ai, names, body_limit
        self._deadline = ai.tables.decide.deadline

    async def answer(
        self, scope: Scope, dialect: Dialect, receive: Receive, send: Send
    ) -> Reply | None:
        """Return the answer that is to be sent, None where it has been sent already.

        An answer from the cache is found without any task, timer or wait of its own.

        Raises:
            ClientLeftError: the client left, and what was under way was cancelled.
            Exception: one of ``errors.KNOWN`` where there is no answer.
        """
        since = time.perf_counter()
        body = await read_body(receive, self._body_limit)
        asked = self._read(body, scope["path"], scope, dialect, since)
        engine = await self._ai.open()
        seen = engine.look_up(asked.request)
        answer = seen.answer
        if answer is None:
            async with WhileThere(receive):
                if asked.stream:
                    return await stream(self._ai, asked, send)
                try:
                    answer = await engine.answer(asked.request, seen)
                except asyncio.CancelledError:
                    raise errors.stopping() from None
        return replayed(answer, asked) if asked.stream else _whole(answer, asked)

    async def count(self, scope: Scope, dialect: Dialect, receive: Receive) -> Reply:
        """Return how many input tokens a request is. Nobody is called: it is an estimate, images
        left out, and ``x-cascade-estimated: true`` says so.

        Raises:
            Exception: one of ``errors.KNOWN`` where it could not be asked.
        """
        whole = await read_body(receive, self._body_limit)
        body, path = to_answer(dialect.name, whole, scope["path"])
        asked = self._read(body, path, scope, dialect, time.perf_counter())
        # A long text takes longer than the event loop may stand still.
        number = await asyncio.to_thread(tokens.estimate_request, asked.request)
        identity = headers.of_identity(errors.new_id(), dialect)
        estimated = (b"x-cascade-estimated", b"true")
        counted = counted_body(dialect.name, number)
        return Reply(200, counted, [JSON, estimated, *identity])

    def _read(self, body: bytes, path: str, scope: Scope, dialect: Dialect, since: float) -> Asked:
        incoming = dialect.codec.decode_request(body, path)
        request = self._names.aim(incoming.request, incoming.model)
        return Asked(
            tightened(request, scope["headers"], self._deadline),
            incoming.model,
            incoming.stream,
            incoming.include_usage,
            incoming.events,
            dialect,
            dialect.framing(scope["query_string"]),
            since,
        )


def _whole(answer: Answer, asked: Asked) -> Reply:
    extra = account(answer)
    body = asked.dialect.codec.encode_response(
        told(answer, thoughts=asked.thoughts), model=answer.model, extra=extra
    )
    return Reply(200, body, [JSON, *headers.of_answer(answer, asked)])

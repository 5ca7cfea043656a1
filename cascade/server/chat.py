"""``POST /v1/chat/completions``."""

from __future__ import annotations

import asyncio
import time

from cascade.client import AsyncCascade
from cascade.client.account import account
from cascade.listen import ClientLeftError, Receive, Scope, Send, read_body
from cascade.server import errors, headers
from cascade.server.asked import Asked
from cascade.server.names import Names
from cascade.server.presence import Presence
from cascade.server.replies import JSON, Reply, named
from cascade.server.streaming import replayed, stream
from cascade.server.tightening import tightened
from cascade.types import Answer
from cascade.wire.openai_chat import decode_request, encode_response


class Chat:
    """Answers chat completions, whole and streamed. ``body_limit`` is in bytes."""

    def __init__(self, ai: AsyncCascade, names: Names, body_limit: int) -> None:
        self._ai, self._names, self._body_limit = ai, names, body_limit
        self._deadline = ai.tables.decide.deadline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self._answer(scope, receive, send)
        except ClientLeftError:
            return  # nobody is there to be told
        except errors.KNOWN as error:
            reply = errors.problem(error, errors.new_id())
        except Exception as error:  # noqa: BLE001 - a defect must reach log and client, with an id
            reply = errors.unexpected(error, errors.new_id())
        if reply is not None:
            await reply.send(send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        """Return what is to be sent, None where it has been sent already.

        An answer from the cache is found without any task, timer or wait of its own.
        """
        since = time.perf_counter()
        asked = self._read(await read_body(receive, self._body_limit), scope, since)
        engine = await self._ai.open()
        seen = engine.look_up(asked.request)
        answer = seen.answer
        if answer is None:
            async with Presence(receive):
                if asked.stream:
                    return await stream(self._ai, asked, send)
                try:
                    answer = await engine.answer(asked.request, seen)
                except asyncio.CancelledError:
                    raise errors.stopping() from None
        return replayed(answer, asked) if asked.stream else _whole(answer, asked)

    def _read(self, body: bytes, scope: Scope, since: float) -> Asked:
        incoming = decode_request(body)
        request = self._names.aim(incoming.request, incoming.model)
        request = tightened(request, scope["headers"], self._deadline)
        return Asked(request, incoming.model, incoming.stream, incoming.include_usage, since)


def _whole(answer: Answer, asked: Asked) -> Reply:
    body = encode_response(named(answer), model=answer.model, extra=account(answer))
    told = headers.of_answer(answer, asked.request, asked.elapsed_s)
    return Reply(200, body, [JSON, *told])

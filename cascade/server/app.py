"""The server as an ASGI application: its routes, its start and its end."""

from __future__ import annotations

import os
from collections.abc import Mapping

from cascade.client import AsyncCascade
from cascade.errors import CascadeError
from cascade.listen import Receive, Scope, Send
from cascade.server import errors, health
from cascade.server.chat import Chat
from cascade.server.names import Names, UnknownModelError
from cascade.server.origin import ForeignOriginError, refuse_foreign
from cascade.server.replies import JSON, Reply

BODY_LIMIT = 32 * 1024 * 1024
"""Bytes of a request: several images given as data, and no more."""

_CHAT = "/v1/chat/completions"
_MODEL = "/v1/models/"
_READ = ("GET", "HEAD")
_ROUTES = {
    _CHAT: ("POST",),
    "/v1/models": _READ,
    "/v1/models/NAME": _READ,
    "/health/liveness": _READ,
    "/health/readiness": _READ,
}


class Server:
    """Serves a cascade over OpenAI's protocol.

    It owns ``ai`` from the start: at the end of its lifespan it closes it. ``environ`` is where
    the providers' keys are looked for, the process's environment by default; ``body_limit`` is
    the largest request it takes, in bytes.
    """

    def __init__(
        self,
        ai: AsyncCascade,
        *,
        environ: Mapping[str, str] | None = None,
        body_limit: int = BODY_LIMIT,
    ) -> None:
        self._ai = ai
        self._environ = os.environ if environ is None else environ
        self._names = Names(ai.tables)
        self._chat = Chat(ai, self._names, body_limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"] == _CHAT and scope["method"] == "POST":
            await self._chat(scope, receive, send)
        else:
            try:
                refuse_foreign(scope["headers"])
                reply = await self._small(scope["method"], scope["path"])
            except (UnknownModelError, ForeignOriginError) as error:
                reply = errors.problem(error, errors.new_id())
            await reply.send(send)

    async def _small(self, method: str, path: str) -> Reply:
        allowed = _READ if path.startswith(_MODEL) else _ROUTES.get(path)
        if allowed is None:
            there = ", ".join(_ROUTES)
            return errors.refusal(
                404, f"there is nothing at {path}; there are {there}", code="not_found"
            )
        if method not in allowed:
            reply = errors.refusal(
                405, f"{path} takes {allowed[0]}, not {method}", code="method_not_allowed"
            )
            reply.headers.append((b"allow", ", ".join(allowed).encode()))
            return reply
        match path:
            case "/v1/models":
                return Reply(200, self._names.listing, [JSON])
            case _ if path.startswith(_MODEL):
                return Reply(200, self._names.model(path.removeprefix(_MODEL)), [JSON])
            case "/health/liveness":
                return health.liveness()
            case _:
                return await health.readiness(self._ai, self._environ)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        try:
            await self._ai.open()
        except (CascadeError, OSError) as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
        await self._ai.aclose()
        await send({"type": "lifespan.shutdown.complete"})

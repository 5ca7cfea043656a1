"""The server as an ASGI application: its routes, its start and its end."""

from __future__ import annotations

import os
from collections.abc import Mapping

from cascade.client import AsyncCascade
from cascade.errors import CascadeError
from cascade.listen import Receive, Scope, Send
from cascade.server import errors, health, routes
from cascade.server.answering import Answering
from cascade.server.dialects import DIALECTS, Dialect
from cascade.server.listings import Listing, listings
from cascade.server.names import Names
from cascade.server.origin import refuse_foreign
from cascade.server.replies import JSON, Reply
from cascade.server.routes import Route
from cascade.wire.paths import speaker

BODY_LIMIT = 32 * 1024 * 1024
"""Bytes of a request: several images given as data, and no more."""

_SHOWN = 200  # characters of a path in a message


class Server:
    """Serves a cascade over OpenAI's, Anthropic's and Gemini's protocol.

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
        self._listings = listings(ai.tables)
        self._answering = Answering(ai, self._names, body_limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        route = routes.find(scope["path"])
        protocol = route.protocol if route is not None else None
        dialect = DIALECTS[protocol or speaker(scope["path"], scope["headers"]) or "openai"]
        if route is not None and route.does == "answer" and scope["method"] == "POST":
            work = self._answering.answer(scope, dialect, receive, send)
        else:
            work = self._small(route, scope, dialect, receive)
        reply = await errors.guarded(work, dialect)
        if reply is not None:
            await reply.send(send)

    async def _small(
        self, route: Route | None, scope: Scope, dialect: Dialect, receive: Receive
    ) -> Reply:
        refuse_foreign(scope["headers"])
        path, method = scope["path"][:_SHOWN], scope["method"]
        if route is None:
            there = ", ".join(routes.PATHS)
            message = f"there is nothing at {path}; there are {there}"
            return errors.refusal(dialect, 404, message, code="not_found")
        if method not in route.methods:
            message = f"{path} takes {route.methods[0]}, not {method}"
            reply = errors.refusal(dialect, 405, message, code="method_not_allowed")
            reply.headers.append((b"allow", ", ".join(route.methods).encode()))
            return reply
        match route.does:
            case "models" | "model":
                return self._models(route, self._listings[dialect.name])
            case "liveness":
                return health.liveness()
            case "readiness":
                return await health.readiness(self._ai, self._environ)
            case _:
                return await self._answering.count(scope, dialect, receive)

    def _models(self, route: Route, listing: Listing) -> Reply:
        if route.does == "models":
            return Reply(200, listing.whole, [JSON])
        model = listing.models.get(route.model)
        if model is None:
            raise self._names.unknown(route.model)
        return Reply(200, model, [JSON])

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

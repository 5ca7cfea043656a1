"""Putting an engine together: cache, keys, transport, endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cascade.cache.disk import ResponseCache, load_secret
from cascade.cache.rules.scope import KeyMaker
from cascade.config.keys import key_of
from cascade.config.places import data_dir as default_data_dir
from cascade.engine.engine import Engine
from cascade.engine.standings import Standings
from cascade.errors import ConfigError
from cascade.log import logger
from cascade.policy.rules import Threshold
from cascade.providers.endpoint import Caller
from cascade.types import Ladder, Rung, Tables

if TYPE_CHECKING:
    import httpx

    from cascade.policy.model import Rule

STANDINGS = "endpoints.json"
"""The file in the data directory that keeps what is known of the endpoints."""

Close = Callable[[], Awaitable[None]]
Opened = tuple[ResponseCache | None, bytes, Standings]


async def open_engine(
    tables: Tables,
    rule: Rule | None,
    transport: httpx.AsyncBaseTransport | None,
    data_dir: Path | str | None,
    environ: Mapping[str, str],
) -> tuple[Engine, Close]:
    """Open the cache off the event loop, and return the engine with what closes it.

    Whatever goes wrong on the way, nothing stays open.
    """
    directory = default_data_dir(environ) if data_dir is None else Path(data_dir)
    loop = asyncio.get_running_loop()
    opening = loop.run_in_executor(None, _open_cache, tables, directory)
    try:
        cache, secret, standings = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_late)  # the thread goes on all the same
        raise
    try:
        own = transport is None
        if transport is None:
            from cascade.providers.transport import default_transport

            transport = default_transport()
        engine = Engine(
            tables,
            Endpoints(transport, environ),
            rule or Threshold(),
            cache,
            KeyMaker(secret, per_user=tables.cache.per_user),
            standings,
        )
    except BaseException:
        if cache is not None:
            cache.close()
        raise

    async def close() -> None:
        try:
            await engine.close()
            await asyncio.to_thread(standings.close)
        finally:
            if own:
                await transport.aclose()

    return engine, close


def _open_cache(tables: Tables, directory: Path) -> Opened:
    standings = Standings()
    known = directory / STANDINGS
    endpoints = (e for rung in tables.rungs.values() for e in rung.endpoints)
    standings.load(known, {endpoint.name: endpoint.base_url for endpoint in endpoints})
    standings.keep_in(known)
    if not tables.cache.enabled:
        return None, bytes(32), standings
    secret = load_secret(directory)
    cache = ResponseCache(
        directory / "cache",
        size=tables.cache.size,
        secret=secret,
        entry_limit=tables.cache.entry_limit,
    )
    return cache, secret, standings


def _close_late(opening: asyncio.Future[Opened]) -> None:
    """Close what was opened for nobody: the event loop is ending."""
    if not opening.cancelled() and opening.exception() is None:
        cache, _, _ = opening.result()
        if cache is not None:
            cache.close()


class Endpoints:
    """The endpoints of ladders, made ready when a ladder is first used."""

    def __init__(self, transport: httpx.AsyncBaseTransport, environ: Mapping[str, str]) -> None:
        self._transport, self._environ = transport, environ
        self._by_ladder: dict[str, dict[str, Caller]] = {}

    def __call__(self, ladder: Ladder) -> Mapping[str, Caller]:
        """The ladder's endpoints by name, those without their key left out: a rung's others go on
        without it.

        Raises:
            MissingKey: the environment lacks the keys of all endpoints of a rung.
            ConfigError: what it holds for them cannot be sent.
        """
        if ladder.name not in self._by_ladder:
            callers: dict[str, Caller] = {}
            for rung in ladder.rungs:
                callers |= self._of(rung)
            self._by_ladder[ladder.name] = callers
        return self._by_ladder[ladder.name]

    def _of(self, rung: Rung) -> dict[str, Caller]:
        callers: dict[str, Caller] = {}
        mistakes: list[ConfigError] = []
        for endpoint in rung.endpoints:
            try:
                key = key_of(endpoint, self._environ)
            except ConfigError as mistake:
                mistakes.append(mistake)
                logger("client").warning("an endpoint is left out", why=str(mistake))
            else:
                callers[endpoint.name] = Caller(endpoint, key, self._transport)
        if mistakes and len(mistakes) == len(rung.endpoints):
            raise mistakes[0]
        return callers

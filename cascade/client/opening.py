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
from cascade.policy.rules import Threshold
from cascade.providers.endpoint import Caller
from cascade.types import Ladder, Tables

if TYPE_CHECKING:
    import httpx

    from cascade.policy.model import Rule


async def open_engine(
    tables: Tables,
    rule: Rule | None,
    transport: httpx.AsyncBaseTransport | None,
    data_dir: Path | str | None,
    environ: Mapping[str, str],
) -> tuple[Engine, Callable[[], Awaitable[None]]]:
    """Open the cache off the event loop, and return the engine with what closes it."""
    directory = default_data_dir(environ) if data_dir is None else Path(data_dir)
    cache, secret = await asyncio.to_thread(_open_cache, tables, directory)
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
    )

    async def close() -> None:
        await engine.close()
        if own:
            await transport.aclose()

    return engine, close


def _open_cache(tables: Tables, directory: Path) -> tuple[ResponseCache | None, bytes]:
    if not tables.cache.enabled:
        return None, bytes(32)
    secret = load_secret(directory)
    return ResponseCache(
        directory / "cache",
        size=tables.cache.size,
        secret=secret,
        entry_limit=tables.cache.entry_limit,
    ), secret


class Endpoints:
    """The endpoints of ladders, made ready when a ladder is first used."""

    def __init__(self, transport: httpx.AsyncBaseTransport, environ: Mapping[str, str]) -> None:
        self._transport, self._environ = transport, environ
        self._by_ladder: dict[str, dict[str, Caller]] = {}

    def __call__(self, ladder: Ladder) -> Mapping[str, Caller]:
        """The ladder's endpoints by name.

        Raises:
            MissingKey: the environment lacks a key that one of them needs.
        """
        if ladder.name not in self._by_ladder:
            self._by_ladder[ladder.name] = {
                endpoint.name: Caller(endpoint, key_of(endpoint, self._environ), self._transport)
                for rung in ladder.rungs
                for endpoint in rung.endpoints
            }
        return self._by_ladder[ladder.name]

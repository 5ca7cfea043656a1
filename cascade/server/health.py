"""Whether the server lives, and whether it can answer."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cascade.client import AsyncCascade
from cascade.config.keys import keyless_rungs, missing_keys
from cascade.errors import CascadeError
from cascade.server.replies import JSON, Reply


def liveness() -> Reply:
    """It answers, so it lives."""
    return Reply(200, b'{"status":"ok"}', [JSON])


async def readiness(ai: AsyncCascade, environ: Mapping[str, str]) -> Reply:
    """Ready when the cache is open and every rung can be called; else 503 says what is missing.

    A key that a rung can do without, since another of its endpoints has one, is a warning. Under
    ``cache`` stands what the cache could not read or keep since it was opened.
    """
    cache = None
    keyless = keyless_rungs(ai.tables, environ).values()
    needed = {error.place: str(error) for lacks in keyless for error in lacks}
    missing = missing_keys(ai.tables, environ)
    problems = list(needed.values())
    warnings = [str(error) for error in missing if error.place not in needed]
    try:
        cache = (await ai.open()).cache
    except (CascadeError, OSError) as error:
        problems.append(str(error))
    if problems:
        body: dict[str, object] = {"status": "not ready", "problems": problems}
    else:
        body = {"status": "ready"}
    if warnings:
        body["warnings"] = warnings
    if cache is not None:
        body["cache"] = cache.troubles
    return Reply(503 if problems else 200, msgspec.json.encode(body), [JSON])

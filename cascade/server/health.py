"""Whether the server lives, and whether it can answer."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cascade.client import AsyncCascade
from cascade.config.keys import missing_keys
from cascade.errors import CascadeError
from cascade.server.replies import JSON, Reply


def liveness() -> Reply:
    """It answers, so it lives."""
    return Reply(200, b'{"status":"ok"}', [JSON])


async def readiness(ai: AsyncCascade, environ: Mapping[str, str]) -> Reply:
    """Ready when the cache is open and every key is there; else 503 says what is missing.

    Under ``cache`` stands what the cache could not read or keep since it was opened.
    """
    cache = None
    problems = [str(error) for error in missing_keys(ai.tables, environ)]
    try:
        cache = (await ai.open()).cache
    except (CascadeError, OSError) as error:
        problems.append(str(error))
    if problems:
        body: dict[str, object] = {"status": "not ready", "problems": problems}
    else:
        body = {"status": "ready"}
    if cache is not None:
        body["cache"] = cache.troubles
    return Reply(503 if problems else 200, msgspec.json.encode(body), [JSON])

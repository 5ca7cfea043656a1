"""Whether an endpoint answers: one tiny request to each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from cascade import money
from cascade.config.keys import key_of
from cascade.errors import ConfigError
from cascade.types import Clocks, Endpoint, Message, Request

if TYPE_CHECKING:
    import httpx

_CLOCKS = Clocks(connect=5.0, first_token=None, idle=None, total=30.0)
_ROOM = 16  # tokens of answer: some providers refuse to write fewer
QUESTION = Request(messages=(Message("user", "Say OK."),))
"""What every endpoint is asked."""


class Probe(msgspec.Struct, frozen=True):
    """What came of a tiny request. ``kind`` and ``message`` say what went wrong; ``cost_usd`` is
    None where price or usage are not known."""

    endpoint: str
    ok: bool
    kind: str | None = None
    message: str | None = None
    latency_s: float | None = None
    cost_usd: float | None = None


async def probe(endpoints: Iterable[Endpoint], env: Mapping[str, str]) -> list[Probe]:
    """Ask all endpoints at once."""
    from cascade.providers.transport import default_transport

    transport = default_transport()
    try:
        return await asyncio.gather(*(_one(each, env, transport) for each in endpoints))
    finally:
        await transport.aclose()


async def _one(
    endpoint: Endpoint, env: Mapping[str, str], transport: httpx.AsyncBaseTransport
) -> Probe:
    from cascade.providers.endpoint import Caller, Progress
    from cascade.wire.failures import CallFailure

    started = time.perf_counter()
    try:
        caller = Caller(endpoint, key_of(endpoint, env), transport)
        response = await caller.call(
            QUESTION, Progress(), clocks=_CLOCKS, limit=_ROOM, logprobs=False, stream=False
        )
    except ConfigError as error:
        return Probe(endpoint.name, False, "auth", str(error))
    except CallFailure as failure:
        waited = time.perf_counter() - started
        return Probe(endpoint.name, False, failure.kind.value, failure.message, waited)
    cost = None
    if endpoint.price is not None and response.usage is not None:
        cost = money.to_usd(money.bill(endpoint.price, response.usage))
    waited = time.perf_counter() - started
    return Probe(endpoint.name, True, latency_s=waited, cost_usd=cost)

"""Streams of a real server, and what is left of a request whose caller has gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cascade import AsyncCascade
from cascade.client.asking import Options
from cascade.errors import DeadlineExceeded
from tests.engine.setting import until
from tests.real.ladders import GREEDY, PROTOCOLS, QUESTION, STORY, Protocol, Step, opened
from tests.real.model import Model

pytestmark = [pytest.mark.real, pytest.mark.anyio]
by_either_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)

LIMIT = 1_500
LONG = Options(temperature=0.0, max_tokens=LIMIT)
"""An answer that takes the server tens of seconds."""


def produced(model: Model) -> int:
    """How many tokens the one slot at work has written so far."""
    (slot,) = model.busy()
    return int(slot["next_token"][0]["n_decoded"])


@by_either_protocol
async def test_pieces_arrive_while_the_model_still_writes(
    tmp_path: Path, wide: Model, protocol: Protocol
) -> None:
    async with opened(tmp_path, Step("only", wide, protocol)) as ai:
        async with ai.stream(STORY, temperature=0.0, max_tokens=100) as stream:
            pieces = aiter(stream)
            assert await anext(pieces)
            assert produced(wide) < 100
            rest = [piece async for piece in pieces]
        assert len(rest) > 20
        assert stream.answer.first_token_s is not None
        assert stream.answer.first_token_s < stream.answer.latency_s


@by_either_protocol
async def test_leaving_a_stream_early_ends_the_servers_work(
    tmp_path: Path, wide: Model, protocol: Protocol
) -> None:
    async with opened(tmp_path, Step("only", wide, protocol)) as ai:
        async with ai.stream(STORY, **LONG) as stream:
            async for _ in stream:
                break
            assert produced(wide) < LIMIT // 2
        await wide.until(busy=False)
        await _was_recorded(ai)
        assert (await ai.complete(QUESTION, **GREEDY)).text


@by_either_protocol
async def test_cancelling_a_whole_answer_ends_the_servers_work_where_calls_are_streamed(
    tmp_path: Path, wide: Model, protocol: Protocol
) -> None:
    """This server notices that a caller has gone only where it streams to it."""
    async with opened(tmp_path, Step("only", wide, protocol, streamed=True)) as ai:
        task = asyncio.create_task(ai.complete(STORY, **LONG))
        await wide.until(busy=True)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wide.until(busy=False)
        await _was_recorded(ai)


async def test_a_deadline_ends_the_servers_work_and_is_billed_by_an_estimate(
    tmp_path: Path, wide: Model
) -> None:
    async with opened(tmp_path, Step("only", wide, streamed=True)) as ai:
        with pytest.raises(DeadlineExceeded) as exceeded:
            await ai.complete(STORY, **LONG | Options(deadline=1.0))
        await wide.until(busy=False)
        (attempt,) = exceeded.value.attempts
        assert (attempt.result, attempt.estimated) == ("cancelled", True)
        assert attempt.cost == ai.totals.spent > 0


async def _was_recorded(ai: AsyncCascade) -> None:
    """One cancelled request, with a bill that says it is an estimate."""
    await until(lambda: bool(ai.totals.by_outcome))
    assert ai.totals.by_outcome == {"cancelled": 1}
    assert (ai.totals.calls, ai.totals.estimated) == (1, 1)
    assert ai.totals.spent > 0

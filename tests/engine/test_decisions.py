"""What a reader of a stream hears of decisions before its answer comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade import Cascade
from cascade.types import Decision, Delta
from tests.engine.scripted import fails, provider, provider_in_thread, says
from tests.engine.setting import LADDER, STRONG, Step, opened, tables

pytestmark = pytest.mark.anyio


async def test_a_held_draft_is_checked_and_a_short_one_climbs(tmp_path: Path) -> None:
    seen: list[Decision | Delta] = []
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says("perhaps", logprob=-3.0))
        async with ai.stream("Which rivers meet in Koblenz?") as stream:
            seen.extend([piece async for piece in stream.events()])
    decisions = [piece for piece in seen if isinstance(piece, Decision)]
    assert decisions == [
        Decision("checking", "small"),
        Decision("climbing", "strong", "small: short"),
    ]
    assert seen[:2] == decisions
    assert "".join(piece.text for piece in seen if isinstance(piece, Delta)) == "fine"


async def test_a_rung_that_fails_is_named_with_its_kind(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", fails(401))
        async with ai.stream("Which rivers meet in Koblenz?") as stream:
            decisions = [p async for p in stream.events() if isinstance(p, Decision)]
    assert decisions == [Decision("climbing", "strong", "small: failed (auth)")]


async def test_whoever_reads_text_or_deltas_hears_nothing_of_it(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says("perhaps", logprob=-3.0))
        async with ai.stream("Which rivers meet in Koblenz?") as stream:
            assert all([isinstance(piece, Delta) async for piece in stream.deltas()])


def test_the_synchronous_stream_tells_the_same(tmp_path: Path) -> None:
    with provider_in_thread() as one:
        one.on("small", says("perhaps", logprob=-3.0))
        with (
            Cascade(tables=tables(one.url, tmp_path, LADDER), data_dir=tmp_path) as ai,
            ai.stream("Which rivers meet in Koblenz?") as stream,
        ):
            decisions = [p.event for p in stream.events() if isinstance(p, Decision)]
    assert decisions == ["checking", "climbing"]


async def test_a_hedge_is_no_climb_and_neither_is_a_way_down(tmp_path: Path) -> None:
    hedged = Step("small", settings={"hedge": 0.05})
    async with provider() as one, opened(one.url, tmp_path, (hedged, STRONG)) as ai:
        one.on("small", says("slow", before=0.5))
        async with ai.stream("Which rivers meet in Koblenz?") as stream:
            seen = [p async for p in stream.events() if isinstance(p, Decision)]
        assert [decision.event for decision in seen] == []
    down = {"start": dict.fromkeys(("simple", "moderate", "complex"), "strong")}
    async with provider() as one, opened(one.url, tmp_path, LADDER, decide=down) as ai:
        one.on("strong", fails(401))
        async with ai.stream("Which rivers meet in Koblenz?") as stream:
            seen = [p async for p in stream.events() if isinstance(p, Decision)]
        assert [decision.event for decision in seen] == ["checking"]


async def test_a_short_answer_says_what_it_lacked(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says("perhaps", logprob=-3.0), says("perhaps", logprob=None))
        below = await ai.complete("Which rivers meet in Koblenz?")
        silent = await ai.complete("Which rivers meet in Koblenz?")
    assert below.attempts[0].why == "below the bar mean_logprob >= -0.5"
    assert silent.attempts[0].why == "it shows no evidence for the bar mean_logprob >= -0.5"

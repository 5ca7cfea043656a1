"""Faults that the emulator does not have: each is named rightly, hangs nowhere, leaves nothing
behind, and the next call works."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from cascade import Answer, AsyncCascade, Broken, Failed, Unavailable
from cascade.config.read import load
from cascade.policy.health import LONGEST
from cascade.providers import endpoint
from cascade.types import Kind, Tables
from cascade.wire.sse import SseReader
from tests.faults.leaks import Held, nothing_left, nothing_under_way
from tests.faults.odd import GOOD, LONG, TEXT, Asked, Play, http, odd, provider
from tests.faults.oddities import MOVED, ODDITIES, End, status
from tests.faults.world import PROTOCOLS
from tests.providers.rawserver import Peer, Server, serve

pytestmark = pytest.mark.anyio

TOTAL = 0.8
PATIENCE = 10.0  # seconds beyond that clock: a machine that does other work too
LARGEST = 2_000_000  # bytes that are read here, so that what never ends is soon too long

ASKS = [Asked(protocol, stream) for protocol in PROTOCOLS for stream in (False, True)]
_CONFIG = """
[ladders]
default = ["openai-only"]
openai = ["openai-only"]
anthropic = ["anthropic-only"]
gemini = ["gemini-only"]
"""
_RUNG = """
[rungs.NAME-only]
endpoints = ["NAME-odd/odd"]
timeout = { connect = 5, total = TOTAL }
calls = 1
[providers.NAME-odd]
protocol = "NAME"
base_url = "URL"
key = "none"
[models."NAME-odd/odd"]
price = { input = 1, output = 2 }
"""


def configured(url: str, directory: Path) -> Tables:
    """A rung of one endpoint for each protocol, all of them at this address."""
    text = _CONFIG + "".join(_RUNG.replace("NAME", name) for name in PROTOCOLS)
    path = directory / "config.toml"
    path.write_text(text.replace("URL", url).replace("TOTAL", str(TOTAL)), encoding="utf-8")
    return load(path, {})


@contextlib.asynccontextmanager
async def facing(
    plays: Mapping[str, Play], directory: Path
) -> AsyncIterator[tuple[AsyncCascade, Server]]:
    """An open cascade that faces these behaviours in every protocol, and leaves nothing behind."""
    async with serve(provider(plays)) as server:
        before = Held.now()
        async with AsyncCascade(tables=configured(server.url, directory), data_dir=directory) as ai:
            yield ai, server
            nothing_under_way(ai)
        await server.stop()
        await nothing_left(before)


async def ask(ai: AsyncCascade, asked: Asked, prompt: str) -> Answer:
    """Ask, and see that what was streamed is what was answered."""
    if not asked.stream:
        return await ai.complete(prompt, ladder=asked.protocol, cache="refresh")
    streamed = ""
    async with ai.stream(prompt, ladder=asked.protocol, cache="refresh", delivery="live") as stream:
        async for text in stream:
            streamed += text
    assert streamed == stream.answer.text
    return stream.answer


async def ended(ai: AsyncCascade, asked: Asked, name: str) -> End | None:
    """Ask an odd question; say how that ended, None for what there is no word for."""
    try:
        answer = await ask(ai, asked, odd(name))
    except Unavailable:
        raise
    except (Failed, Broken) as error:
        (attempt,) = error.attempts
        said = attempt.why or ""
        assert "\n" not in said
        assert TEXT[:9] not in said
        assert len(said) < 400
        assert attempt.latency_s < TOTAL + PATIENCE
        return attempt.kind or ("refuted" if attempt.result == "refuted" else None)
    assert answer.text in (TEXT, LONG)
    return "fine"


@pytest.mark.parametrize("table", ODDITIES)
async def test_what_no_provider_should_do_is_told_by_its_kind_and_the_next_call_works(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "LARGEST_BODY", LARGEST)
    monkeypatch.setattr(endpoint, "SseReader", partial(SseReader, LARGEST))
    oddities = ODDITIES[table]
    plays = {name: each.play for name, each in oddities.items()}
    wrong: list[str] = []
    async with facing(plays, tmp_path) as (ai, server):
        for name, each in oddities.items():
            ends = await asyncio.gather(*(ended(ai, asked, name) for asked in ASKS))
            for asked, end in zip(ASKS, ends, strict=True):
                if end != each.end(asked):
                    wrong.append(f"{name}: {asked} {end}, not {each.end(asked)}")
            answers = await asyncio.gather(*(ask(ai, asked, GOOD) for asked in ASKS))
            assert [answer.text for answer in answers] == [TEXT] * len(ASKS), name
        assert not wrong, "\n".join(wrong)
        assert server.requests == 2 * len(ASKS) * len(oddities)  # nothing was sent twice


@pytest.mark.parametrize("name", MOVED)
async def test_a_redirection_is_not_followed(name: str, tmp_path: Path) -> None:
    async with facing(MOVED, tmp_path) as (ai, server):
        for asked in ASKS:
            with contextlib.suppress(Unavailable):  # from the second call of each endpoint on
                assert await ended(ai, asked, name) is Kind.MISSING
        assert server.requests == len(PROTOCOLS)


async def test_an_answer_before_the_request_has_left_ends_the_call_and_the_next_one_works(
    tmp_path: Path,
) -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"

    async def hasty(peer: Peer) -> None:
        head = await peer.reader.readuntil(b"\r\n\r\n")
        if b"content-length: 8" in head.lower():  # the large one, of eight megabytes
            await peer.send(refusal)
            return
        await peer.reader.read(65536)
        asked = Asked("openai", False)
        await peer.send(http(asked, asked.body()))

    async with serve(hasty) as server:
        tables = configured(server.url, tmp_path)
        ai = AsyncCascade(tables=tables, data_dir=tmp_path)
        async with ai:
            with pytest.raises(Failed) as caught:
                await ai.complete("x" * 8_000_000, cache="off")
            assert caught.value.attempts[0].kind in (Kind.TOO_LONG, Kind.BROKEN)
            assert (await ai.complete(GOOD)).text == TEXT


@pytest.mark.parametrize(
    ("wait", "closed"),
    [("4320000", True), ("Wed, 21 Oct 2999 07:28:00 GMT", True), ("-5", False), ("nan", False),
     ("inf", False), ("1e400", False), ("soon", False)],
)  # fmt: skip
async def test_a_storm_of_429_waits_no_longer_than_is_sane(
    wait: str, closed: bool, tmp_path: Path
) -> None:
    storm = status(b"429 Slow down", b"{}", f"Retry-After: {wait}\r\n".encode())
    async with facing({"a storm": storm}, tmp_path) as (ai, _):
        for asked in ASKS:
            with contextlib.suppress(Unavailable):
                assert await ended(ai, asked, "a storm") is Kind.LIMITED
        assert ai.engine is not None
        standings = ai.engine.standings
        for name, standing in standings.standings.items():
            assert standings.is_admitted(name) is not closed
            assert (standing.closed_until or 0.0) - standings.now() <= LONGEST

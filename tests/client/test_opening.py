"""Opening and closing whoever leaves, and endpoints without their keys."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from cascade import AsyncCascade, MissingKey
from cascade.cache.disk import ResponseCache
from cascade.config.read import load
from cascade.types import Tables
from tests.engine.scripted import provider
from tests.engine.setting import STRONG, Step, opened, tables, until

pytestmark = pytest.mark.anyio

QUESTION = "Which rivers meet in Koblenz?"
ALONE = (STRONG,)


def writers() -> int:
    return sum(thread.name == "cascade-cache" for thread in threading.enumerate())


class Gate:
    """Holds the opening of caches until it is released, and counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.free, self.opened = 0, threading.Event(), 0
        real = ResponseCache._open

        def held(cache: ResponseCache, size: int) -> Any:
            self.reached += 1
            assert self.free.wait(10)
            self.opened += 1
            return real(cache, size)

        monkeypatch.setattr(ResponseCache, "_open", held)


async def test_a_first_request_that_is_cancelled_leaves_nothing_open_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = writers()
    gate = Gate(monkeypatch)
    async with provider() as one:
        settings = tables(one.url, tmp_path, ALONE, cache={})
        ai = AsyncCascade(tables=settings, data_dir=tmp_path)
        for _ in range(5):
            first = asyncio.create_task(ai.complete(QUESTION))
            await until(lambda: gate.reached)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
        gate.free.set()
        assert str(await ai.complete(QUESTION)) == "fine"
        assert gate.opened == 1
        await ai.aclose()
    assert writers() == before


async def test_closing_finds_what_was_opened_for_somebody_who_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = writers()
    gate = Gate(monkeypatch)
    ai = AsyncCascade(
        tables=tables("http://127.0.0.1:9/v1", tmp_path, ALONE, cache={}), data_dir=tmp_path
    )
    first = asyncio.create_task(ai.open())
    await until(lambda: gate.reached)
    first.cancel()
    closing = asyncio.create_task(ai.aclose())
    await asyncio.sleep(0)
    gate.free.set()
    await closing
    assert gate.opened == 1
    assert writers() == before
    assert ai.engine is None


def test_a_loop_that_ends_while_it_opens_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = writers()
    gate = Gate(monkeypatch)
    ai = AsyncCascade(
        tables=tables("http://127.0.0.1:9/v1", tmp_path, ALONE, cache={}), data_dir=tmp_path
    )

    async def leave() -> None:
        opening = asyncio.create_task(ai.open())
        await until(lambda: gate.reached)
        opening.cancel()
        threading.Timer(0.05, gate.free.set).start()

    asyncio.run(leave())
    assert gate.opened == 1
    assert writers() == before


async def test_an_opening_that_failed_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = writers()

    def broken() -> httpx.AsyncBaseTransport:
        raise OSError("no sockets left")

    async with provider() as one:
        settings = tables(one.url, tmp_path, ALONE, cache={})
        ai = AsyncCascade(tables=settings, data_dir=tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr("cascade.providers.transport.default_transport", broken)
            for _ in range(2):
                with pytest.raises(OSError, match="no sockets"):
                    await ai.complete(QUESTION)
                assert writers() == before
        assert str(await ai.complete(QUESTION)) == "fine"
        await ai.aclose()
    assert writers() == before


async def test_a_closing_that_is_cancelled_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = threading.Event()
    real = ResponseCache.close

    def close(cache: ResponseCache) -> None:
        assert slow.wait(10)
        real(cache)

    monkeypatch.setattr(ResponseCache, "close", close)
    async with provider() as one:
        settings = tables(one.url, tmp_path, ALONE, cache={})
        ai = AsyncCascade(tables=settings, data_dir=tmp_path)
        await ai.complete(QUESTION)
        first = asyncio.create_task(ai.aclose())
        await asyncio.sleep(0.01)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        second = asyncio.create_task(ai.aclose())
        await asyncio.sleep(0.01)
        assert not second.done()
        slow.set()
        await second
        await until(lambda: not one.open)


def test_a_loop_that_ends_while_it_closes_still_closes_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []

    class Transport(httpx.AsyncBaseTransport):
        async def aclose(self) -> None:
            closed.append(True)

    real = ResponseCache.close

    def slow(cache: ResponseCache) -> None:
        time.sleep(0.1)
        real(cache)

    monkeypatch.setattr(ResponseCache, "close", slow)
    monkeypatch.setattr("cascade.providers.transport.default_transport", Transport)
    settings = tables("http://127.0.0.1:9/v1", tmp_path, ALONE, cache={})

    async def leave() -> None:
        ai = AsyncCascade(tables=settings, data_dir=tmp_path)
        await ai.open()
        asyncio.create_task(ai.aclose())  # noqa: RUF006 - left alone on purpose
        await asyncio.sleep(0.01)

    asyncio.run(leave())
    assert closed == [True]


# --- keys ---


def two_keys(url: str, directory: Path, environ: dict[str, str]) -> Tables:
    """A rung at two providers with a key each, and a stronger one at the second."""
    steps = (Step("small", endpoints=("one/small", "two/small-b")), Step("strong", ("two/strong",)))
    tables(url, directory, steps, key="$ONE_KEY", env={"ONE_KEY": "x"})
    file = directory / "config.toml"
    head, tail = file.read_text().split("[providers.two]")
    file.write_text(f"{head}[providers.two]{tail.replace('$ONE_KEY', '$TWO_KEY', 1)}")
    return load(file, environ)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_endpoint_without_its_key_is_left_out_and_costs_no_call(
    tmp_path: Path, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {"TWO_KEY": "two-key-0987654321"}
    async with provider() as one:
        settings = two_keys(one.url, tmp_path, environ)
        async with AsyncCascade(tables=settings, data_dir=tmp_path, environ=environ) as ai:
            if stream:
                async with ai.stream(QUESTION) as pieces:
                    async for _ in pieces:
                        pass
                answer = pieces.answer
            else:
                answer = await ai.complete(QUESTION)
    assert [attempt.endpoint for attempt in answer.attempts] == ["two/small-b"]
    assert "$ONE_KEY is not set" in caplog.text
    assert [call.headers["authorization"] for call in one.calls] == ["Bearer two-key-0987654321"]


async def test_a_rung_without_any_key_is_an_error_at_once(tmp_path: Path) -> None:
    environ = {"ONE_KEY": "one-key-0987654321"}
    async with provider() as one:
        settings = two_keys(one.url, tmp_path, environ)
        async with AsyncCascade(tables=settings, data_dir=tmp_path, environ=environ) as ai:
            with pytest.raises(MissingKey, match="TWO_KEY is not set, and two/strong"):
                await ai.complete(QUESTION)
        assert one.calls == []


async def test_what_the_cache_holds_needs_no_opening(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        await ai.complete(QUESTION)
        hit = ai.complete(QUESTION)
        with pytest.raises(StopIteration) as done:
            hit.send(None)  # it ends at its first step: nothing in it waits
        assert done.value.value.cache == "exact"

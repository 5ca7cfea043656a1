"""Identical requests of several processes share one call, each on its own terms."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cascade import Answer, AsyncCascade, CapTooLow, DeadlineExceeded, Failed, Message, Request
from cascade.cache.leases import DIRECTORY, ENDING
from cascade.errors import Closed
from tests.engine.scripted import Exchange, Provider, fails, hangs, provider, says
from tests.engine.setting import LADDER, STRONG, Step, opened, read, tables, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="there are no leases here"),
]

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "Which rivers meet in Koblenz?"
ALONE = (STRONG,)
ONCE = (Step("strong", accept=None, settings={"calls": 1}),)
SLOW = says(["the ", "Rhine"], before=0.2)
BOUND = 60.0  # seconds: a process must start first


class Asking:
    """A process that asks."""

    def __init__(self, running: asyncio.subprocess.Process) -> None:
        self._running = running

    async def told(self) -> Any:
        """The next thing that it says."""
        assert self._running.stdout is not None
        return json.loads(await self._running.stdout.readline())

    def ask(self, *prompts: str, **options: Any) -> None:
        """Have it ask; ``told`` says how each was answered."""
        assert self._running.stdin is not None
        order = json.dumps({"prompts": prompts, "options": options})
        self._running.stdin.write(order.encode() + b"\n")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._running.send_signal(number)

    async def end(self) -> None:
        """Let it close, which leaves no file open."""
        assert self._running.stdin is not None
        self._running.stdin.close()
        assert await self.told() == 0
        assert await self._running.wait() == 0

    async def kill(self) -> None:
        """End it at once."""
        if self._running.returncode is None:
            self._running.kill()
        await self._running.wait()


@contextlib.asynccontextmanager
async def processes(
    one: Provider, directory: Path, count: int, **options: Any
) -> AsyncIterator[Any]:
    """Processes that share a cache and are ready to ask. Those that still live end well."""
    tables(one.url, directory, options.pop("steps", ALONE), cache={}, **options)
    command = [sys.executable, "-m", "tests.engine.asking_process", str(directory)]
    pipe = asyncio.subprocess.PIPE
    all_of_them: list[Asking] = []
    try:
        async with asyncio.timeout(BOUND):
            for _ in range(count):
                running = await asyncio.create_subprocess_exec(
                    *command, cwd=ROOT, stdin=pipe, stdout=pipe
                )
                all_of_them.append(Asking(running))
            for asking in all_of_them:
                assert await asking.told() == "ready"
            yield all_of_them
            for asking in all_of_them:
                if asking._running.returncode is None:
                    await asking.end()
    finally:
        for asking in all_of_them:
            await asking.kill()


@contextlib.asynccontextmanager
async def pair(
    one: Provider, directory: Path, steps: tuple[Step, ...] = ALONE
) -> AsyncIterator[tuple[AsyncCascade, AsyncCascade]]:
    """Two that share a directory: what they know of each other is as if they were two processes."""

    def one_more() -> contextlib.AbstractAsyncContextManager[AsyncCascade]:
        return opened(one.url, directory, steps, cache={})

    async with one_more() as here, one_more() as there:
        yield here, there
    assert leases(directory) == []


def leases(directory: Path) -> list[str]:
    """The leases that lie in a cache's directory."""
    return [path.name for path in (directory / "cache" / DIRECTORY).glob(f"*{ENDING}")]


def ask(ai: AsyncCascade, **options: Any) -> asyncio.Task[Answer]:
    return asyncio.create_task(ai.complete(QUESTION, **options))


# --- real processes ---


async def test_a_crowd_in_four_processes_makes_one_call(tmp_path: Path) -> None:
    async with provider() as one, processes(one, tmp_path, 4) as crowd:
        one.on("strong", SLOW)
        for asking in crowd:
            asking.ask(*[QUESTION] * 8)
        answers = [each for asking in crowd for each in await asking.told()]
        assert len(one.calls) == 1
        assert sorted(answers) == ["collapsed"] * 31 + ["miss"]
        crowd[0].ask(QUESTION)
        assert await crowd[0].told() == ["exact"]
        await until(lambda: not leases(tmp_path))
    assert list((tmp_path / "cache" / DIRECTORY).iterdir()) == []


async def test_when_the_leader_is_killed_exactly_one_goes_on(tmp_path: Path) -> None:
    async with provider() as one, processes(one, tmp_path, 3) as (leader, *crowd):
        one.on("strong", hangs(), SLOW)
        leader.ask(QUESTION)
        await until(lambda: one.calls, BOUND)
        for asking in crowd:
            asking.ask(*[QUESTION] * 8)
            asking.ask("another question")
        await leader.kill()
        killed = time.monotonic()
        answers = [each for asking in crowd for each in await asking.told()]
        _, second = [call for call in one.calls if QUESTION in str(call.body)]
        assert second.at - killed < 10, "it waited for the deadline"
        assert sorted(answers) == ["collapsed"] * 15 + ["miss"]
        for asking in crowd:
            await asking.told()
    assert list((tmp_path / "cache" / DIRECTORY).iterdir()) == []


async def test_when_the_leader_hangs_one_goes_on_at_the_leaders_deadline(tmp_path: Path) -> None:
    async with provider() as one, processes(one, tmp_path, 3) as (leader, *crowd):
        one.on("strong", hangs(), SLOW)
        leader.ask(QUESTION, deadline=1.0)
        await until(lambda: one.calls, BOUND)
        leader.send(signal.SIGSTOP)
        for asking in crowd:
            asking.ask(QUESTION)
        answers = [each for asking in crowd for each in await asking.told()]
        assert sorted(answers) == ["collapsed", "miss"]
        assert len(one.calls) == 2
        assert one.calls[1].at - one.calls[0].at > 0.5
        leader.send(signal.SIGCONT)
        assert await leader.told() == ["DeadlineExceeded"]
    assert list((tmp_path / "cache" / DIRECTORY).iterdir()) == []


async def test_after_a_failed_leader_one_calls_at_a_time_over_all_processes(
    tmp_path: Path,
) -> None:
    under_way = highest = 0

    async def script(exchange: Exchange) -> None:
        nonlocal under_way, highest
        under_way += 1
        highest = max(highest, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        await fails(503)(exchange)

    async with provider() as one, processes(one, tmp_path, 3, steps=ONCE) as crowd:
        one.on("strong", script)
        for asking in crowd:
            asking.ask(*[QUESTION] * 4)
        answers = [each for asking in crowd for each in await asking.told()]
        assert answers == ["Failed"] * 12
        assert len(one.calls) == 12
        assert highest == 1, "a stampede"


# --- two of one process, which know as little of each other ---


async def test_who_waits_gets_the_answer_as_from_a_run_of_its_own(tmp_path: Path) -> None:
    async with provider() as one, pair(one, tmp_path) as (here, there):
        one.on("strong", SLOW)
        leader = ask(here)
        await until(lambda: one.calls)
        waiter, texts = ask(there), list[str]()
        streamed = await read(there, QUESTION, texts)
        answer = await waiter
        assert (answer.text, answer.cache, answer.cost) == ("the Rhine", "collapsed", 0)
        assert (streamed.cache, "".join(texts)) == ("collapsed", "the Rhine")
        assert answer.latency_s >= 0.1
        assert (await leader).cache == "miss"
        assert len(one.calls) == 1
        await until(lambda: not leases(tmp_path))


async def test_what_was_stored_between_looking_and_leading_is_not_asked_for_again(
    tmp_path: Path,
) -> None:
    async with provider() as one, pair(one, tmp_path) as (here, there):
        engine = there.engine
        assert engine is not None
        request = Request(messages=(Message(role="user", content=QUESTION),))
        seen = engine.look_up(request)
        await here.complete(QUESTION)
        await until(lambda: not leases(tmp_path))
        assert (await engine.answer(request, seen)).cache == "collapsed"
        assert leases(tmp_path) == []
        assert len(one.calls) == 1


async def test_different_questions_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with provider() as one, pair(one, tmp_path) as (here, there):
        one.on("strong", hangs(), says("at once"))
        leader = ask(here)
        await until(lambda: one.calls)
        assert (await there.complete("another")).text == "at once"
        leader.cancel()


@pytest.mark.parametrize(
    "options", [{"cache": "refresh"}, {"cache": "off"}, {"max_age": 0}, {"temperature": 0.7}]
)
async def test_who_wants_a_fresh_answer_never_waits(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    async with provider() as one, pair(one, tmp_path) as (here, there):
        one.on("strong", hangs(), says("fresh"))
        leader = ask(here)
        await until(lambda: one.calls)
        assert (await ask(there, **options)).text == "fresh"
        leader.cancel()


async def test_who_waits_for_a_leader_that_hangs_calls_when_half_of_its_time_is_gone(
    tmp_path: Path,
) -> None:
    async with provider() as one, pair(one, tmp_path) as (here, there):
        one.on("strong", hangs(), says("alone"))
        leader = ask(here)
        await until(lambda: one.calls)
        assert (await ask(there, deadline=1.0)).text == "alone"
        assert len(one.calls) == 2
        assert one.calls[1].at - one.calls[0].at > 0.4
        assert not leader.done()
        leader.cancel()


async def test_of_a_crowd_that_waits_for_a_leader_that_hangs_one_calls(tmp_path: Path) -> None:
    async with provider() as one, pair(one, tmp_path) as (here, there):
        one.on("strong", hangs(), SLOW)
        leader = ask(here)
        await until(lambda: one.calls)
        answers = await asyncio.gather(*(ask(there, deadline=2.0) for _ in range(8)))
        assert {answer.text for answer in answers} == {"the Rhine"}
        assert len(one.calls) == 2
        leader.cancel()


async def test_a_waiter_keeps_its_own_deadline(tmp_path: Path) -> None:
    async with provider() as one, pair(one, tmp_path) as (here, there):
        one.on("strong", hangs())
        leader = ask(here)
        await until(lambda: one.calls)
        with pytest.raises((Failed, DeadlineExceeded)):
            await ask(there, deadline=0.2)
        assert len(one.calls) == 2
        assert not leader.done()
        leader.cancel()


async def test_a_waiter_that_leaves_is_gone_at_once_and_the_others_wait_on(tmp_path: Path) -> None:
    async with provider() as one, pair(one, tmp_path) as (here, there):
        one.on("strong", says("the Rhine", before=0.5))
        leader = ask(here)
        await until(lambda: one.calls)
        gone, waiter = ask(there), ask(there)
        await asyncio.sleep(0.05)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert not leader.done()
        assert (await waiter).cache == "collapsed"
        assert (await leader).cache == "miss"


async def test_when_the_leader_leaves_a_waiter_leads(tmp_path: Path) -> None:
    async with provider() as one, pair(one, tmp_path) as (here, there):
        one.on("strong", hangs(), SLOW)
        leader = ask(here)
        await until(lambda: one.calls)
        waiters = [ask(there) for _ in range(3)]
        await asyncio.sleep(0.02)
        leader.cancel()
        found = [(await waiter).cache for waiter in waiters]
        assert found == ["miss", "collapsed", "collapsed"]
        assert len(one.calls) == 2


async def test_closing_ends_the_waiting(tmp_path: Path) -> None:
    async with provider() as one, pair(one, tmp_path) as (here, there):
        one.on("strong", hangs())
        leader = ask(here)
        await until(lambda: one.calls)
        waiters = [ask(there) for _ in range(3)]
        await asyncio.sleep(0.02)
        await there.aclose()
        for waiter in waiters:
            with pytest.raises(Closed):
                await waiter
        assert len(one.calls) == 1
        leader.cancel()


async def test_closing_the_leader_lets_a_waiter_lead(tmp_path: Path) -> None:
    async with provider() as one, pair(one, tmp_path) as (here, there):
        one.on("strong", hangs(), SLOW)
        leader = ask(here)
        await until(lambda: one.calls)
        waiter = ask(there)
        await asyncio.sleep(0.02)
        await here.aclose()
        with pytest.raises(Closed):
            await leader
        assert (await waiter).cache == "miss"


async def test_an_answer_that_would_not_do_for_the_waiter_is_not_given_to_it(
    tmp_path: Path,
) -> None:
    async with provider() as one, pair(one, tmp_path, LADDER) as (here, there):
        one.on("small", says("cheap", before=0.1, logprob=-3.0))
        one.on("strong", says("dear", before=0.1))
        leader = ask(here, quality="cheapest")
        await until(lambda: one.calls)
        waiters = [ask(here), ask(there), ask(there)]
        assert (await leader).text == "cheap"
        found = [await waiter for waiter in waiters]
        assert {answer.text for answer in found} == {"dear"}
        assert sorted(answer.cache for answer in found) == ["collapsed", "collapsed", "miss"]
        assert len(one.asked("strong")) == 1


async def test_a_request_that_cannot_be_planned_keeps_no_lease(tmp_path: Path) -> None:
    async with provider() as one, pair(one, tmp_path) as (here, there):
        for ai in (here, there):
            with pytest.raises(CapTooLow):
                await ask(ai, max_cost=1e-12)
        assert leases(tmp_path) == []
        assert not one.calls


async def test_who_has_queued_for_half_of_its_time_goes_alone(tmp_path: Path) -> None:
    async with provider() as one, pair(one, tmp_path, ONCE) as (here, there):
        one.on("strong", fails(503, before=0.1), hangs(), says("at last"))
        leader = ask(here)
        await until(lambda: one.calls)
        second, third = ask(here, deadline=2), ask(there, deadline=2)
        with pytest.raises(Failed):
            await leader
        await until(lambda: len(one.calls) == 2)
        first, leading = await asyncio.wait({second, third}, return_when=asyncio.FIRST_COMPLETED)
        assert [(await task).text for task in first] == ["at last"]
        assert len(one.calls) == 3
        assert one.calls[2].at - one.calls[1].at > 0.7
        for task in leading:
            task.cancel()

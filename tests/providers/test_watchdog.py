"""The clocks of a call end that call and disturb nothing else."""

from __future__ import annotations

import asyncio

import pytest

from cascade.providers.watchdog import Watchdog
from cascade.types import Clocks, Kind
from cascade.wire.failures import CallFailure

pytestmark = pytest.mark.anyio

TOTAL = Clocks(first_token=None, idle=None, total=0.05)


def still_clean() -> bool:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling() == 0


async def test_what_runs_out_is_said(tmp_path: object) -> None:
    for clocks, words in (
        (TOTAL, "no end within 0.05 s"),
        (Clocks(first_token=0.05, idle=None, total=9), "no first token within 0.05 s"),
    ):
        with pytest.raises(CallFailure, match=words) as caught, Watchdog(clocks, stream=True):
            await asyncio.sleep(5)
        assert caught.value.kind is Kind.TIMED_OUT
        assert still_clean()


async def test_the_task_lives_on_afterwards() -> None:
    with pytest.raises(CallFailure), Watchdog(TOTAL, stream=False):
        await asyncio.sleep(5)
    await asyncio.sleep(0.01)
    async with asyncio.timeout(1):
        await asyncio.sleep(0.01)
    assert still_clean()


async def test_a_block_that_ends_in_time_is_left_alone() -> None:
    with Watchdog(TOTAL, stream=True) as watchdog:
        watchdog.token(1)
    await asyncio.sleep(0.1)
    assert still_clean()


async def test_a_first_token_that_comes_when_the_time_is_over_cancels_nothing_later() -> None:
    with Watchdog(Clocks(first_token=None, idle=None, total=1e-6), stream=True) as watchdog:
        while watchdog.token(1) - watchdog._started <= 1e-6:
            pass
        watchdog.token(1)
    await asyncio.sleep(0.01)  # a cancellation that was left over would come here
    assert still_clean()


async def test_tokens_keep_the_idle_clock_quiet_and_silence_does_not() -> None:
    spoken = 0

    async def speak_and_fall_silent() -> None:
        nonlocal spoken
        with Watchdog(Clocks(first_token=9, idle=0.2, total=9), stream=True) as watchdog:
            for _ in range(5):
                await asyncio.sleep(0.06)
                watchdog.token(1)
                spoken += 1
            await asyncio.sleep(5)

    with pytest.raises(CallFailure, match=r"no token for 0.2 s"):
        await speak_and_fall_silent()
    assert spoken == 5


async def test_the_clocks_of_streams_do_not_run_for_whole_answers() -> None:
    with Watchdog(Clocks(first_token=0.01, idle=0.01, total=9), stream=False):
        await asyncio.sleep(0.05)


async def test_a_cancellation_from_outside_is_no_time_out() -> None:
    async def call() -> None:
        with Watchdog(TOTAL, stream=False):
            await asyncio.sleep(5)

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_when_both_come_at_once_the_cancellation_wins() -> None:
    async def call() -> None:
        with Watchdog(TOTAL, stream=False) as watchdog:
            task = asyncio.current_task()
            assert task is not None
            # Run beside the clock's own look, in the same turn of the loop.
            asyncio.get_running_loop().call_at(watchdog._started + 0.05, task.cancel)
            await asyncio.sleep(5)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(call())


async def test_an_outer_timeout_keeps_its_meaning() -> None:
    async def call() -> None:
        with Watchdog(Clocks(total=9), stream=False):
            await asyncio.sleep(5)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await call()
    assert still_clean()


async def test_a_trickle_is_ended_though_something_comes_now_and_then() -> None:
    clocks = Clocks(first_token=None, idle=0.3, total=30)
    with pytest.raises(CallFailure, match=r"a trickle: 0 characters in 0\.3 s"):
        await _trickle(clocks)


async def _trickle(clocks: Clocks) -> None:
    with Watchdog(clocks, stream=True) as watchdog:
        watchdog.token(5)
        while True:
            await asyncio.sleep(0.05)
            watchdog.token(0)


async def test_what_flows_slowly_but_steadily_goes_on() -> None:
    with Watchdog(Clocks(first_token=None, idle=0.2, total=30), stream=True) as watchdog:
        for _ in range(12):
            watchdog.token(1)
            await asyncio.sleep(0.05)
    assert still_clean()

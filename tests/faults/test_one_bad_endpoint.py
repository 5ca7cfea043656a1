"""One endpoint of three goes wrong: nobody goes without an answer, and it is soon left alone.
Then all of them do: who asks hears so at once."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from benchmarks.faults import BALANCES, LATENCY, SLOWER, TROUBLES, Balance, provider, recording, run
from benchmarks.faults import write_config as write
from cascade import Failed, Unavailable
from cascade.policy import health
from cascade.policy.health import IN_A_ROW
from tests.engine.scripted import fails, says
from tests.engine.scripted import provider as scripted
from tests.engine.setting import Step, opened, until

pytestmark = pytest.mark.anyio

CONCURRENCY = 8
REQUESTS = 64
QUICK = ("down", "429 with Retry-After", "one down, one slow, one 429")
THREE = (Step("only", ("one/a", "one/b", "two/c"), accept=None),)


def combinations() -> list[object]:
    """Every trouble under every balance; the suite has some of them."""
    return [
        pytest.param(
            trouble,
            balance,
            marks=() if balance == "in_order" and trouble in QUICK else pytest.mark.slow,
        )
        for trouble in TROUBLES
        for balance in BALANCES
        if trouble != "none"
    ]


@pytest.mark.parametrize(("trouble", "balance"), combinations())
async def test_one_bad_endpoint_costs_no_answer_and_few_calls(
    trouble: str, balance: Balance, tmp_path: Path
) -> None:
    asked = recording(REQUESTS)
    with provider(asked, trouble) as urls:
        began = time.monotonic()
        seen = await run(write(tmp_path, urls, balance), asked, CONCURRENCY)
        took = time.monotonic() - began
    assert seen.answered == 1.0
    # Until it closes, at most as many fail as were under way; then one probe at a time, two
    # seconds after the first closing and later each time.
    bad = trouble.count("down") + trouble.count("429")
    assert seen.failed <= bad * (IN_A_ROW + CONCURRENCY + took / health.SHORTEST)
    if "slow" not in trouble:
        assert seen.p50 < LATENCY + SLOWER  # they do not wait for the bad one


async def test_when_all_are_down_it_fails_at_once_and_answers_again_after_their_recovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "SHORTEST", 0.3)  # seconds of the first closing
    async with scripted() as one, opened(one.url, tmp_path, THREE) as ai:
        for model in "abc":
            one.on(model, fails(500))
        standings = (await ai.open()).standings
        names = THREE[0].endpoints
        number = 0
        while any(map(standings.is_admitted, names)):
            with pytest.raises(Failed):
                await ai.complete(f"Question number {number}?", deadline=5)
            number += 1
        made, began = len(one.calls), time.monotonic()
        results = await asyncio.gather(
            *(ai.complete(f"In vain {number}?", deadline=5) for number in range(20)),
            return_exceptions=True,
        )
        took = time.monotonic() - began
        if not any(map(standings.is_admitted, names)):  # else the machine slept over the closing
            assert took < 0.1
            assert len(one.calls) == made
            for error in results:
                assert isinstance(error, Unavailable)
                assert error.attempts == ()
                for name in names:
                    assert f"{name} is closed for" in str(error)
                assert "the last one unavailable" in str(error)
                assert 0 < error.retry_after <= 60
        for model in "abc":
            one.on(model, says())
        await until(lambda: any(map(standings.is_admitted, names)), within=30)
        assert (await ai.complete("Question number 0?")).text == "fine"
        assert not any(standings.pending.values())

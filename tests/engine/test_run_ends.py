"""A run ends, whatever goes wrong in it: nobody waits for ever, and the account is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cascade.engine.loop import Ended, Means, Run
from cascade.engine.standings import Standings
from cascade.engine.totals import Totals
from cascade.policy.machine import Step
from cascade.policy.model import Check, Event, Offer, Option, Plan, Rule, State
from cascade.policy.rules import Threshold
from cascade.providers.endpoint import Caller
from cascade.providers.transport import AiohttpTransport
from cascade.types import Clocks, Endpoint, Message, Request, Rung
from tests.engine.scripted import hangs, provider
from tests.engine.setting import BOUND, STRONG, opened, until

pytestmark = pytest.mark.anyio

QUESTION = "Which rivers meet in Koblenz?"
ALONE = (STRONG,)


def planted(*_: object) -> None:
    raise ZeroDivisionError("planted")


@pytest.mark.parametrize("also", ["nothing else", "the checks"])
async def test_an_account_that_cannot_be_kept_reaches_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, also: str
) -> None:
    monkeypatch.setattr(Totals, "settle", planted)
    if also == "the checks":
        monkeypatch.setattr("cascade.checks.structure.inspect", lambda *_, **__: planted())
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        with pytest.raises(ZeroDivisionError, match="planted") as caught:
            await ai.complete(QUESTION)
    notes = getattr(caught.value, "__notes__", [])
    assert len(notes) == (also == "the checks"), "the second defect is told beside the first"


async def test_what_is_settled_is_settled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cascade.engine.engine.Engine.keep", planted)
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        with pytest.raises(ZeroDivisionError, match="planted"):
            await ai.complete(QUESTION)
        assert ai.totals.calls == len(one.calls) == 1
        assert ai.totals.by_outcome == {"accepted": 1}


async def test_a_machine_that_waits_for_nothing_is_a_defect_and_no_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def idle(plan: Plan, rule: Rule, state: State, event: Event, now: float) -> Step:
        return state, ()

    monkeypatch.setattr("cascade.engine.loop.step", idle)
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        with pytest.raises(AssertionError, match="waits for nothing"):
            await ai.complete(QUESTION)


async def test_a_paid_check_says_that_no_plan_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checks(plan: Plan, rule: Rule, state: State, event: Event, now: float) -> Step:
        return state, (Check(0, "judge", 0, 0),)

    monkeypatch.setattr("cascade.engine.loop.step", checks)
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        with pytest.raises(AssertionError, match="no plan of this version has one"):
            await ai.complete(QUESTION)


async def test_a_run_whose_future_was_cancelled_keeps_its_account_all_the_same() -> None:
    heard: list[Ended] = []
    async with asyncio.timeout(BOUND), provider() as one:
        one.on("strong", hangs())
        transport = AiohttpTransport()
        endpoint = Endpoint("one/strong", "one", "strong", one.url)
        option = Option("strong", (Offer("one/strong"),), Clocks(), ceiling=None)
        deadline = asyncio.get_running_loop().time() + BOUND
        run = Run(
            Plan((option,), (0,), reference=0, deadline=deadline),
            Request(messages=(Message("user", QUESTION),)),
            Means(
                Threshold(),
                {"strong": Rung("strong", (endpoint,))},
                {"one/strong": Caller(endpoint, None, transport)},
                Standings(),
                "strong",
            ),
        )
        run.on_end = heard.append
        run.begin()
        await until(lambda: one.calls)
        run.done.cancel()
        run.leave()
        await until(lambda: heard)
        assert [attempt.result for attempt in heard[0].attempts] == ["cancelled"]
        assert heard[0].attempts[0].estimated
        await transport.aclose()

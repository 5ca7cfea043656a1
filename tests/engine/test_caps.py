"""A cost cap holds over everything that is done for a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cascade import CapTooLow, ConfigError, Failed, RequestError
from cascade.money import UNITS_PER_USD
from tests.engine.scripted import dies, fails, hangs, provider, says
from tests.engine.setting import LADDER, SMALL, STRONG, Step, opened

pytestmark = pytest.mark.anyio

QUESTION = "Which rivers meet in Koblenz?"
INPUT = len(QUESTION) + 32 + 16
"""The bound on the question's tokens: its bytes, and what chat templates add."""

USD = 1 / UNITS_PER_USD


def held(price: tuple[float, float], output: int) -> int:
    """What a call may cost at most, in money units."""
    return int(INPUT * price[0] * 1e6 + output * price[1] * 1e6)


async def test_a_cap_that_leaves_room_changes_nothing(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says("perhaps", logprob=-3.0))
        answer = await ai.complete(QUESTION, max_cost=1.0)
    assert answer.rung == "strong"
    assert one.calls[0].body["max_tokens"] == 4096, "without any limit the hold needs one"


async def test_a_limit_shrinks_to_what_is_left(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        cap = held((1.0, 2.0), 300)
        await ai.complete(QUESTION, max_cost=cap * USD)
        await ai.complete(QUESTION, max_cost=cap * USD, max_tokens=250)
    assert [call.body["max_tokens"] for call in one.calls] == [300, 250]


async def test_a_rung_that_no_longer_fits_is_not_called(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says("perhaps", logprob=-3.0))
        cap = held((10.0, 20.0), 256)  # room for the strong call alone, and the small one is paid
        answer = await ai.complete(QUESTION, max_cost=cap * USD)
        assert (answer.outcome, answer.text) == ("best_effort", "perhaps")
        assert [call.model for call in one.calls] == ["small"]
        assert ai.totals.spent <= cap


async def test_a_cap_below_the_cheapest_call_says_what_would_do(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        with pytest.raises(CapTooLow, match="Raise the cap or shorten the request") as caught:
            await ai.complete(QUESTION, max_cost=0.0000001)
        assert one.calls == []
        enough = caught.value.cheapest_usd
        answer = await ai.complete(QUESTION, max_cost=enough)
        assert answer.text == "fine"
        with pytest.raises(CapTooLow):
            await ai.complete(QUESTION + "?", max_cost=enough * 0.999)


async def test_retries_come_out_of_the_same_cap(tmp_path: Path) -> None:
    steps = (Step("small", accept=None, settings={"calls": 2}),)
    async with provider() as one, opened(one.url, tmp_path, steps) as ai:
        one.on("small", dies())
        cap = held((1.0, 2.0), 256) * 2
        with pytest.raises(Failed) as caught:
            await ai.complete(QUESTION, max_cost=cap * USD, max_tokens=256)
        assert 0 < ai.totals.spent <= cap
        assert len(caught.value.attempts) == 2
        costs = [attempt.cost or 0 for attempt in caught.value.attempts]
        assert sum(costs) == ai.totals.spent


async def test_a_hedge_is_held_beside_the_call_it_hedges(tmp_path: Path) -> None:
    step = Step(
        "small", endpoints=("one/small-a", "two/small-b"), accept=None, settings={"hedge": 0.05}
    )
    async with provider() as one, opened(one.url, tmp_path, (step,)) as ai:
        one.on("small-a", says("slow", before=0.3))
        cap = held((1.0, 2.0), 256)
        answer = await ai.complete(QUESTION, max_cost=cap * USD, max_tokens=256)
        assert (answer.text, len(one.calls)) == ("slow", 1)
        answer = await ai.complete(QUESTION, max_cost=2 * cap * USD, max_tokens=256)
        assert (answer.text, len(one.calls)) == ("fine", 3)
        assert (answer.cost or 0) <= 2 * cap
        assert ai.totals.spent <= 3 * cap


async def test_an_unknown_price_under_a_cap_is_refused_by_name(tmp_path: Path) -> None:
    steps = (Step("small", accept=None, price=None),)
    async with provider() as one, opened(one.url, tmp_path, steps) as ai:
        with pytest.raises(RequestError, match="the price of one/small is unknown"):
            await ai.complete(QUESTION, max_cost=1.0)
        answer = await ai.complete(QUESTION)
    assert answer.cost is None
    assert answer.cost_usd is None
    assert "an unknown price" in answer.story()
    assert ai.totals.unpriced == 1
    with pytest.raises(ConfigError, match="price"):
        async with opened("http://127.0.0.1:9/v1", tmp_path, steps, decide={"max_cost": 1.0}):
            pass


async def test_a_cap_over_a_rung_without_a_price_is_refused_before_any_call(
    tmp_path: Path,
) -> None:
    steps = (Step("small", price=None), STRONG)
    async with provider() as one, opened(one.url, tmp_path, steps) as ai:
        with pytest.raises(RequestError, match="the price of one/small is unknown"):
            await ai.complete(QUESTION, max_cost=1.0)
        assert one.calls == []


async def test_free_machines_have_room_under_any_cap(tmp_path: Path) -> None:
    steps = (Step("small", accept=None, price="free"),)
    async with provider() as one, opened(one.url, tmp_path, steps) as ai:
        answer = await ai.complete(QUESTION, max_cost=0)
    assert answer.cost == 0
    assert "max_tokens" not in one.calls[0].body


PICTURE: list[dict[str, Any]] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": QUESTION},
            {"type": "image_url", "image_url": {"url": "https://example.org/map.png"}},
        ],
    }
]


async def test_an_image_whose_price_nobody_knows_is_refused_under_a_cap(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        with pytest.raises(RequestError, match="what an image costs"):
            await ai.complete(PICTURE, max_cost=1.0)
        assert one.calls == []
        assert (await ai.complete(PICTURE)).text == "fine"


async def test_a_rung_that_knows_what_an_image_costs_is_open_under_a_cap(tmp_path: Path) -> None:
    steps = (SMALL, Step("strong", accept=None, price=(10.0, 20.0), model={"image_tokens": 1000}))
    async with provider() as one, opened(one.url, tmp_path, steps) as ai:
        answer = await ai.complete(PICTURE, max_cost=1.0)
    assert answer.rung == "strong"


async def test_a_bill_above_its_hold_is_recorded_whole_and_flagged(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, LADDER) as ai:
        one.on("small", says("perhaps", logprob=-3.0, usage=(5000, 9000)))
        cap = held((1.0, 2.0), 256) + held((10.0, 20.0), 256)
        answer = await ai.complete(QUESTION, max_cost=cap * USD, max_tokens=256)
        (attempt,) = answer.attempts
        assert attempt.overrun
        assert attempt.cost == 5000 * 1_000_000 + 9000 * 2_000_000 == ai.totals.spent
        assert attempt.cost > cap
        assert answer.outcome == "best_effort", "nothing further is started"
        assert len(one.calls) == 1


async def test_an_answer_cut_short_by_our_own_limit_is_refuted(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says("half an ans", finish="length"))
        cap = held((1.0, 2.0), 300) + held((10.0, 20.0), 300)
        answer = await ai.complete(QUESTION, max_cost=cap * USD)
    assert answer.rung == "strong"
    assert answer.attempts[0].result == "refuted"


async def test_at_the_callers_own_limit_it_is_judged_as_it_stands_and_not_stored(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, cache={}) as ai:
        one.on("small", says("half an ans", finish="length"))
        for _ in range(2):
            answer = await ai.complete(QUESTION, max_tokens=3)
            assert (answer.text, answer.finish_reason, answer.cache) == (
                "half an ans",
                "length",
                "miss",
            )


async def test_what_a_timed_out_call_may_have_cost_stays_within_its_hold(tmp_path: Path) -> None:
    steps = (Step("small", accept=None, timeout={"total": 0.1}, settings={"calls": 1}),)
    async with provider() as one, opened(one.url, tmp_path, steps) as ai:
        one.on("small", hangs())
        cap = held((1.0, 2.0), 256)
        with pytest.raises(Failed) as caught:
            await ai.complete(QUESTION, max_cost=cap * USD, max_tokens=256)
        (attempt,) = caught.value.attempts
        assert 0 < (attempt.cost or 0) <= cap
        assert not attempt.overrun


async def test_a_failure_that_costs_nothing_leaves_the_whole_cap(tmp_path: Path) -> None:
    steps = (Step("small", endpoints=("one/small-a", "two/small-b"), accept=None),)
    async with provider() as one, opened(one.url, tmp_path, steps) as ai:
        one.on("small-a", fails(503))
        cap = held((1.0, 2.0), 256)
        answer = await ai.complete(QUESTION, max_cost=cap * USD, max_tokens=256)
    assert answer.endpoint == "two/small-b"


async def test_an_error_says_that_the_cap_is_why_nobody_else_was_called(tmp_path: Path) -> None:
    pair = Step("strong", ("one/a", "two/b"), accept=None, timeout={"total": 0.2})
    async with provider() as one, opened(one.url, tmp_path, (pair,)) as ai:
        one.on("a", hangs())
        with pytest.raises(Failed, match="leaves no room for another call") as caught:
            await ai.complete(QUESTION, max_cost=0.001)
    assert [call.model for call in one.calls] == ["a"]
    assert "by estimate" in str(caught.value)

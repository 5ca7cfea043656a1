"""Endpoints that fail, are slow, or ask for peace: who is called, and who is left alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cascade import AsyncCascade, Failed, Unavailable
from cascade.config.read import load
from cascade.emulator import Emulator
from cascade.learning.trace import RecordedAnswer, Recording, Row
from cascade.policy.health import IN_A_ROW
from tests.engine.scripted import Provider, fails, hangs, provider, says
from tests.engine.setting import SMALL, Step, opened, tables, until
from tests.serving import running

pytestmark = pytest.mark.anyio

PAIR = (Step("strong", ("one/a", "two/b"), accept=None),)
ALONE = (Step("strong", accept=None),)
ASKED = [f"Question number {number}?" for number in range(40)]


async def answered(ai: AsyncCascade, prompts: list[str]) -> list[str]:
    """The endpoints that answered these, one after the other."""
    return [(await ai.complete(prompt)).endpoint for prompt in prompts]


def calls(one: Provider) -> list[str]:
    """The models that were called."""
    return [call.model for call in one.calls]


async def test_an_endpoint_that_is_down_is_left_alone_after_a_row_of_failures(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, PAIR) as ai:
        one.on("a", fails(500))
        assert await answered(ai, ASKED) == ["two/b"] * len(ASKED)
    assert calls(one).count("a") == IN_A_ROW


async def test_one_that_answers_429_with_a_wait_is_left_alone_for_that_long(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, PAIR) as ai:
        one.on("a", fails(429, headers={"retry-after": "30"}))
        assert await answered(ai, ASKED) == ["two/b"] * len(ASKED)
    assert calls(one).count("a") == 1


async def test_a_wait_that_is_over_lets_one_probe_through_and_its_success_all(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, PAIR) as ai:
        one.on("a", fails(429, headers={"retry-after": "0.3"}), says(before=0.2))
        await answered(ai, ASKED[:2])
        standings = (await ai.open()).standings
        await until(lambda: standings.is_admitted("one/a"))
        many = await asyncio.gather(*(ai.complete(prompt) for prompt in ASKED[2:12]))
        assert sorted(answer.endpoint for answer in many) == ["one/a"] + ["two/b"] * 9
        assert await answered(ai, ASKED[12:15]) == ["one/a"] * 3


async def test_a_rate_limit_that_is_used_up_steers_away_before_the_429(tmp_path: Path) -> None:
    left = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "30s"}

    async def last_one(exchange: object) -> None:
        from tests.engine.scripted import Exchange, completion

        assert isinstance(exchange, Exchange)
        exchange.whole(completion(exchange.received.model, "fine"), headers=left)

    async with provider() as one, opened(one.url, tmp_path, PAIR) as ai:
        one.on("a", last_one)
        assert await answered(ai, ASKED[:4]) == ["one/a", "two/b", "two/b", "two/b"]


async def test_a_callers_mistakes_never_close_an_endpoint(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", *[fails(400)] * 20, says())
        for prompt in ASKED[:20]:
            with pytest.raises(Failed):
                await ai.complete(prompt)
        assert (await ai.complete(ASKED[20])).text == "fine"


async def test_callers_in_a_hurry_never_close_an_endpoint(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", *[hangs()] * 10, says())
        hurried = [ai.complete(prompt, deadline=0.05) for prompt in ASKED[:10]]
        assert all(
            isinstance(e, Failed) for e in await asyncio.gather(*hurried, return_exceptions=True)
        )
        assert (await ai.complete(ASKED[20])).text == "fine"


async def test_an_endpoint_slower_than_its_own_clocks_is_left_alone(tmp_path: Path) -> None:
    slow = (Step("strong", ("one/a", "two/b"), accept=None, timeout={"total": 0.1}),)
    async with provider() as one, opened(one.url, tmp_path, slow) as ai:
        one.on("a", hangs())
        assert await answered(ai, ASKED[:15]) == ["two/b"] * 15
    assert calls(one).count("a") == IN_A_ROW


async def test_when_all_are_closed_it_fails_at_once_without_a_call_and_says_why(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, (SMALL, *ALONE)) as ai:
        one.on("small", fails(500))
        one.on("strong", fails(503, headers={"retry-after": "60"}))
        for prompt in ASKED[:6]:
            with pytest.raises(Failed):
                await ai.complete(prompt)
        made = len(one.calls)
        with pytest.raises(Unavailable) as caught:
            await ai.complete(ASKED[10])
        assert len(one.calls) == made
    told = str(caught.value)
    assert "one/small is closed for" in told
    assert "5 failures in a row, the last one unavailable" in told
    assert "one/strong is closed for" in told
    assert "overloaded" in told


async def test_one_endpoints_failures_never_close_another(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, PAIR) as ai:
        one.on("a", fails(401))
        await answered(ai, ASKED[:3])
        standings = (await ai.open()).standings
        assert not standings.is_admitted("one/a")
        assert standings.is_admitted("two/b")


async def test_what_is_known_of_endpoints_survives_a_restart(tmp_path: Path) -> None:
    async with provider() as one:
        one.on("a", fails(429, headers={"retry-after": "120"}))
        for _ in range(2):
            async with opened(one.url, tmp_path, PAIR) as ai:
                await answered(ai, ASKED[:3])
        assert calls(one).count("a") == 1
        # At another address it is another endpoint.
        async with provider() as other, opened(other.url, tmp_path, PAIR) as ai:
            assert await answered(ai, ASKED[:1]) == ["one/a"]


async def test_a_moments_peace_that_was_asked_for_is_given_within_the_request(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", *[fails(429, headers={"retry-after": "0.4"})] * 3, says())
        first = asyncio.ensure_future(ai.complete(ASKED[0], deadline=10))
        await until(lambda: one.calls)
        others = [ai.complete(prompt, deadline=10) for prompt in ASKED[1:9]]
        answers = await asyncio.gather(first, *others)
    assert {answer.text for answer in answers} == {"fine"}


async def test_a_prompt_that_an_emulator_has_not_recorded_closes_no_endpoint(
    tmp_path: Path,
) -> None:
    row = Row("How long is the Rhine?", {"strong": RecordedAnswer("1,230 km.")})
    for protocol, version in (("openai", "v1"), ("anthropic", "v1"), ("gemini", "v1beta")):
        with running(Emulator(Recording([row]), speed=0)) as url:
            tables(f"{url}/{version}", tmp_path, ALONE)
            file = tmp_path / "config.toml"
            named = f'[providers.one]\nprotocol = "{protocol}"'
            file.write_text(file.read_text().replace("[providers.one]", named))
            async with AsyncCascade(tables=load(file, {}), data_dir=tmp_path) as ai:
                with pytest.raises(Failed, match="not recorded"):
                    await ai.complete("Nobody asked this.")
                assert (await ai.complete(row.prompt)).text == "1,230 km."

"""What a call is charged when nobody reported what it cost: never too little, never for nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from cascade import AsyncCascade, CascadeError, Failed
from cascade.engine.attempt import run_attempt
from cascade.errors import Closed
from cascade.policy.model import Call
from cascade.providers.endpoint import Caller, Progress
from cascade.providers.transport import AiohttpTransport
from cascade.types import Attempt, Clocks, Endpoint, Kind, Message, Price, Request, Rung
from tests.engine.scripted import Exchange, Script, completion, hangs, provider, says
from tests.engine.setting import LADDER, STRONG, Step, opened, tables, until

pytestmark = pytest.mark.anyio

QUESTION = "Which rivers meet in Koblenz?"
INPUT = len(QUESTION) + 32 + 16
"""The bound on the question's tokens: its bytes, and what chat templates add."""

ALONE = (Step("small", accept=None, settings={"calls": 1}),)
WATCHED = (Step("small", accept=None, settings={"calls": 1}, timeout={"idle": 5}),)
PRICE = Price(input=1, cached=1, cache_write=1, output=1)

Reply = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Transport(httpx.AsyncBaseTransport):
    """A user's own transport, which says nothing of when a request leaves."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.calls = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        return await reply(request)


def ends_in(*events: dict[str, Any], pieces: int = 3) -> Script:
    """A stream of some pieces, then these events, without an end."""

    async def script(exchange: Exchange) -> None:
        exchange.head()
        for number in range(pieces):
            exchange.piece(f"{number} ", logprob=-0.01)
        for event in events:
            exchange.event(event)
        exchange.last_chunk()

    return script


ERRORS: dict[Kind, dict[str, Any]] = {
    Kind.CALLER: {"type": "invalid_request_error"},
    Kind.AUTH: {"code": "invalid_api_key"},
    Kind.QUOTA: {"code": "insufficient_quota"},
    Kind.MISSING: {"code": "model_not_found"},
    Kind.TOO_LONG: {"code": "context_length_exceeded"},
    Kind.FILTERED: {"code": "content_filter"},
    Kind.UNSUPPORTED: {"code": "unsupported_parameter"},
    Kind.LIMITED: {"type": "rate_limit_error"},
    Kind.OVERLOADED: {"code": "overloaded"},
    Kind.UNAVAILABLE: {"type": "server_error"},
    Kind.BROKEN: {"type": "unheard_of"},
}


async def billed(
    tmp_path: Path, script: Script, steps: tuple[Step, ...] = WATCHED, **options: Any
) -> Attempt:
    """The only attempt of a request that failed; the totals say the same."""
    async with provider() as one, opened(one.url, tmp_path, steps) as ai:
        one.on("small", script)
        with pytest.raises(CascadeError) as caught:
            await ai.complete(QUESTION, **options)
        attempts: tuple[Attempt, ...] = caught.value.attempts  # type: ignore[attr-defined]
        (attempt,) = attempts
        assert ai.totals.spent == attempt.cost
        assert ai.totals.estimated == attempt.estimated
        return attempt


# --- a 200 has begun ---


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_stream_that_dies_by_an_error_event_is_billed_whatever_it_says(
    tmp_path: Path, kind: Kind
) -> None:
    error = {"error": {"message": "boom", **ERRORS[kind]}}
    attempt = await billed(tmp_path, ends_in(error))
    assert attempt.kind is kind
    assert attempt.estimated
    assert (attempt.cost or 0) >= (INPUT * 1 + len("0 1 2 ") * 2) * 10**6


async def test_an_error_inside_a_whole_200_is_billed_too(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.whole(b'{"error": {"message": "boom", "type": "server_error"}}')

    attempt = await billed(tmp_path, script, ALONE)
    assert attempt.kind is Kind.UNAVAILABLE
    assert (attempt.cost or 0) > 0


async def test_a_whole_answer_that_cannot_be_read_costs_at_least_its_words(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.whole(completion("small", "word " * 1000)[:-1])

    attempt = await billed(tmp_path, script, ALONE)
    assert attempt.kind is Kind.MALFORMED
    assert (attempt.cost or 0) >= 1000 * 2 * 10**6


async def test_an_error_status_whose_body_breaks_off_costs_nothing(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.head(500, length=1000)
        exchange.send(b"{")
        await asyncio.sleep(0.01)
        exchange.close()

    attempt = await billed(tmp_path, script, ALONE)
    assert (attempt.kind, attempt.cost, attempt.estimated) == (Kind.BROKEN, 0, False)


async def test_streams_that_die_by_an_error_event_stay_within_the_cap(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.head()
        for _ in range(900):
            exchange.piece("word ")
        exchange.event({"error": {"message": "boom", "type": "server_error"}})
        exchange.last_chunk()

    step = Step("small", accept=None, price=(1.0, 1.0), timeout={"idle": 5})
    async with provider() as one, opened(one.url, tmp_path, (step,)) as ai:
        one.on("small", script)
        with pytest.raises(Failed):
            await ai.complete(QUESTION, max_cost=0.0012, max_tokens=1000)
        assert len(one.calls) == 1, "900 tokens are gone, and no second call fits"
        assert 0.0009 <= ai.totals.spent_usd <= 0.0012


# --- what was reported ---


async def test_the_usage_of_an_answer_that_had_ended_is_no_estimate(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.head()
        exchange.piece("whole", logprob=-0.01)
        exchange.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        exchange.event({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 3}})
        exchange.event({"error": {"message": "boom", "type": "server_error"}})

    attempt = await billed(tmp_path, script)
    assert not attempt.estimated
    assert attempt.cost == (10 * 1 + 3 * 2) * 10**6
    assert attempt.usage is not None
    assert attempt.usage.output_tokens == 3


async def test_a_running_count_is_what_a_broken_stream_costs_at_least(tmp_path: Path) -> None:
    chunk = {"choices": [], "usage": {"prompt_tokens": 500, "completion_tokens": 40}}
    attempt = await billed(tmp_path, ends_in(chunk))
    assert attempt.estimated, "the model may have gone on"
    assert attempt.usage is not None
    assert attempt.usage.input_tokens == 500
    assert attempt.usage.output_tokens >= 40
    assert (attempt.cost or 0) >= (500 * 1 + 40 * 2) * 10**6


async def test_an_answer_without_a_models_name_bears_the_endpoints(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.whole(completion("", "fine"))

    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("small", script)
        for status in ("miss", "exact"):
            answer = await ai.complete(QUESTION)
            assert (answer.model, answer.cache) == ("small", status)
        assert (await ai.complete(QUESTION, cache="off")).attempts[0].model == "small"


# --- estimates ---


async def a_bill(
    tmp_path: Path,
    script: Script,
    request: Request,
    *,
    hold: int = 0,
    limit: int | None = 10,
    stream: bool = False,
    **endpoint: Any,
) -> Attempt:
    """The attempt that one call makes, without a machine around it."""
    async with provider() as one:
        one.on("small", script)
        transport = AiohttpTransport()
        about = {"price": PRICE, **endpoint}
        offer = Endpoint("one/small", "one", "small", one.url, **about)
        call = Call(
            call=0,
            option=0,
            offer=0,
            clocks=Clocks(total=0.1),
            hold=hold,
            limit=limit,
            own_limit=False,
        )
        try:
            landing = await run_attempt(
                call,
                Caller(offer, None, transport),
                Rung("small", (offer,)),
                request,
                Progress(),
                logprobs=False,
                stream=stream,
            )
        finally:
            await transport.aclose()
    return landing.attempt


def asked(text: str) -> Request:
    return Request(messages=(Message("user", text),))


@pytest.mark.parametrize("text", ["漢字仮名交じり文" * 200, "7 " * 3000, "plain words " * 50])
async def test_the_input_of_a_call_that_broke_is_never_less_than_its_tokens(
    tmp_path: Path, text: str
) -> None:
    from cascade import tokens

    attempt = await a_bill(tmp_path, hangs_up, asked(text))
    assert attempt.usage is not None
    assert attempt.usage.input_tokens >= tokens.count_request(asked(text))


async def hangs_up(exchange: Exchange) -> None:
    exchange.reset()


PICTURE: list[dict[str, Any]] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": QUESTION},
            {"type": "image_url", "image_url": {"url": "https://example.org/map.png"}},
        ],
    }
]


@pytest.mark.parametrize("script", [hangs_up, says("fine", usage=None)])
async def test_an_image_is_charged_as_what_it_may_count_as(tmp_path: Path, script: Script) -> None:
    step = Step("small", accept=None, settings={"calls": 1}, model={"image_tokens": 1000})
    async with provider() as one, opened(one.url, tmp_path, (step,)) as ai:
        one.on("small", script)
        with contextlib.suppress(Failed):
            await ai.complete(PICTURE)
        assert ai.totals.calls == ai.totals.estimated == 1
        assert ai.totals.spent >= 1000 * 10**6


@pytest.mark.parametrize("script", [hangs_up, says("fine", usage=None)])
async def test_what_an_image_cost_where_nobody_knows_is_unknown_and_not_nothing(
    tmp_path: Path, script: Script
) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("small", script)
        with contextlib.suppress(Failed):
            await ai.complete(PICTURE)
        assert ai.totals.unpriced == 1


async def test_an_estimate_takes_the_dearest_of_the_input_prices(tmp_path: Path) -> None:
    price = Price(input=100, cached=10, cache_write=125, output=1)
    for script in (hangs_up, says("fine", usage=None)):
        attempt = await a_bill(tmp_path, script, asked(QUESTION), price=price)
        assert attempt.usage is not None
        assert (attempt.cost or 0) >= 125 * attempt.usage.input_tokens


async def test_silence_is_charged_at_a_rate_above_the_services_in_the_catalogue(
    tmp_path: Path,
) -> None:
    attempt = await a_bill(tmp_path, hangs(head=True), asked(QUESTION), limit=None, stream=True)
    assert attempt.usage is not None
    assert attempt.usage.output_tokens >= 0.09 * 1000


async def test_thinking_that_nobody_sees_is_charged_as_silence(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.head()
        await asyncio.sleep(0.05)
        exchange.piece("so ")
        await asyncio.sleep(0.01)
        exchange.reset()

    attempt = await a_bill(tmp_path, script, asked(QUESTION), limit=None, stream=True)
    assert attempt.text == "so "
    assert attempt.usage is not None
    assert attempt.usage.output_tokens >= 0.05 * 1000


async def test_no_estimate_is_above_the_limit_the_model_or_the_hold_allows(tmp_path: Path) -> None:
    silent = hangs(head=True)
    attempt = await a_bill(tmp_path, silent, asked(QUESTION), limit=7, stream=True)
    assert attempt.usage is not None
    assert attempt.usage.output_tokens == 7
    attempt = await a_bill(
        tmp_path, silent, asked(QUESTION), limit=None, stream=True, max_output=20
    )
    assert attempt.usage is not None
    assert attempt.usage.output_tokens == 20
    attempt = await a_bill(tmp_path, silent, asked(QUESTION), hold=40, stream=True)
    assert (attempt.cost, attempt.overrun) == (40, False)


async def test_a_whole_answer_without_usage_costs_at_least_what_was_counted(
    tmp_path: Path,
) -> None:
    from cascade import money

    text = "The Moselle flows into the Rhine. " * 20
    attempt = await a_bill(tmp_path, says(text, usage=None), asked(QUESTION), limit=1000)
    assert attempt.usage is not None
    assert attempt.estimated
    counted = money.bill(PRICE, attempt.usage)
    assert counted * 1.3 < (attempt.cost or 0) < counted * 2.5, "others count up to 1.35 as many"


# --- what never left ---


class Nowhere(AbstractResolver):
    """Answers no name, ever."""

    def __init__(self) -> None:
        self.asked = 0

    async def resolve(self, *_: Any, **__: Any) -> list[ResolveResult]:
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("how", ["its clock ran out", "its caller left"])
async def test_a_call_that_ends_before_it_was_connected_costs_nothing(
    tmp_path: Path, how: str
) -> None:
    settings = tables("http://nowhere.example/v1", tmp_path, ALONE)
    resolver = Nowhere()
    transport = AiohttpTransport(resolver=resolver)
    async with AsyncCascade(tables=settings, data_dir=tmp_path, transport=transport) as ai:
        if how == "its clock ran out":
            with pytest.raises(CascadeError):
                await ai.complete(QUESTION, deadline=0.1)
        else:
            task = asyncio.create_task(ai.complete(QUESTION))
            await until(lambda: resolver.asked)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await until(lambda: ai.totals.calls)
        assert (ai.totals.spent, ai.totals.estimated) == (0, 0)
    await transport.aclose()


async def test_a_call_that_waited_for_a_free_connection_costs_nothing(tmp_path: Path) -> None:
    transport = AiohttpTransport(max_connections=1)
    async with provider() as one:
        one.on("small", hangs())
        settings = tables(one.url, tmp_path, ALONE)
        async with AsyncCascade(tables=settings, data_dir=tmp_path, transport=transport) as ai:
            first = asyncio.create_task(ai.complete(QUESTION))
            await until(lambda: one.calls)
            with pytest.raises(CascadeError) as caught:
                await ai.complete("another", deadline=0.1)
            (attempt,) = caught.value.attempts  # type: ignore[attr-defined]
            assert (attempt.cost, attempt.estimated) == (0, False)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            await until(lambda: ai.totals.calls == 2)
            assert ai.totals.estimated == 1
    await transport.aclose()


async def test_over_a_transport_that_does_not_say_every_call_may_have_left(tmp_path: Path) -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    settings = tables("http://127.0.0.1:9/v1", tmp_path, ALONE)
    async with AsyncCascade(tables=settings, data_dir=tmp_path, transport=Transport(never)) as ai:
        with pytest.raises(CascadeError):
            await ai.complete(QUESTION, deadline=0.1)
        assert ai.totals.estimated == 1
        assert ai.totals.spent > 0


# --- a transport of the user's ---


async def answers(request: httpx.Request) -> httpx.Response:
    body = json.loads(await request.aread())
    return httpx.Response(200, content=completion(body["model"], "fine"))


def raising(error: Exception) -> Reply:
    async def reply(_: httpx.Request) -> httpx.Response:
        raise error

    return reply


async def test_whatever_a_users_transport_raises_is_a_failed_call_and_the_ladder_goes_on(
    tmp_path: Path,
) -> None:
    settings = tables("http://127.0.0.1:9/v1", tmp_path, (ALONE[0], STRONG))
    for error in (OSError("the tunnel fell"), KeyError("lost"), ValueError("bearer sk-secret")):
        transport = Transport(raising(error), answers)
        async with AsyncCascade(tables=settings, data_dir=tmp_path, transport=transport) as ai:
            answer = await ai.complete(QUESTION)
            assert answer.rung == "strong"
            failed = answer.attempts[0]
            assert (failed.result, failed.kind) == ("failed", Kind.UNAVAILABLE)
            assert type(error).__name__ in (failed.why or "")
            assert "sk-secret" not in (failed.why or "")
            assert failed.estimated, "it may have left"
            assert ai.totals.calls == 2


async def test_a_users_transport_that_was_refused_a_connection_costs_nothing(
    tmp_path: Path,
) -> None:
    settings = tables("http://127.0.0.1:9/v1", tmp_path, (ALONE[0], STRONG))
    transport = Transport(raising(ConnectionRefusedError(111, "refused")), answers)
    async with AsyncCascade(tables=settings, data_dir=tmp_path, transport=transport) as ai:
        answer = await ai.complete(QUESTION)
    assert (answer.attempts[0].cost, answer.attempts[0].estimated) == (0, False)


async def test_an_answer_is_kept_when_only_its_closing_fails(tmp_path: Path) -> None:
    class Body(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield completion("small", "fine")

        async def aclose(self) -> None:
            raise OSError("it would not close")

    async def reply(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Body())

    settings = tables("http://127.0.0.1:9/v1", tmp_path, ALONE)
    async with AsyncCascade(tables=settings, data_dir=tmp_path, transport=Transport(reply)) as ai:
        assert (await ai.complete(QUESTION)).text == "fine"


# --- the account of a request that could not go on ---


async def test_what_had_landed_before_an_error_of_ours_is_in_the_totals(tmp_path: Path) -> None:
    async def perhaps(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=completion("small", "perhaps", logprob=-3.0))

    settings = tables("http://127.0.0.1:9/v1", tmp_path, LADDER)
    transport = Transport(perhaps, raising(Closed("the transport was closed")))
    async with AsyncCascade(tables=settings, data_dir=tmp_path, transport=transport) as ai:
        with pytest.raises(Closed):
            await ai.complete(QUESTION)
        assert ai.totals.spent >= (10 * 1 + 2 * 2) * 10**6
        assert ai.totals.by_outcome == {"failed": 1}
        assert ai.totals.calls == 2


async def test_an_answer_that_a_defect_of_ours_loses_is_billed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*args: object, **options: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("cascade.checks.structure.inspect", defect)
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        with pytest.raises(ZeroDivisionError):
            await ai.complete(QUESTION)
        assert ai.totals.spent == (10 * 1 + 2 * 2) * 10**6
        assert ai.totals.estimated == 0


async def test_a_usage_that_no_model_could_have_is_counted_instead_of_believed(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says(usage=(2**70, 2)))
        answer = await ai.complete("Which rivers meet in Koblenz?")
    assert answer.attempts[0].estimated
    assert answer.cost is not None
    assert answer.cost < 10**12

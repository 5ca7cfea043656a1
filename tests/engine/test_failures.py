"""Providers fail in every way there is; the request does not, as long as anything is left."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest

from cascade import AsyncCascade, Broken, DeadlineExceeded, Failed
from cascade.errors import Rejected
from cascade.types import Kind
from tests.engine.scripted import (
    Exchange,
    Script,
    completion,
    dies,
    fails,
    finish_event,
    garbles,
    hangs,
    provider,
    says,
)
from tests.engine.setting import STRONG, Step, opened, read, tables, until

pytestmark = pytest.mark.anyio

QUESTION = "Which rivers meet in Koblenz?"
ALONE = (Step("small", accept=None),)
TWO = (Step("small", endpoints=("one/small-a", "two/small-b"), accept=None),)


def once(**timeout: float) -> tuple[Step, ...]:
    return (Step("small", accept=None, timeout=timeout, settings={"calls": 1}),)


# --- kinds ---


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (fails(401), Kind.AUTH),
        (fails(403), Kind.FILTERED),
        (fails(402), Kind.QUOTA),
        (fails(429, code="insufficient_quota"), Kind.QUOTA),
        (fails(404, code="model_not_found"), Kind.MISSING),
        (fails(400, code="context_length_exceeded"), Kind.TOO_LONG),
        (fails(400, code="content_filter"), Kind.FILTERED),
        (fails(400, code="unsupported_parameter"), Kind.UNSUPPORTED),
        (fails(429), Kind.LIMITED),
        (fails(503), Kind.OVERLOADED),
        (fails(500), Kind.UNAVAILABLE),
        (hangs(), Kind.TIMED_OUT),
        (dies(), Kind.BROKEN),
        (garbles(b"{"), Kind.MALFORMED),
    ],
)
async def test_what_went_wrong_is_told_by_its_kind(
    tmp_path: Path, script: Script, kind: Kind
) -> None:
    async with provider() as one, opened(one.url, tmp_path, once(total=0.2)) as ai:
        one.on("small", script)
        with pytest.raises(Failed) as caught:
            await ai.complete(QUESTION)
    (attempt,) = caught.value.attempts
    assert (attempt.result, attempt.kind) == ("failed", kind)
    assert kind.value in str(caught.value)
    assert "one/small" in str(caught.value)


async def test_a_request_that_the_provider_refuses_stops_at_once(tmp_path: Path) -> None:
    ladder = (Step("small"), STRONG)
    async with provider() as one, opened(one.url, tmp_path, ladder) as ai:
        one.on("small", fails(400, "messages[0] is wrong"))
        with pytest.raises(Rejected, match=r"messages\[0\] is wrong"):
            await ai.complete(QUESTION)
    assert len(one.calls) == 1


@pytest.mark.parametrize("script", [fails(401), fails(404), fails(429), fails(500)])
async def test_an_error_that_came_with_a_status_costs_nothing(
    tmp_path: Path, script: Script
) -> None:
    async with provider() as one, opened(one.url, tmp_path, once()) as ai:
        one.on("small", script)
        with pytest.raises(Failed):
            await ai.complete(QUESTION)
        assert ai.totals.spent == 0
        assert ai.totals.calls == 1


@pytest.mark.parametrize("script", [hangs(), dies(), dies(2, "clean"), garbles(b"{")])
async def test_silence_and_breaks_are_billed_as_estimates(tmp_path: Path, script: Script) -> None:
    async with provider() as one, opened(one.url, tmp_path, once(total=0.2)) as ai:
        one.on("small", script)
        with pytest.raises(Failed) as caught:
            await ai.complete(QUESTION)
        (attempt,) = caught.value.attempts
        assert attempt.estimated
        assert attempt.cost == ai.totals.spent > 0
        assert ai.totals.estimated == 1


# --- retries and endpoints ---


async def test_a_passing_failure_is_tried_again_and_is_not_seen(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("small", fails(503), says("at last"))
        began = time.monotonic()
        answer = await ai.complete(QUESTION)
    assert answer.text == "at last"
    assert [attempt.result for attempt in answer.attempts] == ["failed", "accepted"]
    assert time.monotonic() - began >= 0.25


async def test_the_next_endpoint_is_asked_at_once(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, TWO) as ai:
        one.on("small-a", fails(503))
        answer = await ai.complete(QUESTION)
    assert answer.endpoint == "two/small-b"
    assert one.calls[1].at - one.calls[0].at < 0.2


@pytest.mark.parametrize("script", [fails(401), fails(402), fails(404), hangs()])
async def test_an_endpoint_that_will_not_recover_is_not_asked_again(
    tmp_path: Path, script: Script
) -> None:
    step = Step("small", endpoints=TWO[0].endpoints, accept=None, timeout={"total": 0.1})
    async with provider() as one, opened(one.url, tmp_path, (step,)) as ai:
        one.on("small-a", script)
        one.on("small-b", fails(401))
        with pytest.raises(Failed):
            await ai.complete(QUESTION)
    assert [call.model for call in one.calls] == ["small-a", "small-b"]


async def test_a_stream_is_retried_and_failed_over_like_a_whole_answer(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, TWO) as ai:
        one.on("small-a", fails(503))
        one.on("small-b", says(["a", "b"]))
        async with ai.stream(QUESTION) as stream:
            assert "".join([text async for text in stream]) == "ab"
        assert [attempt.result for attempt in stream.answer.attempts] == ["failed", "accepted"]


async def test_a_short_retry_after_is_kept(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("small", fails(429, headers={"Retry-After-Ms": "600"}), says())
        await ai.complete(QUESTION)
    assert one.calls[1].at - one.calls[0].at >= 0.6


@pytest.mark.parametrize(
    "wait", ["30", formatdate(time.time() + 3600, usegmt=True)], ids=["seconds", "date"]
)
async def test_a_long_retry_after_closes_the_endpoint(tmp_path: Path, wait: str) -> None:
    ladder = (Step("small", accept=None), STRONG)
    async with provider() as one, opened(one.url, tmp_path, ladder) as ai:
        one.on("small", fails(429, headers={"Retry-After": wait}))
        answer = await ai.complete(QUESTION)
    assert answer.rung == "strong"
    assert len(one.asked("small")) == 1
    assert one.calls[1].at - one.calls[0].at < 1.0


async def test_no_more_calls_are_made_than_the_rung_allows(tmp_path: Path) -> None:
    step = Step("small", endpoints=TWO[0].endpoints, accept=None, settings={"calls": 2})
    async with provider() as one, opened(one.url, tmp_path, (step,)) as ai:
        one.on("small-a", fails(503))
        one.on("small-b", fails(503))
        with pytest.raises(Failed) as caught:
            await ai.complete(QUESTION)
    assert len(caught.value.attempts) == len(one.calls) == 2


async def test_a_provider_that_is_down_gives_a_message_with_every_attempt(tmp_path: Path) -> None:
    step = Step("small", endpoints=TWO[0].endpoints, accept=None, settings={"calls": 2})
    async with opened("http://127.0.0.1:9/v1", tmp_path, (step,)) as ai:
        with pytest.raises(Failed) as caught:
            await ai.complete(QUESTION)
        assert ai.totals.spent == 0
    told = str(caught.value)
    assert "no connection to one/small-a" in told
    assert "no connection to two/small-b" in told
    assert "127.0.0.1:9" in told
    assert [attempt.kind for attempt in caught.value.attempts] == [Kind.UNAVAILABLE] * 2


# --- clocks ---


@pytest.mark.parametrize(
    ("clocks", "script", "said"),
    [
        ({"total": 0.15}, hangs(), "no end within 0.15 s"),
        ({"total": 0.15}, hangs(head=True), "no end within 0.15 s"),
        ({"first_token": 0.15}, hangs(), "no first token within 0.15 s"),
        ({"first_token": 0.15}, hangs(head=True), "no first token within 0.15 s"),
        ({"idle": 0.15}, hangs(2), "no token for 0.15 s"),
        ({"idle": 1.0, "total": 0.2}, hangs(200, gap=0.01), "no end within 0.2 s"),
    ],
)
async def test_every_clock_ends_a_call_and_says_which(
    tmp_path: Path, clocks: dict[str, float], script: Script, said: str
) -> None:
    async with provider() as one, opened(one.url, tmp_path, once(**clocks)) as ai:
        one.on("small", script)
        with pytest.raises(Failed, match=said) as caught:
            await ai.complete(QUESTION)
        (received,) = one.calls
        await received.closed.wait()
    (attempt,) = caught.value.attempts
    assert attempt.kind is Kind.TIMED_OUT
    assert attempt.latency_s > 0.14


async def test_keep_alive_comments_do_not_stop_the_clocks(tmp_path: Path) -> None:
    async def comments(exchange: Exchange) -> None:
        exchange.head()
        while True:
            exchange.send(b": still here\n\n")
            await asyncio.sleep(0.02)

    async with provider() as one, opened(one.url, tmp_path, once(first_token=0.2)) as ai:
        one.on("small", comments)
        with pytest.raises(Failed, match="no first token"):
            await ai.complete(QUESTION)


async def test_the_connect_clock_ends_an_attempt_that_never_connects(tmp_path: Path) -> None:
    with socket.socket() as full, socket.socket() as filler:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        filler.connect(full.getsockname())  # nobody accepts: the queue is full now
        extra = []
        for _ in range(3):
            extra.append(socket.socket())
            extra[-1].setblocking(False)
            extra[-1].connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        async with opened(url, tmp_path, once(connect=0.2)) as ai:
            with pytest.raises(Failed, match="no connection in time") as caught:
                await ai.complete(QUESTION)
        assert caught.value.attempts[0].cost == 0
        for each in extra:
            each.close()


@pytest.mark.parametrize("script", [hangs(), hangs(head=True), fails(503)])
async def test_the_deadline_ends_a_request_that_has_nothing(tmp_path: Path, script: Script) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("small", script)
        began = time.monotonic()
        with pytest.raises(Failed) as caught:
            await ai.complete(QUESTION, deadline=0.5)
        took = time.monotonic() - began
    assert took < 2.0
    if one.calls[0].left_early:
        assert isinstance(caught.value, DeadlineExceeded)
        assert caught.value.attempts[0].result == "cancelled"


async def test_at_the_deadline_a_short_answer_in_hand_is_returned(tmp_path: Path) -> None:
    ladder = (Step("small"), STRONG)
    async with provider() as one, opened(one.url, tmp_path, ladder) as ai:
        one.on("small", says("perhaps", logprob=-3.0))
        one.on("strong", hangs())
        answer = await ai.complete(QUESTION, deadline=0.4)
    assert (answer.outcome, answer.text) == ("best_effort", "perhaps")
    assert [attempt.result for attempt in answer.attempts] == ["short", "cancelled"]
    assert answer.attempts[1].estimated
    assert "deadline" in answer.story()
    assert one.calls[1].left_early


async def test_a_slow_call_is_overtaken_by_the_next_rung(tmp_path: Path) -> None:
    ladder = (Step("small", timeout={"first_token": 0.15}), STRONG)
    async with provider() as one, opened(one.url, tmp_path, ladder) as ai:
        one.on("small", hangs(head=True))
        answer = await ai.complete(QUESTION)
    assert answer.rung == "strong"
    assert one.calls[0].left_early


# --- streams that break ---


@pytest.mark.parametrize("how", ["reset", "closed", "clean"])
async def test_a_held_stream_that_dies_is_retried_unseen(tmp_path: Path, how: Any) -> None:
    ladder = (Step("small", endpoints=TWO[0].endpoints), STRONG)
    async with provider() as one, opened(one.url, tmp_path, ladder) as ai:
        one.on("small-a", dies(3, how))
        one.on("small-b", says(["whole ", "again"]))
        async with ai.stream(QUESTION) as stream:
            texts = [text async for text in stream]
    assert "".join(texts) == "whole again"
    assert stream.answer.rung == "small"
    assert [attempt.kind for attempt in stream.answer.attempts] == [Kind.BROKEN, None]


@pytest.mark.parametrize("how", ["reset", "closed", "clean"])
async def test_a_committed_stream_that_dies_ends_in_an_error_and_is_not_stored(
    tmp_path: Path, how: Any
) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("small", dies(3, how), says("whole"))
        texts: list[str] = []
        with pytest.raises(Broken, match="after its first byte") as caught:
            await read(ai, QUESTION, texts)
        assert "".join(texts) == "0 1 2 "
        assert caught.value.attempts[0].estimated
        assert caught.value.attempts[0].text == "0 1 2 "
        assert ai.totals.by_outcome == {"broken": 1}
        again = await ai.complete(QUESTION)
        assert (again.text, again.cache) == ("whole", "miss")


async def test_a_whole_answer_called_as_a_stream_is_retried_when_it_ends_early(
    tmp_path: Path,
) -> None:
    watched = replace(TWO[0], timeout={"first_token": 5})
    async with provider() as one, opened(one.url, tmp_path, (watched,)) as ai:
        one.on("small-a", dies(2, "clean"))
        one.on("small-b", says("whole"))
        answer = await ai.complete(QUESTION)
    assert answer.text == "whole"
    assert all(call.streamed for call in one.calls)


async def test_an_error_event_in_mid_stream_is_a_failure(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.head()
        exchange.piece("so ", logprob=-0.01)
        exchange.event({"error": {"message": "overloaded", "code": "overloaded"}})
        exchange.last_chunk()

    ladder = (Step("small", endpoints=TWO[0].endpoints), STRONG)
    async with provider() as one, opened(one.url, tmp_path, ladder) as ai:
        one.on("small-a", script)
        one.on("small-b", says("whole"))
        async with ai.stream(QUESTION) as stream:
            assert "".join([text async for text in stream]) == "whole"
    assert stream.answer.attempts[0].kind is Kind.OVERLOADED


async def test_a_stream_that_lacks_only_its_last_blank_line_is_whole(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.head()
        exchange.piece("whole", logprob=-0.01)
        exchange.send(b"data: " + json.dumps(finish_event()).encode() + b"\n")
        exchange.last_chunk()

    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("small", script)
        async with ai.stream(QUESTION) as stream:
            assert "".join([text async for text in stream]) == "whole"
    assert len(one.calls) == 1


async def test_a_server_that_answers_a_stream_whole_is_understood(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.whole(completion("small", "whole"))

    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("small", script)
        async with ai.stream(QUESTION) as stream:
            assert "".join([text async for text in stream]) == "whole"


@pytest.mark.parametrize("kind", ["Text/Event-Stream", "TEXT/EVENT-STREAM; charset=UTF-8"])
async def test_a_stream_is_known_by_its_content_type_in_any_case(tmp_path: Path, kind: str) -> None:
    class Events(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            chunk = {**finish_event(), "model": "small"}
            chunk["choices"][0]["delta"] = {"content": "whole"}
            body = b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"
            return httpx.Response(200, headers={"Content-Type": kind}, content=body)

    settings = tables("http://127.0.0.1:9/v1", tmp_path, ALONE)
    ai = AsyncCascade(tables=settings, data_dir=tmp_path, transport=Events())
    async with ai, ai.stream(QUESTION) as stream:
        assert "".join([text async for text in stream]) == "whole"


async def test_connections_are_used_again(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        for number in range(5):
            await ai.complete(f"question {number}")
        assert one.connections == 1
        for number in range(5):
            async with ai.stream(f"streamed {number}") as stream:
                async for _ in stream:
                    pass
        assert one.connections == 1
        await until(lambda: ai.totals.calls == 10)


async def test_a_streams_connection_is_used_again_when_its_end_comes_a_little_later(
    tmp_path: Path,
) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.head()
        exchange.piece("whole", logprob=-0.01)
        exchange.event(finish_event())
        exchange.event("[DONE]")
        await asyncio.sleep(0.001)
        exchange.last_chunk()

    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("small", script)
        for number in range(5):
            async with ai.stream(f"streamed {number}") as stream:
                async for _ in stream:
                    pass
        assert one.connections == 1


async def test_a_server_that_never_ends_its_body_after_done_costs_no_time(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.head()
        exchange.piece("whole", logprob=-0.01)
        exchange.event(finish_event())
        exchange.event("[DONE]")
        await asyncio.Event().wait()

    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("small", script)
        async with ai.stream(QUESTION) as stream:
            assert "".join([text async for text in stream]) == "whole"
        assert stream.answer.latency_s < 1.0
        await one.calls[0].closed.wait()

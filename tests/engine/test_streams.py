"""Streams: held until accepted where an answer may be refused, live where it may not."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from cascade import Broken, CascadeError, DeadlineExceeded
from cascade.engine.delivery import Delivery, Outlet
from cascade.types import Delta
from tests.engine.scripted import Exchange, Script, completion, fails, hangs, provider, says
from tests.engine.setting import LADDER, STRONG, opened, read

pytestmark = pytest.mark.anyio

QUESTION = "Which rivers meet in Koblenz?"
ALONE = (STRONG,)
PIECES = [f"{number} " for number in range(50)]


def gated(gate: asyncio.Event, first: str = "first ", rest: str = "rest") -> Script:
    """A stream whose second half is sent when the test says so."""

    async def script(exchange: Exchange) -> None:
        exchange.head()
        exchange.piece(first, logprob=-0.01)
        await gate.wait()
        exchange.piece(rest, logprob=-0.01)
        exchange.end()

    return script


async def test_a_live_streams_first_piece_arrives_before_its_last_is_sent(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", gated(gate))
        async with ai.stream(QUESTION) as stream:
            texts = aiter(stream)
            assert await anext(texts) == "first "
            assert not one.calls[0].finished
            assert stream.known is None
            gate.set()
            assert [text async for text in texts] == ["rest"]
    assert stream.answer.text == "first rest"
    assert stream.answer.first_token_s is not None
    assert stream.answer.first_token_s <= stream.answer.latency_s


@pytest.mark.parametrize(
    "gap", [pytest.param(0.01, id="10 ms"), pytest.param(0.05, id="50 ms", marks=pytest.mark.slow)]
)
async def test_the_pieces_of_a_live_stream_arrive_as_they_are_sent(
    tmp_path: Path, gap: float
) -> None:
    sent: list[float] = []

    async def script(exchange: Exchange) -> None:
        exchange.head()
        for piece in PIECES:
            sent.append(time.monotonic())
            exchange.piece(piece, logprob=-0.01)
            await asyncio.sleep(gap)
        exchange.end()

    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", script)
        async with ai.stream(QUESTION) as stream:
            got = [(text, time.monotonic()) async for text in stream]
    assert [text for text, _ in got] == PIECES
    lags = sorted(at - before for (_, at), before in zip(got, sent, strict=True))
    print(f"from a piece's write to its read: median {lags[25] * 1e3:.2f} ms")
    assert lags[25] < 0.1, "pieces were kept back"


async def test_a_verified_stream_is_held_until_it_is_accepted(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", gated(gate))
        async with ai.stream(QUESTION) as stream:
            texts = aiter(stream)
            reading = asyncio.ensure_future(anext(texts))
            await asyncio.sleep(0.1)
            assert not reading.done()
            gate.set()
            await reading
            known = stream.known
            assert known is not None, "what was held is known before it is read"
            async for _ in texts:
                pass
    assert stream.answer is known
    assert stream.answer.text == "first rest"


async def test_nothing_of_a_draft_that_fell_short_is_seen(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says(["per", "haps"], logprob=-3.0))
        one.on("strong", says(["certain", "ly"]))
        async with ai.stream(QUESTION) as stream:
            assert [text async for text in stream] == ["certain", "ly"]
    assert [attempt.result for attempt in stream.answer.attempts] == ["short", "accepted"]


async def test_live_delivery_commits_to_the_first_rung(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", gated(gate))
        async with ai.stream(QUESTION, delivery="live") as stream:
            texts = aiter(stream)
            assert await anext(texts) == "first "
            gate.set()
            assert [text async for text in texts] == ["rest"]
    assert stream.answer.rung == "small"


async def test_a_live_stream_climbs_until_something_has_left(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", fails(401))
        one.on("strong", says(PIECES))
        async with ai.stream(QUESTION, delivery="live") as stream:
            assert [text async for text in stream] == PIECES


async def test_a_live_stream_without_content_is_refuted_unseen(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says([]))
        one.on("strong", says(["certainly"]))
        async with ai.stream(QUESTION, delivery="live") as stream:
            assert [text async for text in stream] == ["certainly"]
    assert stream.answer.attempts[0].result == "refuted"


async def test_a_committed_stream_outlives_the_deadline_on_its_own_clocks(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", says(PIECES, gap=0.02))
        async with ai.stream(QUESTION, deadline=0.5) as stream:
            assert [text async for text in stream] == PIECES
    assert stream.answer.latency_s > 0.5


async def test_reasoning_tool_calls_and_log_probabilities_come_through(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}

    async def script(exchange: Exchange) -> None:
        exchange.head()
        exchange.piece("", reasoning_content="hm")
        exchange.piece("I look: ", logprob=-0.5)
        call = {"index": 0, "id": "c1", "function": {"name": "look", "arguments": '{"at":'}}
        exchange.piece("", tool_calls=[call])
        exchange.piece("", tool_calls=[{"index": 0, "function": {"arguments": ' "map"}'}}])
        exchange.end(finish="tool_calls")

    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", script)
        async with ai.stream(QUESTION, tools=[tool], logprobs=True) as stream:
            deltas = [delta async for delta in stream.deltas()]
    answer = stream.answer
    assert "".join(delta.reasoning for delta in deltas) == answer.response.reasoning == "hm"
    assert [one.logprob for delta in deltas for one in delta.logprobs] == [-0.5]
    pieces = [part.arguments for delta in deltas for part in delta.tool_calls]
    assert "".join(pieces) == answer.tool_calls[0].arguments == '{"at": "map"}'
    assert deltas[-1].usage is not None
    assert {delta.finish_reason for delta in deltas} == {None, "tool_calls"}


async def test_a_stored_answer_streams_like_a_fresh_one(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, LADDER, cache={}) as ai:
        one.on("small", says(PIECES))
        async with ai.stream(QUESTION) as stream:
            seen = [[delta async for delta in stream.deltas()]]
        async with ai.stream(QUESTION) as stream:
            seen.append([delta async for delta in stream.deltas()])
        assert stream.answer.cache == "exact"
        assert stream.known is stream.answer
    assert len(one.calls) == 1
    fresh, stored = ("".join(delta.text for delta in deltas) for deltas in seen)
    assert fresh == stored == "".join(PIECES)
    assert len([delta for delta in seen[1] if delta.text]) > 1, "a replay comes in pieces too"
    assert [delta.usage for delta in seen[1] if delta.usage] == [stream.answer.usage]
    assert [delta.finish_reason for delta in seen[1] if delta.finish_reason] == ["stop"]


async def test_a_stream_is_not_read_before_it_is_opened_nor_after_it_was_left(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", says(PIECES, gap=0.01))
        stream = ai.stream(QUESTION)
        with pytest.raises(CascadeError, match="async with"):
            await anext(aiter(stream))
        async with stream:
            await anext(aiter(stream))
            with pytest.raises(CascadeError, match="read it to its end"):
                _ = stream.answer
        with pytest.raises(CascadeError, match="async with"):
            await anext(aiter(stream))


async def test_reading_on_after_the_end_brings_nothing(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        async with ai.stream(QUESTION) as stream:
            assert [text async for text in stream] == ["fine"]
            assert [text async for text in stream] == []
        assert ai.totals.by_rung == {"strong": 1}
        assert one.connections == 1


async def test_a_stream_without_an_answer_ends_at_its_deadline(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", hangs(head=True))
        with pytest.raises(DeadlineExceeded):
            await read(ai, QUESTION, deadline=0.2)


async def test_a_refusal_is_streamed_as_the_best_that_could_be_had(tmp_path: Path) -> None:
    async def refuses(exchange: Exchange) -> None:
        exchange.head()
        exchange.piece("", refusal="I will not say that.")
        exchange.end()

    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", refuses)
        async with ai.stream(QUESTION) as stream:
            said = "".join([delta.refusal async for delta in stream.deltas()])
        assert said == stream.answer.message.refusal == "I will not say that."
        assert stream.answer.outcome == "best_effort"


async def test_a_live_stream_that_is_refuted_at_its_end_is_broken(tmp_path: Path) -> None:
    texts: list[str] = []
    async with provider() as one, opened(one.url, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", says(['{"total": ', "oops"]))
        with pytest.raises(Broken, match="refuted"):
            await read(ai, QUESTION, texts, response_format={"type": "json_object"})
        assert "".join(texts) == '{"total": oops'
        one.on("strong", says('{"total": 1}'))
        answer = await ai.complete(QUESTION, response_format={"type": "json_object"})
        assert answer.cache == "miss"


async def test_many_streams_at_once_do_not_mix(tmp_path: Path) -> None:
    async def echo(exchange: Exchange) -> None:
        word = exchange.received.body["messages"][-1]["content"]
        exchange.head()
        for _ in range(5):
            exchange.piece(f"{word} ", logprob=-0.01)
            await asyncio.sleep(0.005)
        exchange.end()

    async def read(word: str) -> str:
        async with ai.stream(word) as stream:
            return "".join([text async for text in stream])

    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", echo)
        words = [f"word{number}" for number in range(40)]
        assert await asyncio.gather(*map(read, words)) == [f"{word} " * 5 for word in words]


async def test_a_whole_answer_to_a_streamed_call_is_delivered_in_order(tmp_path: Path) -> None:
    async def whole(exchange: Exchange) -> None:
        exchange.whole(completion("strong", "all at once"))

    async with provider() as one, opened(one.url, tmp_path, ALONE) as ai:
        one.on("strong", whole)
        async with ai.stream(QUESTION) as stream:
            assert "".join([text async for text in stream]) == "all at once"


async def test_after_the_commit_no_other_calls_pieces_leave() -> None:
    outlet = Outlet()
    delivery = Delivery(outlet)
    for call, text in ((0, "a"), (1, "b")):
        delivery.take(call, Delta(text=text))
    delivery.commit(1)
    for call, text in ((0, "a late"), (1, " c")):
        delivery.take(call, Delta(text=text))
    outlet.end()
    pieces = [piece async for batch in outlet.batches() for piece in batch]
    assert pieces == [Delta(text="b"), Delta(text=" c")]

"""The official OpenAI client gets from the server what it expects of a provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from tests.server.kit import ASKED, HARD, async_client_of

TEXT = "The Rhine and the Moselle."


def chunks(client: openai.OpenAI, **options: Any) -> list[ChatCompletionChunk]:
    asked = {"model": "auto", "messages": ASKED} | options
    with client.chat.completions.create(stream=True, **asked) as stream:
        return list(stream)


def text_of(received: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in received for choice in chunk.choices)


def told(model: Any) -> dict[str, Any]:
    """What stands under ``cascade``, in an answer or in its usage."""
    assert isinstance(model.model_extra, dict)
    extra = model.model_extra["cascade"]
    assert isinstance(extra, dict)
    return extra


def test_a_whole_answer_comes_from_the_first_rung_that_will_do(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="auto", messages=ASKED)
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].logprobs is None
    assert answer.model == "small"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (20, 8)


def test_the_ladder_is_climbed_and_every_attempt_is_told(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": HARD}]
    )
    assert answer.choices[0].message.content == "The Rhine."
    assert answer.model == "strong"
    extra = told(answer)
    assert (extra["rung"], extra["outcome"], extra["basis"]) == ("strong", "accepted", "reference")
    assert [attempt["result"] for attempt in extra["attempts"]] == ["short", "accepted"]
    # 10 in and 4 out at 0.10 and 0.40, then at 2.50 and 10 dollars per million tokens
    assert extra["cost_usd"] == pytest.approx(2.6e-6 + 65e-6, rel=1e-12)


def test_cost_and_rung_stand_in_the_usage_too(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="auto", messages=ASKED)
    assert answer.usage is not None
    assert told(answer.usage) == told(answer)
    assert told(answer)["cost_usd"] == pytest.approx(5.2e-6, rel=1e-12)
    assert told(answer)["saved_basis"] == "modelled"


@pytest.mark.anyio
async def test_the_asynchronous_client_gets_the_same(url: str) -> None:
    async with async_client_of(url) as client:
        answer = await client.chat.completions.create(model="auto", messages=ASKED)
        assert answer.choices[0].message.content == TEXT
        stream = await client.chat.completions.create(model="auto", messages=ASKED, stream=True)
        received = [chunk async for chunk in stream]
        assert text_of(received) == TEXT


def test_a_stream_has_role_text_finish_and_usage_in_this_order(client: openai.OpenAI) -> None:
    received = chunks(client, stream_options={"include_usage": True})
    first, *middle, finish, last = received
    assert first.choices[0].delta.role == "assistant"
    assert text_of(middle) == TEXT
    assert finish.choices[0].finish_reason == "stop"
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (20, 8)
    assert told(last)["rung"] == told(last.usage)["rung"] == "small"
    assert {chunk.id for chunk in received} == {first.id}
    assert {chunk.model for chunk in received} == {"small"}
    assert all(chunk.object == "chat.completion.chunk" for chunk in received)
    assert all(chunk.created for chunk in received)


def test_a_stream_has_no_usage_unless_it_is_asked_for(client: openai.OpenAI) -> None:
    received = chunks(client)
    assert [chunk.usage for chunk in received] == [None] * len(received)
    assert received[-1].choices[0].finish_reason == "stop"
    assert told(received[-1])["outcome"] == "accepted"


def test_the_second_time_it_comes_from_the_cache(
    client: openai.OpenAI, calls: Callable[[], int]
) -> None:
    first = client.chat.completions.create(model="auto", messages=ASKED)
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=ASKED)
    assert calls() == 1
    answer = raw.parse()
    assert answer.choices == first.choices
    assert answer.usage is not None
    assert raw.headers["x-cascade-cache"] == "exact"
    assert raw.headers["cache-status"] == "cascade; hit"
    assert raw.headers["x-cascade-cost-usd"] == "0"
    assert int(raw.headers["age"]) >= 0
    assert told(answer)["cache"] == "exact"


def test_a_stream_from_the_cache_is_the_stream_that_was_kept(
    client: openai.OpenAI, calls: Callable[[], int]
) -> None:
    usage = {"include_usage": True}
    live = chunks(client, stream_options=usage)
    stored = chunks(client, stream_options=usage)
    assert calls() == 1
    assert [chunk.choices for chunk in stored] == [chunk.choices for chunk in live]
    assert told(live[-1])["cache"] == "miss"
    assert told(stored[-1])["cache"] == "exact"


def test_streams_and_whole_answers_share_the_cache(
    client: openai.OpenAI, calls: Callable[[], int]
) -> None:
    chunks(client)
    answer = client.chat.completions.create(model="auto", messages=ASKED)
    assert answer.choices[0].message.content == TEXT
    assert calls() == 1


@pytest.mark.parametrize(
    ("model", "answered"),
    [
        ("auto", "small"),
        ("default", "small"),
        ("batch", "small"),
        ("small", "small"),
        ("strong", "strong"),
        ("gpt-4o", "small"),
        ("quick", "small"),
    ],
)
def test_a_model_is_auto_a_ladder_a_rung_or_an_alias(
    client: openai.OpenAI, model: str, answered: str
) -> None:
    answer = client.chat.completions.create(model=model, messages=ASKED)
    assert answer.model == answered
    assert text_of(chunks(client, model=model)) == answer.choices[0].message.content


def test_options_of_the_cascade_come_in_the_body(
    client: openai.OpenAI, calls: Callable[[], int]
) -> None:
    answer = client.chat.completions.create(
        model="auto", messages=ASKED, extra_body={"cascade": {"quality": "best"}}
    )
    assert answer.model == "strong"
    with pytest.raises(openai.BadRequestError, match="names the ladder batch"):
        client.chat.completions.create(
            model="batch", messages=ASKED, extra_body={"cascade": {"ladder": "default"}}
        )
    assert calls() == 1


def test_log_probabilities_are_there_for_those_who_ask(client: openai.OpenAI) -> None:
    asked = client.chat.completions.create(model="small", messages=ASKED, logprobs=True)
    assert asked.choices[0].logprobs is not None
    tokens = asked.choices[0].logprobs.content or []
    assert "".join(token.token for token in tokens) == TEXT
    assert [token.top_logprobs for token in tokens] == [[]] * 8
    streamed = chunks(client, model="small", logprobs=True, top_logprobs=1)
    entries = [
        entry
        for chunk in streamed
        for choice in chunk.choices
        if choice.logprobs is not None
        for entry in choice.logprobs.content or []
    ]
    assert [(entry.token, entry.logprob) for entry in entries] == [
        (token.token, token.logprob) for token in tokens
    ]
    assert all(len(entry.top_logprobs) == 1 for entry in entries)


def test_log_probabilities_for_our_own_judgement_are_not_shown(client: openai.OpenAI) -> None:
    received = chunks(client)
    assert all(choice.logprobs is None for chunk in received for choice in chunk.choices)


def test_the_models_are_auto_ladders_rungs_and_aliases(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names == [
        "auto",
        "default",
        "batch",
        "small",
        "strong",
        "gpt-4o",
        "quick",
        "vendor/fast",
    ]


@pytest.mark.parametrize("name", ["auto", "default", "strong", "gpt-4o"])
def test_one_model_is_told_as_the_list_tells_it(client: openai.OpenAI, name: str) -> None:
    (listed,) = [model for model in client.models.list() if model.id == name]
    assert client.models.retrieve(name) == listed


def test_a_model_whose_name_holds_a_slash_is_found(
    client: openai.OpenAI, http: httpx.Client
) -> None:
    assert client.models.retrieve("vendor/fast").id == "vendor/fast"
    assert http.get("/v1/models/vendor/fast").json()["id"] == "vendor/fast"
    assert http.get("/v1/models/vendor%2Ffast").json()["id"] == "vendor/fast"


def test_a_model_that_there_is_not_cannot_be_retrieved(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="Did you mean vendor/fast") as caught:
        client.models.retrieve("vendor/fas")
    assert caught.value.code == "model_not_found"

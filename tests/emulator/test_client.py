"""The official OpenAI client finds in the emulator what it expects of a provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from cascade.emulator import Emulator
from tests.emulator.recordings import SMALL
from tests.serving import running

ASKED: list[Any] = [
    {"role": "system", "content": "Answer briefly."},
    {"role": "user", "content": "Which rivers meet in Koblenz?"},
]


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    with (
        running(Emulator(SMALL)) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def ask(client: openai.OpenAI, model: str = "measured", **options: Any) -> ChatCompletion:
    answer = client.chat.completions.create(model=model, messages=ASKED, **options)
    assert isinstance(answer, ChatCompletion)
    return answer


def chunks(
    client: openai.OpenAI, model: str = "measured", **options: Any
) -> list[ChatCompletionChunk]:
    with client.chat.completions.create(
        model=model, messages=ASKED, stream=True, **options
    ) as stream:
        return list(stream)


def text_of(received: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in received for choice in chunk.choices)


def entries_of(received: list[ChatCompletionChunk]) -> list[tuple[str, float]]:
    return [
        (entry.token, entry.logprob)
        for chunk in received
        for choice in chunk.choices
        if choice.logprobs is not None
        for entry in choice.logprobs.content or ()
    ]


def entries(answer: ChatCompletion) -> list[tuple[str, float]] | None:
    logprobs = answer.choices[0].logprobs
    if logprobs is None or logprobs.content is None:
        return None
    return [(entry.token, entry.logprob) for entry in logprobs.content]


def test_a_whole_answer_has_the_recorded_text_and_tokens(client: openai.OpenAI) -> None:
    answer = ask(client)

    assert answer.model == "measured"
    assert answer.choices[0].message.content == "The Rhine and the Moselle."
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].logprobs is None
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (21, 8)
    assert answer.usage.total_tokens == 29
    assert answer.id != ask(client).id


def test_a_stream_has_role_text_finish_and_usage_in_this_order(client: openai.OpenAI) -> None:
    received = chunks(client, stream_options={"include_usage": True})

    first, *middle, finish, last = received
    assert first.choices[0].delta.role == "assistant"
    assert text_of(middle) == "The Rhine and the Moselle."
    assert len(middle) == 8
    assert finish.choices[0].finish_reason == "stop"
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (21, 8)
    assert {chunk.id for chunk in received} == {first.id}
    assert {chunk.model for chunk in received} == {"measured"}


def test_a_stream_has_no_usage_unless_it_is_asked_for(client: openai.OpenAI) -> None:
    received = chunks(client)
    assert [chunk.usage for chunk in received] == [None] * len(received)
    assert received[-1].choices[0].finish_reason == "stop"


def test_log_probabilities_are_flat_one_a_token(client: openai.OpenAI) -> None:
    got = entries(ask(client, logprobs=True))
    assert got is not None
    assert "".join(token for token, _ in got) == "The Rhine and the Moselle."
    assert [logprob for _, logprob in got] == [-0.0625] * 8
    assert entries_of(chunks(client, logprobs=True)) == got


def test_more_tokens_than_characters_leave_empty_texts_at_the_end(client: openai.OpenAI) -> None:
    expected = [("B", -0.5), ("", -0.5), ("", -0.5)]
    assert entries(ask(client, "letter", logprobs=True)) == expected
    received = chunks(client, "letter", logprobs=True)
    assert entries_of(received) == expected
    assert text_of(received) == "B"


def test_rivals_were_not_recorded_so_a_token_has_itself_alone(client: openai.OpenAI) -> None:
    logprobs = ask(client, logprobs=True, top_logprobs=5).choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    for entry in logprobs.content:
        assert [(top.token, top.logprob) for top in entry.top_logprobs] == [(entry.token, -0.0625)]


def test_no_log_probability_is_made_up_where_none_was_recorded(client: openai.OpenAI) -> None:
    assert ask(client, "bare", logprobs=True).choices[0].logprobs is None
    assert entries_of(chunks(client, "bare", logprobs=True)) == []


def test_a_probability_of_nothing_is_openai_s_own_sign_for_it(client: openai.OpenAI) -> None:
    assert entries(ask(client, "impossible", logprobs=True)) == [("No", -9999.0), (".", -9999.0)]


def test_no_usage_is_made_up_where_no_tokens_were_recorded(client: openai.OpenAI) -> None:
    assert ask(client, "bare").usage is None
    received = chunks(client, "bare", stream_options={"include_usage": True})
    assert [chunk.usage for chunk in received] == [None] * len(received)
    assert text_of(received) == "Rhine and  Moselle.\n"
    assert received[-1].choices[0].finish_reason == "stop"


def test_without_recorded_tokens_log_probabilities_go_by_words(client: openai.OpenAI) -> None:
    assert entries(ask(client, "words", logprobs=True)) == [
        ("Rhine", -1.25),
        (" and", -1.25),
        (" Moselle.", -1.25),
    ]


def test_an_empty_answer_is_an_empty_answer(client: openai.OpenAI) -> None:
    answer = ask(client, "silent", logprobs=True)
    assert answer.choices[0].message.content == ""
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 0
    assert text_of(chunks(client, "silent")) == ""


@pytest.mark.parametrize("option", ["max_tokens", "max_completion_tokens"])
def test_a_limit_below_the_recorded_tokens_cuts_the_answer(
    client: openai.OpenAI, option: str
) -> None:
    limit: dict[str, Any] = {option: 4}
    answer = ask(client, logprobs=True, **limit)

    assert answer.choices[0].message.content == "The Rhine and"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 4
    assert len(entries(answer) or ()) == 4
    streamed = chunks(client, stream_options={"include_usage": True}, **limit)
    assert text_of(streamed) == "The Rhine and"
    assert streamed[-1].usage == answer.usage


def test_a_limit_at_or_above_the_recorded_tokens_changes_nothing(client: openai.OpenAI) -> None:
    assert ask(client, max_tokens=8).choices[0].finish_reason == "stop"
    assert ask(client, "bare", max_tokens=1).choices[0].finish_reason == "stop"


def test_other_parameters_change_nothing(client: openai.OpenAI) -> None:
    answer = ask(client, temperature=1.5, stop=["Rhine"], seed=3, presence_penalty=0.5)
    assert answer.choices[0].message.content == "The Rhine and the Moselle."


def test_a_system_prompt_may_come_as_the_developer_s_or_in_parts(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="measured",
        messages=[
            {"role": "developer", "content": [{"type": "text", "text": "Answer briefly."}]},
            {"role": "user", "content": [{"type": "text", "text": ASKED[1]["content"]}]},
        ],
    )
    assert answer.choices[0].message.content == "The Rhine and the Moselle."


def test_the_models_are_those_of_the_recording(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == list(SMALL.models)


def refusal(client: openai.OpenAI, model: str, messages: list[Any]) -> dict[str, Any]:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model=model, messages=messages)
    body = caught.value.body
    assert isinstance(body, dict)
    return body


def test_an_unknown_model_gets_404_and_the_list(client: openai.OpenAI) -> None:
    body = refusal(client, "gpt-9", ASKED)
    assert body["code"] == "model_not_found"
    assert body["param"] == "model"
    assert body["message"] == (
        "the recording has no model 'gpt-9'; it has measured, letter, bare, words, silent, "
        "impossible"
    )


def test_an_unrecorded_prompt_gets_404_and_says_what_was_looked_for(client: openai.OpenAI) -> None:
    body = refusal(client, "measured", [{"role": "user", "content": "y" * 100}])
    assert body["code"] == "not_recorded"
    wanted = f"the recording has no prompt '{'y' * 59}…' with no system prompt"
    assert body["message"] == f"not recorded: {wanted}"


def test_a_prompt_recorded_under_another_system_prompt_is_told_apart(client: openai.OpenAI) -> None:
    assert refusal(client, "measured", ASKED[1:])["message"].endswith(
        "with no system prompt; it has that prompt with the system prompt 'Answer briefly.'"
    )
    other = [ASKED[0], {"role": "user", "content": "No system here."}]
    assert refusal(client, "measured", other)["message"].endswith(
        "with the system prompt 'Answer briefly.'; it has that prompt with no system prompt"
    )


def test_a_model_not_recorded_on_a_prompt_gets_404_and_says_who_was(client: openai.OpenAI) -> None:
    body = refusal(client, "bare", [{"role": "user", "content": "No system here."}])
    assert body["code"] == "not_recorded"
    assert body["message"] == (
        "not recorded: bare was not recorded on the prompt 'No system here.'; "
        "recorded were measured"
    )


@pytest.mark.parametrize(
    ("messages", "shape"),
    [
        ([*ASKED, {"role": "assistant", "content": "x"}], "system, user, assistant"),
        ([ASKED[0], *ASKED], "system, system, user"),
        ([ASKED[1], ASKED[1]], "user, user"),
        (
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Who?"},
                        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                    ],
                }
            ],
            "user with images",
        ),
    ],
)
def test_a_conversation_of_another_shape_gets_404_and_its_shape(
    client: openai.OpenAI, messages: list[Any], shape: str
) -> None:
    body = refusal(client, "measured", messages)
    assert body["code"] == "not_recorded"
    assert body["message"].endswith(f"this conversation is {shape}")


def test_a_request_that_cannot_be_read_gets_400_and_the_place(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, temperature="hot")
    assert "temperature" in str(caught.value)

"""The official clients find in the emulator what they expect of a provider."""

from __future__ import annotations

import json
import os
import urllib.request
import warnings
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from cascade.emulator import Emulator
from cascade.learning.trace import RecordedAnswer, Recording, Row
from cascade.types import ToolCall
from tests.serving import running

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # their own, at import
    from google import genai
    from google.genai import errors as genai_errors
    from google.genai import types as genai_types
    from mistralai.client import Mistral

TEXT = "The Rhine and the Moselle."
THOUGHT = "Koblenz lies at the Deutsches Eck, where two rivers meet. " * 4
CALLS = (
    ToolCall("call_a", "weather", '{"city":"Koblenz","days":2}'),
    ToolCall("", "weather", '{"city":"Trier"}'),
)
RECORDING = Recording(
    [
        Row(
            prompt="Which rivers?",
            system="Answer briefly.",
            answers={"model": RecordedAnswer(text=TEXT, input_tokens=21, output_tokens=8)},
        ),
        Row(
            prompt="How is the weather?",
            answers={
                "model": RecordedAnswer(
                    text="", tool_calls=CALLS, input_tokens=60, output_tokens=30
                )
            },
        ),
        Row(
            prompt="Think.",
            answers={
                "model": RecordedAnswer(
                    text=TEXT,
                    reasoning=THOUGHT,
                    reasoning_tokens=40,
                    input_tokens=9,
                    output_tokens=48,
                )
            },
        ),
    ]
)
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
OPENAI_TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
]
ARGUMENTS = [{"city": "Koblenz", "days": 2}, {"city": "Trier"}]


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, running(Emulator(RECORDING, 0)) as address:
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            patch.delenv(name)  # nothing leaves the loopback
        yield address


@pytest.fixture(scope="module")
def to_openai(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def to_anthropic(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="x", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def to_gemini(url: str) -> Iterator[genai.Client]:
    client = genai.Client(api_key="x", http_options=genai_types.HttpOptions(base_url=url))
    yield client
    client.close()


@pytest.fixture(scope="module")
def to_mistral(url: str) -> Iterator[Mistral]:
    with Mistral(api_key="x", server_url=url) as client:
        yield client


# --- Anthropic


def test_anthropic_s_client_gets_text_stop_reason_and_usage(
    to_anthropic: anthropic.Anthropic,
) -> None:
    answer = to_anthropic.messages.create(
        model="model", max_tokens=100, system="Answer briefly.", messages=user("Which rivers?")
    )
    (block,) = answer.content
    assert block.type == "text"
    assert block.text == TEXT
    assert (answer.model, answer.role, answer.stop_reason) == ("model", "assistant", "end_turn")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (21, 8)


def test_anthropic_s_client_gets_thoughts_then_text_whole_and_streamed(
    to_anthropic: anthropic.Anthropic,
) -> None:
    whole = to_anthropic.messages.create(model="model", max_tokens=100, messages=user("Think."))
    with to_anthropic.messages.stream(
        model="model", max_tokens=100, messages=user("Think.")
    ) as stream:
        kinds = [event.type for event in stream]
        streamed = stream.get_final_message()
    assert kinds.count("thinking") == 40
    assert kinds.count("text") == 8
    messages: list[Any] = [whole, streamed]
    for message in messages:
        thought, text = message.content
        assert thought.type == "thinking"
        assert thought.thinking == THOUGHT
        assert text.type == "text"
        assert text.text == TEXT
        assert message.usage.output_tokens == 48


def test_anthropic_s_client_gets_tool_calls_whole_and_in_pieces(
    to_anthropic: anthropic.Anthropic,
) -> None:
    asked: dict[str, Any] = {
        "model": "model",
        "max_tokens": 100,
        "messages": user("How is the weather?"),
        "tools": [{"name": "weather", "input_schema": SCHEMA}],
    }
    whole = to_anthropic.messages.create(**asked)
    with to_anthropic.messages.stream(**asked) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        streamed = stream.get_final_message()
    assert len(pieces) > 10
    messages: list[Any] = [whole, streamed]
    for message in messages:
        assert message.stop_reason == "tool_use"
        calls = [block for block in message.content if block.type == "tool_use"]
        assert [call.input for call in calls] == ARGUMENTS
        assert calls[0].id == "call_a"
        assert calls[1].id


def test_anthropic_s_client_can_count_tokens_and_list_models(
    to_anthropic: anthropic.Anthropic,
) -> None:
    counted = to_anthropic.messages.count_tokens(model="model", messages=user("Think."))
    assert counted.input_tokens == 9
    other = to_anthropic.messages.count_tokens(model="model", messages=user("Not recorded."))
    assert other.input_tokens > 0
    assert [model.id for model in to_anthropic.models.list()] == ["model"]
    assert to_anthropic.models.retrieve("model").display_name == "model"
    with pytest.raises(anthropic.NotFoundError):
        to_anthropic.models.retrieve("other")


def test_anthropic_s_client_gets_errors_in_its_own_shape(
    to_anthropic: anthropic.Anthropic,
) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        to_anthropic.messages.create(model="other", max_tokens=9, messages=user("Think."))
    body = caught.value.body
    assert isinstance(body, dict)
    assert body["error"]["type"] == "not_found_error"
    assert "the recording has no model 'other'" in body["error"]["message"]
    with pytest.raises(anthropic.BadRequestError):
        to_anthropic.messages.create(model="model", max_tokens=-1, messages=user("Think."))


# --- Gemini


def test_gemini_s_client_gets_text_finish_and_usage(to_gemini: genai.Client) -> None:
    answer = to_gemini.models.generate_content(
        model="model",
        contents="Which rivers?",
        config=genai_types.GenerateContentConfig(system_instruction="Answer briefly."),
    )
    assert answer.text == TEXT
    assert answer.model_version == "model"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.prompt_token_count == 21
    assert answer.usage_metadata.candidates_token_count == 8


def test_gemini_s_client_gets_thoughts_then_text_whole_and_streamed(
    to_gemini: genai.Client,
) -> None:
    whole = to_gemini.models.generate_content(model="model", contents="Think.")
    streamed = list(to_gemini.models.generate_content_stream(model="model", contents="Think."))
    assert len(streamed) > 40
    for answers in ([whole], streamed):
        parts = [part for answer in answers for part in _parts(answer)]
        assert "".join(part.text or "" for part in parts if part.thought) == THOUGHT
        assert "".join(part.text or "" for part in parts if not part.thought) == TEXT
        usage = answers[-1].usage_metadata
        assert usage is not None
        assert (usage.thoughts_token_count, usage.candidates_token_count) == (40, 8)


def test_gemini_s_client_gets_tool_calls_whole_and_streamed(to_gemini: genai.Client) -> None:
    tool = genai_types.Tool(
        function_declarations=[
            genai_types.FunctionDeclaration(name="weather", parameters_json_schema=SCHEMA)
        ]
    )
    config = genai_types.GenerateContentConfig(
        tools=[tool],
        automatic_function_calling=genai_types.AutomaticFunctionCallingConfig(disable=True),
    )
    asked: dict[str, Any] = {
        "model": "model",
        "contents": "How is the weather?",
        "config": config,
    }
    whole = to_gemini.models.generate_content(**asked)
    streamed = list(to_gemini.models.generate_content_stream(**asked))
    for answers in ([whole], streamed):
        calls = [part.function_call for answer in answers for part in _parts(answer)]
        assert [call.args for call in calls if call is not None] == ARGUMENTS


def _parts(answer: genai_types.GenerateContentResponse) -> list[genai_types.Part]:
    content = (answer.candidates or [])[0].content
    return (content.parts or []) if content is not None else []


def test_gemini_s_client_can_count_tokens_and_list_models(to_gemini: genai.Client) -> None:
    assert to_gemini.models.count_tokens(model="model", contents="Think.").total_tokens == 9
    assert [model.name for model in to_gemini.models.list()] == ["models/model"]
    assert to_gemini.models.get(model="model").display_name == "model"


def test_gemini_s_client_gets_errors_in_its_own_shape(to_gemini: genai.Client) -> None:
    with pytest.raises(genai_errors.ClientError) as caught:
        to_gemini.models.generate_content(model="model", contents="Nobody asked.")
    assert caught.value.code == 404
    assert caught.value.status == "NOT_FOUND"


def test_a_gemini_stream_without_events_is_one_json_array(url: str) -> None:
    asked = json.dumps({"contents": [{"parts": [{"text": "Think."}]}]}).encode()
    request = urllib.request.Request(f"{url}/v1beta/models/model:streamGenerateContent", asked)
    with urllib.request.urlopen(request) as response:
        assert response.headers["content-type"] == "application/json"
        chunks = json.load(response)
    assert len(chunks) > 40
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"


# --- OpenAI and Mistral


def test_openai_s_client_gets_tool_calls_whole_and_in_pieces(to_openai: openai.OpenAI) -> None:
    messages = user("How is the weather?")
    whole = to_openai.chat.completions.create(
        model="model", messages=messages, tools=OPENAI_TOOLS
    ).choices[0]
    with to_openai.chat.completions.stream(
        model="model", messages=messages, tools=OPENAI_TOOLS
    ) as stream:
        pieces = [event for event in stream if event.type.endswith("arguments.delta")]
        streamed = stream.get_final_completion().choices[0]
    assert len(pieces) > 10
    choices: list[Any] = [whole, streamed]
    for choice in choices:
        assert choice.finish_reason == "tool_calls"
        assert choice.message.content is None or choice.message.content == ""
        calls = [call for call in choice.message.tool_calls or () if call.type == "function"]
        assert [json.loads(call.function.arguments) for call in calls] == ARGUMENTS
        assert calls[0].id == "call_a"
        assert calls[1].id


def test_openai_s_client_gets_thoughts_and_their_tokens(to_openai: openai.OpenAI) -> None:
    answer = to_openai.chat.completions.create(model="model", messages=user("Think."))
    assert answer.choices[0].message.model_dump()["reasoning_content"] == THOUGHT
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 40
    with to_openai.chat.completions.create(
        model="model", messages=user("Think."), stream=True
    ) as stream:
        deltas = [c.choices[0].delta.model_dump() for c in stream if c.choices]
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == THOUGHT
    assert "".join(delta.get("content") or "" for delta in deltas) == TEXT


def test_mistral_s_client_gets_text_calls_streams_and_models(to_mistral: Mistral) -> None:
    messages: list[Any] = [{"role": "system", "content": "Answer briefly."}, *user("Which rivers?")]
    answer = to_mistral.chat.complete(model="model", messages=messages)
    assert answer.choices[0].message is not None
    assert answer.choices[0].message.content == TEXT
    assert answer.usage.completion_tokens == 8
    stream = to_mistral.chat.stream(model="model", messages=messages)
    text = "".join(str(event.data.choices[0].delta.content or "") for event in stream)
    assert text == TEXT
    called = to_mistral.chat.complete(
        model="model", messages=user("How is the weather?"), tools=OPENAI_TOOLS
    )
    message = called.choices[0].message
    assert message is not None
    calls = message.tool_calls or []
    assert [call.function.name for call in calls] == ["weather", "weather"]
    listed: list[Any] = list(to_mistral.models.list().data or [])
    assert [model.id for model in listed] == ["model"]

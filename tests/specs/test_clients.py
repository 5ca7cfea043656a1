"""The four providers' own clients send back what the emulator gave them, and are understood."""

from __future__ import annotations

import base64
import os
import warnings
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pydantic
import pytest

from cascade.emulator import Emulator, PrefixCache
from cascade.learning.trace import RecordedAnswer, Recording, Row
from cascade.types import Image, Message, Text, ToolCall
from tests.serving import running

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # their own, at import
    from google import genai
    from google.genai import types as genai_types
    from mistralai.client import Mistral

PIXEL = base64.b64encode(b"no picture, yet bytes").decode()
PICTURE = f"data:image/png;base64,{PIXEL}"
WEATHER = "How is the weather?"
LONG = "river " * 3000
CALLS = (
    ToolCall("call_a", "weather", '{"city":"Koblenz"}'),
    ToolCall("call_b", "weather", '{"city":"Trier"}'),
)
RESULTS = {"call_a": "sun", "call_b": "rain"}


class Answer(pydantic.BaseModel):
    """What is asked for as structured output."""

    rivers: list[str]


STRUCTURED = '{"rivers":["Rhine","Moselle"]}'
THANKS = (
    Message("user", "Which rivers?"),
    Message("assistant", STRUCTURED),
    Message("user", "Thanks."),
)
AGENT = (
    Message("user", WEATHER),
    Message("assistant", None, tool_calls=CALLS),
    *(Message("tool", text, tool_call_id=name) for name, text in RESULTS.items()),
)
SEEN = (Message("user", (Text("What is this?"), Image(PICTURE))),)


def _row(text: str, *messages: Message, **more: Any) -> Row:
    answer = RecordedAnswer(text=text, input_tokens=3000, output_tokens=6, **more)
    return Row(prompt=messages[-1].text, messages=messages, answers={"gpt-4o": answer})


RECORDING = Recording(
    [
        _row(STRUCTURED, *THANKS[:1], mean_logprob=-0.25, reasoning="Two.", reasoning_tokens=1),
        _row("You are welcome.", *THANKS),
        _row("", *AGENT[:1], tool_calls=CALLS),
        _row("Sun and rain.", *AGENT),
        _row("A pixel.", *SEEN),
        _row("Long.", Message("user", LONG)),
    ]
)
MODEL = "gpt-4o"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}


def asking(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    emulator = Emulator(RECORDING, 0, prefix_cache=PrefixCache())
    with pytest.MonkeyPatch.context() as patch, running(emulator) as address:
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            patch.delenv(name)  # nothing leaves the loopback
        yield address


@pytest.fixture
def to_openai(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        yield client


@pytest.fixture
def to_anthropic(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="x", max_retries=0) as client:
        yield client


@pytest.fixture
def to_gemini(url: str) -> Iterator[genai.Client]:
    client = genai.Client(api_key="x", http_options=genai_types.HttpOptions(base_url=url))
    yield client
    client.close()


@pytest.fixture
def to_mistral(url: str) -> Iterator[Mistral]:
    with Mistral(api_key="x", server_url=url) as client:
        yield client


# --- OpenAI's


def _as_it_is(message: Any) -> Any:
    return message


def _dumped(message: Any) -> Any:
    return message.model_dump()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("back", [_as_it_is, _dumped])
def test_openais_client_runs_tools(to_openai: openai.OpenAI, back: Any, streamed: bool) -> None:
    chat = to_openai.chat.completions
    asked: dict[str, Any] = {"model": MODEL, "messages": asking(WEATHER), "tools": [TOOL]}
    if streamed:
        with chat.stream(**asked) as stream:
            message: Any = stream.get_final_completion().choices[0].message
    else:
        message = chat.create(**asked).choices[0].message
    results: list[Any] = [
        {"role": "tool", "tool_call_id": call.id, "content": RESULTS[call.id]}
        for call in message.tool_calls or []
    ]
    asked["messages"] = [*asking(WEATHER), back(message), *results]
    assert chat.create(**asked).choices[0].message.content == "Sun and rain."


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # the client's own
@pytest.mark.parametrize("back", [_as_it_is, _dumped])
def test_openais_client_reads_structured_outputs_and_goes_on(
    to_openai: openai.OpenAI, back: Any
) -> None:
    chat = to_openai.chat.completions
    message = (
        chat.parse(model=MODEL, messages=asking("Which rivers?"), response_format=Answer)
        .choices[0]
        .message
    )
    assert message.parsed == Answer(rivers=["Rhine", "Moselle"])
    messages = [*asking("Which rivers?"), back(message), *asking("Thanks.")]
    assert chat.create(model=MODEL, messages=messages).choices[0].message.content == (
        "You are welcome."
    )


def test_openais_client_gets_log_probabilities_whole_and_streamed(
    to_openai: openai.OpenAI,
) -> None:
    chat = to_openai.chat.completions
    asked: dict[str, Any] = {"model": MODEL, "messages": asking("Which rivers?")}
    asked |= {"logprobs": True, "top_logprobs": 1}
    whole = chat.create(**asked).choices[0].logprobs
    assert whole is not None
    with chat.create(**asked, stream=True) as stream:
        chunks = [chunk.choices[0].logprobs for chunk in stream if chunk.choices]
    streamed = [each for chunk in chunks if chunk is not None for each in chunk.content or []]
    for tokens in (whole.content or [], streamed):
        assert "".join(token.token for token in tokens) == STRUCTURED
        assert {token.logprob for token in tokens} == {-0.25}
        assert all(len(token.top_logprobs) == 1 for token in tokens)


def test_openais_client_sends_images_and_hears_of_cached_tokens(to_openai: openai.OpenAI) -> None:
    chat = to_openai.chat.completions
    image = {"type": "image_url", "image_url": {"url": PICTURE, "detail": "auto"}}
    content: Any = [{"type": "text", "text": "What is this?"}, image]
    seen = chat.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert seen.choices[0].message.content == "A pixel."
    first, second = (chat.create(model=MODEL, messages=asking(LONG)).usage for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.prompt_tokens == second.prompt_tokens == 3000
    assert second.prompt_tokens_details is not None
    assert second.prompt_tokens_details.cached_tokens == 2944


# --- Anthropic's


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("back", [_as_it_is, _dumped])
def test_anthropics_client_runs_tools(
    to_anthropic: anthropic.Anthropic, back: Any, streamed: bool
) -> None:
    asked: dict[str, Any] = {"model": MODEL, "max_tokens": 100, "messages": asking(WEATHER)}
    asked["tools"] = [{"name": "weather", "input_schema": SCHEMA}]
    if streamed:
        with to_anthropic.messages.stream(**asked) as stream:
            answer: Any = stream.get_final_message()
    else:
        answer = to_anthropic.messages.create(**asked)
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": RESULTS[block.id]}
        for block in answer.content
    ]
    said = {"role": "assistant", "content": [back(block) for block in answer.content]}
    asked["messages"] = [*asking(WEATHER), said, {"role": "user", "content": results}]
    last: Any = to_anthropic.messages.create(**asked)
    assert last.content[0].text == "Sun and rain."


@pytest.mark.parametrize("back", [_as_it_is, _dumped])
def test_anthropics_client_reads_structured_outputs_and_goes_on(
    to_anthropic: anthropic.Anthropic, back: Any
) -> None:
    answer = to_anthropic.messages.parse(
        model=MODEL, max_tokens=100, messages=asking("Which rivers?"), output_format=Answer
    )
    assert answer.parsed_output == Answer(rivers=["Rhine", "Moselle"])
    assert [block.type for block in answer.content] == ["thinking", "text"]
    said: Any = {"role": "assistant", "content": [back(block) for block in answer.content]}
    messages = [*asking("Which rivers?"), said, *asking("Thanks.")]
    last: Any = to_anthropic.messages.create(model=MODEL, max_tokens=100, messages=messages)
    assert last.content[0].text == "You are welcome."


def test_anthropics_client_sends_images_and_hears_of_cached_tokens(
    to_anthropic: anthropic.Anthropic,
) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content: Any = [{"type": "text", "text": "What is this?"}, {"type": "image", "source": source}]
    messages: list[Any] = [{"role": "user", "content": content}]
    seen: Any = to_anthropic.messages.create(model=MODEL, max_tokens=9, messages=messages)
    assert seen.content[0].text == "A pixel."
    marked: Any = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    messages = [{"role": "user", "content": marked}]
    first, second = (
        to_anthropic.messages.create(model=MODEL, max_tokens=9, messages=messages).usage
        for _ in range(2)
    )
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens) == (3000, 0)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (0, 3000)


# --- Google's


def test_googles_client_runs_tools_by_itself(to_gemini: genai.Client) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        return {"Koblenz": "sun", "Trier": "rain"}[city]

    chat = to_gemini.chats.create(
        model=MODEL, config=genai_types.GenerateContentConfig(tools=[weather])
    )
    assert chat.send_message(WEATHER).text == "Sun and rain."


def test_googles_client_reads_structured_outputs_and_goes_on(to_gemini: genai.Client) -> None:
    config = genai_types.GenerateContentConfig(
        response_mime_type="application/json",
        response_schema=Answer,
        response_logprobs=True,
        logprobs=1,
    )
    chat = to_gemini.chats.create(model=MODEL, config=config)
    answer = chat.send_message("Which rivers?")
    assert answer.parsed == Answer(rivers=["Rhine", "Moselle"])
    (candidate,) = answer.candidates or []
    assert candidate.logprobs_result is not None
    chosen = candidate.logprobs_result.chosen_candidates or []
    assert "".join(each.token or "" for each in chosen) == STRUCTURED
    assert {each.log_probability for each in chosen} == {-0.25}
    streamed = [chunk.text or "" for chunk in chat.send_message_stream("Thanks.")]
    assert "".join(streamed) == "You are welcome."


def test_googles_client_sends_images_and_hears_of_cached_tokens(to_gemini: genai.Client) -> None:
    image = genai_types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    contents: Any = ["What is this?", image]
    assert to_gemini.models.generate_content(model=MODEL, contents=contents).text == "A pixel."
    for cached in (None, 3000):
        answer = to_gemini.models.generate_content(model=MODEL, contents=LONG)
        assert answer.usage_metadata is not None
        assert answer.usage_metadata.prompt_token_count == 3000
        assert (answer.usage_metadata.cached_content_token_count is None) == (cached is None)


# --- Mistral's


@pytest.mark.parametrize("streamed", [False, True])
def test_mistrals_client_runs_tools(to_mistral: Mistral, streamed: bool) -> None:
    asked: dict[str, Any] = {"model": MODEL, "messages": asking(WEATHER), "tools": [TOOL]}
    asked |= {"tool_choice": "any", "random_seed": 7, "safe_prompt": False}
    calls: list[Any] = []
    if streamed:
        for event in to_mistral.chat.stream(**asked):
            calls += event.data.choices[0].delta.tool_calls or []
        said: Any = {"role": "assistant", "content": "", "tool_calls": calls}
    else:
        said = to_mistral.chat.complete(**asked).choices[0].message
    results: list[Any] = [
        {"role": "tool", "name": "weather", "tool_call_id": name, "content": text}
        for name, text in RESULTS.items()
    ]
    asked["messages"] = [*asking(WEATHER), said, *results]
    answer = to_mistral.chat.complete(**asked).choices[0].message
    assert answer is not None
    assert answer.content == "Sun and rain."


def test_mistrals_client_reads_structured_outputs_and_goes_on(to_mistral: Mistral) -> None:
    parsed = to_mistral.chat.parse(
        model=MODEL, messages=asking("Which rivers?"), response_format=Answer
    )
    message: Any = (parsed.choices or [])[0].message
    assert message.parsed == Answer(rivers=["Rhine", "Moselle"])
    answer: Any = to_mistral.chat.complete(
        model=MODEL, messages=[*asking("Which rivers?"), message, *asking("Thanks.")]
    )
    assert answer.choices[0].message.content == "You are welcome."


def test_mistrals_client_sends_images_and_finds_models(to_mistral: Mistral) -> None:
    content: Any = [{"type": "text", "text": "What is this?"}]
    content.append({"type": "image_url", "image_url": PICTURE})
    messages: list[Any] = [{"role": "user", "content": content}]
    seen: Any = to_mistral.chat.complete(model=MODEL, messages=messages)
    assert seen.choices[0].message.content == "A pixel."
    found: Any = to_mistral.models.retrieve(model_id=MODEL)
    assert found.id == MODEL

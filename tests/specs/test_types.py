"""The four providers' own types know every field that the emulator writes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import anthropic.types as anthropic_types
import httpx
import openai.types as openai_types
import openai.types.chat as chat_types
import pydantic
import pytest

from cascade.emulator import Emulator, PrefixCache
from cascade.wire.sse import SseReader
from tests.serving import running
from tests.specs.asking import MODEL, PROMPTS, RECORDING

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # their own, at import
    from google.genai import types as genai_types
    from mistralai.client import models as mistral_types

THOUGHTS = {"reasoning_content"}
"""Where OpenAI's own answers have no thoughts, other providers of its protocol have them so."""

OPENAIS = {"content", "refusal", "prompt_tokens_details", "completion_tokens_details"}
"""What OpenAI has and Mistral has not: log-probabilities are null or hold ``content``."""

MISTRALS = {"type", "capabilities"}
"""What Mistral's list of models has and OpenAI's has not."""

LIFETIMES = {"cache_creation"}
"""How long what was written to the cache lives: where a stream's usage is known at its end only,
its last event has to say it, as the first would."""

AS_MISTRAL = {"user-agent": "mistral-client-python/3"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(Emulator(RECORDING, 0, prefix_cache=PrefixCache())) as address:
        yield address


def strangers(kind: type[pydantic.BaseModel], body: Any) -> set[str]:
    """The keys of a body that a type does not know, at any depth; it has to take the body."""
    return _beyond(body, kind.model_validate(body))


def _beyond(body: Any, read: Any) -> set[str]:
    if isinstance(body, list) and isinstance(read, list):
        return {key for pair in zip(body, read, strict=True) for key in _beyond(*pair)}
    if not isinstance(body, dict) or not isinstance(read, pydantic.BaseModel):
        return set()
    known = {name: name for name in type(read).model_fields}
    known |= {each.alias: name for name, each in type(read).model_fields.items() if each.alias}
    found = {key for key in body if key not in known}
    for key in body.keys() - found:
        found |= _beyond(body[key], getattr(read, known[key]))
    return found


def asked(
    http: httpx.Client, url: str, path: str, body: Any = None, **headers: str
) -> httpx.Response:
    method = "GET" if body is None else "POST"
    response = http.request(method, url + path, json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response


def chat(prompt: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": MODEL, "messages": messages, "logprobs": True, "top_logprobs": 1}


def contents(prompt: str) -> dict[str, Any]:
    config = {"responseLogprobs": True, "logprobs": 1}
    parts = [{"text": prompt}]
    return {"contents": [{"role": "user", "parts": parts}], "generationConfig": config}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_openais_and_mistrals_types_know_whole_answers(
    http: httpx.Client, url: str, prompt: str
) -> None:
    path = "/v1/chat/completions"
    body = asked(http, url, path, chat(prompt)).json()
    assert strangers(chat_types.ChatCompletion, body) <= THOUGHTS
    body = asked(http, url, path, chat(prompt), **AS_MISTRAL).json()
    assert strangers(mistral_types.ChatCompletionResponse, body) <= THOUGHTS | OPENAIS


@pytest.mark.parametrize("prompt", PROMPTS)
def test_openais_and_mistrals_types_know_chunks(http: httpx.Client, url: str, prompt: str) -> None:
    body = chat(prompt) | {"stream": True, "stream_options": {"include_usage": True}}
    for headers, kind, beyond in (
        ({}, chat_types.ChatCompletionChunk, THOUGHTS),
        (AS_MISTRAL, mistral_types.CompletionChunk, THOUGHTS | OPENAIS),
    ):
        events = SseReader().feed(asked(http, url, "/v1/chat/completions", body, **headers).content)
        assert events.pop().data == b"[DONE]"
        for event in events:
            assert strangers(kind, json.loads(event.data)) <= beyond


@pytest.mark.parametrize("prompt", PROMPTS)
def test_anthropics_types_know_whole_answers_and_events(
    http: httpx.Client, url: str, prompt: str
) -> None:
    body = {"model": MODEL, "max_tokens": 1000, "messages": chat(prompt)["messages"]}
    assert not strangers(anthropic_types.Message, asked(http, url, "/v1/messages", body).json())
    streamed = asked(http, url, "/v1/messages", body | {"stream": True}).content
    event_of: Any = pydantic.TypeAdapter(anthropic_types.RawMessageStreamEvent)
    for event in SseReader().feed(streamed):
        data = json.loads(event.data)
        assert _beyond(data, event_of.validate_python(data)) <= LIFETIMES


@pytest.mark.parametrize("prompt", PROMPTS)
def test_googles_types_know_whole_answers_and_chunks(
    http: httpx.Client, url: str, prompt: str
) -> None:
    path = f"/v1beta/models/{MODEL}"
    whole = asked(http, url, f"{path}:generateContent", contents(prompt)).json()
    chunks = asked(http, url, f"{path}:streamGenerateContent", contents(prompt)).json()
    assert len(chunks) >= 1
    for body in (whole, *chunks):
        assert not strangers(genai_types.GenerateContentResponse, body)


def test_the_types_know_models_and_counts(http: httpx.Client, url: str) -> None:
    bearer, key = {"authorization": "Bearer x"}, {"x-api-key": "x"}
    model = asked(http, url, f"/v1/models/{MODEL}", **bearer).json()
    assert strangers(openai_types.Model, model) <= MISTRALS
    listed = asked(http, url, "/v1/models", **bearer).json()
    assert not strangers(mistral_types.ModelList, listed)
    assert not strangers(
        anthropic_types.ModelInfo, asked(http, url, f"/v1/models/{MODEL}", **key).json()
    )
    body = {"model": MODEL, "messages": chat("Think.")["messages"]}
    counted = asked(http, url, "/v1/messages/count_tokens", body).json()
    assert not strangers(anthropic_types.MessageTokensCount, counted)
    path = f"/v1beta/models/{MODEL}:countTokens"
    counted = asked(http, url, path, {"contents": contents("Think.")["contents"]}).json()
    assert not strangers(genai_types.CountTokensResponse, counted)

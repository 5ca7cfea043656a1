"""What the documents allow is taken as part of the request, as bookkeeping that changes no answer,
or not at all, and then the error names it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cascade.emulator import Emulator
from cascade.types import ProtocolName
from tests.serving import running
from tests.specs.asking import MODEL, RECORDING
from tests.specs.checking import check_error

FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {}}}
TOOL = {"type": "function", "function": FUNCTION}
PART = {"type": "text", "text": "Think."}
CASES: dict[ProtocolName, tuple[dict[str, Any], dict[str, Any]]] = {
    "openai": (
        {
            "frequency_penalty": 0.5,
            "logit_bias": {"50256": -100},
            "logprobs": True,
            "max_completion_tokens": 100,
            "metadata": {"purpose": "test"},
            "modalities": ["text"],
            "n": 1,
            "parallel_tool_calls": False,
            "prompt_cache_key": "k",
            "prompt_cache_retention": "24h",
            "random_seed": 7,
            "reasoning_effort": "minimal",
            "response_format": {"type": "json_object"},
            "safe_prompt": False,
            "safety_identifier": "s",
            "seed": 7,
            "service_tier": "auto",
            "stop": ["x"],
            "store": True,
            "temperature": 0,
            "tools": [TOOL],
            "top_p": 0.5,
            "user": "u",
        },
        {
            "audio": {"voice": "alloy", "format": "wav"},
            "functions": [FUNCTION],
            "function_call": "auto",
            "modalities": ["text", "audio"],
            "n": 2,
            "prediction": {"type": "content", "content": "x"},
            "prompt_mode": "reasoning",
            "safe_prompt": True,
            "tool_choice": {"type": "custom", "custom": {"name": "f"}},
            "tools": [{"type": "custom", "custom": {"name": "f"}}],
            "web_search_options": {},
            "nobody_knows_this": 1,
        },
    ),
    "anthropic": (
        {
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
            "context_management": {"edits": []},
            "metadata": {"user_id": "u"},
            "output_config": {"effort": "low"},
            "service_tier": "standard_only",
            "stop_sequences": ["x"],
            "temperature": 1,
            "thinking": {"type": "adaptive"},
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            "tools": [{"name": "f", "input_schema": {"type": "object"}}],
            "top_k": 5,
            "top_p": 0.5,
        },
        {
            "container": "c",
            "inference_geo": "us",
            "mcp_servers": [{"type": "url", "url": "https://example.com", "name": "m"}],
            "tools": [{"type": "web_search_20250305", "name": "web_search"}],
            "nobody_knows_this": 1,
        },
    ),
    "gemini": (
        {
            "generationConfig": {"topK": 40.0, "candidateCount": 1, "seed": 7},
            "labels": {"purpose": "test"},
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
            "serviceTier": "standard",
            "store": False,
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
            "tools": [{"functionDeclarations": [FUNCTION]}],
        },
        {
            "cachedContent": "cachedContents/x",
            "generationConfig": {"candidateCount": 2},
            "safetySettings": [
                {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_LOW_AND_ABOVE"}
            ],
            "toolConfig": {"retrievalConfig": {"languageCode": "en"}},
            "tools": [{"googleSearch": {}}],
            "nobodyKnowsThis": 1,
        },
    ),
}
TAKEN = [(protocol, *each) for protocol, (taken, _) in CASES.items() for each in taken.items()]
REFUSED = [
    (protocol, *each) for protocol, (_, refused) in CASES.items() for each in refused.items()
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(Emulator(RECORDING, 0)) as address:
        yield address


def post(
    http: httpx.Client, url: str, protocol: ProtocolName, more: dict[str, Any]
) -> httpx.Response:
    if protocol == "gemini":
        contents = [{"role": "user", "parts": [{"text": "Think."}]}]
        path = f"/v1beta/models/{MODEL}:generateContent"
        body: dict[str, Any] = {"contents": contents}
    else:
        path = "/v1/messages" if protocol == "anthropic" else "/v1/chat/completions"
        body = {"model": MODEL, "messages": [{"role": "user", "content": [PART]}]}
        body |= {"max_tokens": 1000} if protocol == "anthropic" else {}
    return http.post(url + path, json=body | more)


@pytest.mark.parametrize(("protocol", "name", "value"), TAKEN)
def test_what_clients_commonly_send_is_taken(
    http: httpx.Client, url: str, protocol: ProtocolName, name: str, value: Any
) -> None:
    response = post(http, url, protocol, {name: value})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(("protocol", "name", "value"), REFUSED)
def test_what_cascade_cannot_keep_is_refused_by_name(
    http: httpx.Client, url: str, protocol: ProtocolName, name: str, value: Any
) -> None:
    response = post(http, url, protocol, {name: value})
    assert response.status_code == 400
    assert name in check_error(protocol, 400, response.json())

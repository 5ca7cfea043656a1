"""Whatever is wrong with a request, it is the caller's error in the protocol's shape, and short."""

from __future__ import annotations

import copy
import itertools
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.server.clients import PROTOCOLS, target
from tests.server.kit import EASY, KEY

PLAIN_SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
OPTIONS = {"deadline": 5, "ladder": "default", "cache": "use", "delivery": "live", "events": True}
FULL: dict[str, dict[str, Any]] = {
    "openai": {
        "model": "auto",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": EASY}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": "c", "content": "r"},
        ],
        "max_tokens": 10,
        "temperature": 0.5,
        "stop": ["a"],
        "logprobs": True,
        "top_logprobs": 2,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": PLAIN_SCHEMA}}],
        "tool_choice": "auto",
        "stream": False,
        "stream_options": {"include_usage": True},
        "cascade": OPTIONS,
    },
    "anthropic": {
        "model": "auto",
        "max_tokens": 10,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": EASY},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "c", "content": "r"}],
            },
        ],
        "top_k": 5,
        "stop_sequences": ["a"],
        "tools": [{"name": "f", "input_schema": PLAIN_SCHEMA}],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "cascade": OPTIONS,
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": EASY}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
        ],
        "systemInstruction": {"parts": [{"text": "s"}]},
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": PLAIN_SCHEMA}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        "generationConfig": {
            "temperature": 0.5,
            "maxOutputTokens": 10,
            "stopSequences": ["a"],
            "responseLogprobs": True,
            "thinkingConfig": {"thinkingBudget": 5},
        },
        "cascade": OPTIONS,
    },
}
WRONG: list[Any] = [
    None,
    True,
    -1,
    2**70,
    1.5,
    "",
    "\x00",
    "x" * 300,
    [],
    {},
    [{}],
    {"x" * 5_000: 1},
]


@pytest.fixture
def url(shared_url: str) -> str:
    return shared_url


def said(protocol: str, response: httpx.Response) -> str:
    """Check that it is an error of the protocol's shape; return what it says."""
    body = response.json()
    error = body["error"]
    if protocol == "gemini":
        assert error["code"] == response.status_code
        assert error["status"].isupper()
    elif protocol == "anthropic":
        assert body["type"] == "error"
        assert error["type"]
    else:
        assert set(error) == {"message", "type", "param", "code"}
    assert KEY not in response.text
    message: str = error["message"]
    assert message
    return message


def changed(whole: Any, place: tuple[Any, ...], value: object) -> Any:
    copied = copy.deepcopy(whole)
    inner = copied
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copied


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key in value if isinstance(value, dict) else range(len(value)):
        yield (*at, key)
        if isinstance(value[key], dict | list):
            yield from places(value[key], (*at, key))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_wrong_value_at_any_place_is_never_the_servers_error(
    protocol: str, http: httpx.Client
) -> None:
    refused = 0
    http.headers["cache-control"] = "only-if-cached"  # nobody is to be called for a right one
    for place, value in itertools.product(places(FULL[protocol]), WRONG):
        response = http.post(target(protocol), json=changed(FULL[protocol], place, value))
        if response.status_code == 504:
            assert "nothing is stored" in said(protocol, response)
            continue
        assert response.status_code in (400, 404), (place, value, response.text)
        assert len(said(protocol, response)) < 600, (place, value)
        refused += 1
    assert refused > 200


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "", "a/b;c=\xff"]
)
def test_the_body_is_what_counts_and_not_the_content_type(
    protocol: str, kind: str, http: httpx.Client
) -> None:
    content = json.dumps(FULL[protocol] | {"cascade": {"colour": "red"}}).encode()
    headers = {b"content-type": kind.encode("latin-1")}
    response = http.post(target(protocol), content=content, headers=headers)
    assert response.status_code == 400
    assert "cascade.colour" in said(protocol, response)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_long_path_is_not_repeated_whole(protocol: str, http: httpx.Client) -> None:
    headers = {
        "openai": {},
        "anthropic": {"anthropic-version": "2023-06-01"},
        "gemini": {"x-goog-api-key": "unused"},
    }[protocol]
    for path in ("/" + "a" * 20_000, "/v1/models/" + "a" * 20_000):
        response = http.delete(path, headers=headers)
        assert response.status_code in (404, 405)
        assert len(said(protocol, response)) < 600


def test_what_is_no_http_is_refused_and_the_server_lives(http: httpx.Client, url: str) -> None:
    parts = urlsplit(url)
    for data in (b"\x16\x03\x01\x00\xa5\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"FOO\r\n\r\n"):
        with socket.create_connection((parts.hostname or "", parts.port or 0), 5) as peer:
            peer.sendall(data)
            assert peer.recv(1_000).startswith(b"HTTP/1.1 400 ")
    assert http.get("/health/liveness").status_code == 200

"""A request for a count is read as the request for an answer that it stands for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cascade.types import ProtocolName, Request
from cascade.wire.codecs import CODECS
from cascade.wire.counting import counted_body, to_answer

GEMINI: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Why?"}]}]}
ANTHROPIC: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Why?"}]}


def read(protocol: ProtocolName, body: object, path: str) -> Request:
    return (
        CODECS[protocol]
        .decode_request(*to_answer(protocol, json.dumps(body).encode(), path))
        .request
    )


@pytest.mark.parametrize(
    ("protocol", "body", "path"),
    [
        ("anthropic", ANTHROPIC, "/v1/messages/count_tokens"),
        ("anthropic", ANTHROPIC | {"max_tokens": 7}, "/v1/messages/count_tokens"),
        ("gemini", GEMINI, "/v1beta/models/m:countTokens"),
        ("gemini", {"generateContentRequest": GEMINI}, "/v1/models/m:countTokens"),
        ("gemini", GEMINI, "/v1/models/a:countTokens/m:countTokens"),
    ],
)
def test_it_is_read_as_a_request_for_an_answer(
    protocol: ProtocolName, body: object, path: str
) -> None:
    assert [message.text for message in read(protocol, body, path).messages] == ["Why?"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 5_000])
@pytest.mark.parametrize("protocol", ["anthropic", "gemini"])
def test_what_is_no_object_is_left_to_the_codec(protocol: ProtocolName, body: bytes) -> None:
    assert to_answer(protocol, body, "/v1/models/m:countTokens")[0] == body


def test_the_count_stands_under_the_protocols_own_name() -> None:
    assert json.loads(counted_body("anthropic", 7)) == {"input_tokens": 7}
    assert json.loads(counted_body("gemini", 7)) == {"totalTokens": 7}

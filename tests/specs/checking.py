"""What has to hold of a response, whatever was asked.

Of schemathesis' checks three are meant for every response: no server error, a documented content
type, a body of the documented form. The documented status codes are checked where a document has
any: OpenAI's and Google's list 200 alone, and both answer others. That valid data is accepted is
no check of theirs here: cascade refuses some of it by name; ``test_refusals`` lists what.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

import jsonschema_rs
import msgspec
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cascade.types import ProtocolName
from cascade.wire.anthropic import request_shapes as anthropic_shapes
from cascade.wire.gemini import request_shapes as gemini_shapes
from cascade.wire.openai_chat import request_shapes as openai_shapes
from cascade.wire.sse import SseReader
from tests.specs.asking import Request
from tests.specs.documents import document, of_error, of_event, validator

CASES = int(os.environ.get("CASCADE_CASES", "5"))
"""Requests to each operation; more of them with the environment variable."""

GENERATED = settings(
    max_examples=CASES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

_CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
_DONE = b"[DONE]"


def check(protocol: ProtocolName, case: Request, response: Any) -> None:
    """Check a response to a generated request; events of a stream one by one."""
    checks = [*_CHECKS, status_code_conformance] if protocol == "anthropic" else _CHECKS
    case.validate_response(response, checks=checks)
    if response.status_code >= 400:
        check_error(protocol, response.status_code, response.json())
    elif "text/event-stream" in response.headers["content-type"][0]:
        check_events(protocol, response.content)


def check_answer(protocol: ProtocolName, name: str, body: Any) -> None:
    """Check a whole answer against the document, which knows nothing of ``cascade``."""
    operation = document(protocol)["paths"][name.partition(" ")[2]]["post"]
    described = operation["responses"]["200"]["content"]["application/json"]["schema"]
    if described.get("type") == "array":
        described = described["items"]
    validator(protocol, described["$ref"].rpartition("/")[2]).validate(body)


def check_error(protocol: ProtocolName, status: int, body: Any) -> str:
    """Check that an error has the protocol's form; return what it says."""
    if (form := of_error(protocol)) is not None:
        form.validate(body)
    error = body["error"]
    if protocol == "gemini":
        assert error["code"] == status
        assert error["status"].isupper()
        if status == 400:
            assert error["details"][0]["metadata"]["param"] is not None
    if protocol == "openai" and status == 400:
        assert error["param"] is not None
    assert error["message"]
    return str(error["message"])


def check_events(protocol: ProtocolName, body: bytes) -> None:
    """Check each event of a stream against the document, and that it comes to its end."""
    events = SseReader().feed(body)
    if protocol == "openai":
        assert events.pop().data == _DONE
    for event in events:
        data = json.loads(event.data)
        of_event(protocol).validate(data)
        if protocol == "anthropic":
            assert event.event == data["type"]
    if protocol == "anthropic":
        assert events[-1].event == "message_stop"


def mistakes(protocol: ProtocolName, name: str, sent: bytes | None) -> list[str]:
    """Where a body breaks the document's word, as far as a reader has to mind it.

    Null stands for what is not there, as clients send it to most providers. What is only accepted
    and dropped may say anything, and efforts have other names at other providers.
    """
    try:
        body = _without_nulls(json.loads(sent or b""))
    except ValueError:
        return ["body"]
    found = _form(protocol, name.partition(" ")[2]).iter_errors(body)
    places = [list(map(str, error.instance_path)) for error in found]
    return [".".join(place) for place in places if not _FREE & set(place)]


@cache
def _form(protocol: ProtocolName, path: str) -> Any:
    wanted = document(protocol)["paths"][path]["post"]["requestBody"]["content"]
    components = document(protocol)["components"]
    form = wanted["application/json"]["schema"] | {"components": components}
    return jsonschema_rs.Draft202012Validator(form)


def _ignored() -> set[str]:
    """The names of all that the readers take and pass on to nobody: it may say anything."""
    shapes = (
        shape
        for module in (anthropic_shapes, gemini_shapes, openai_shapes)
        for shape in vars(module).values()
        if isinstance(shape, type) and issubclass(shape, msgspec.Struct)
    )
    fields = (field for shape in shapes for field in msgspec.structs.fields(shape))
    return {
        field.encode_name
        for field in fields
        if field.type is msgspec.Raw and field.default is not msgspec.NODEFAULT
    }


_FREE = frozenset({"reasoning_effort", "mediaResolution", "serviceTier", *_ignored()})


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value

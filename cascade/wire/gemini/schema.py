"""Google's own dialect of schemas, a part of OpenAPI's, as JSON Schema."""

from __future__ import annotations

from typing import Any

from cascade.wire.gemini.spelling import camel_case

__all__ = ["json_schema"]

_UNSPECIFIED = "TYPE_UNSPECIFIED"
_COUNTS = frozenset(
    {"maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties"}
)
_ONE = frozenset({"items", "additionalProperties"})
_MANY = frozenset({"anyOf", "prefixItems"})
_NAMED = frozenset({"properties", "$defs"})


def json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema in JSON Schema's words: types in lower case, ``nullable`` as a type of its
    own, counts (which come as texts) as numbers, ``example`` as ``examples``.

    What the dialect does not have stays as it is, so JSON Schema itself comes out unchanged.
    """
    found: dict[str, Any] = {}
    nullable = False
    for key, value in schema.items():
        name = camel_case(key)
        if name == "nullable":
            nullable = value is True
        elif name == "type":
            if value != _UNSPECIFIED:
                found["type"] = _type(value)
        elif name == "example":
            found["examples"] = [value]
        else:
            found[name] = _value(name, value)
    return _or_null(found) if nullable else found


def _type(value: Any) -> Any:
    if isinstance(value, list):
        return [_type(each) for each in value]
    return value.lower() if isinstance(value, str) else value


def _value(name: str, value: Any) -> Any:
    if name in _COUNTS and isinstance(value, str) and value.isdecimal():
        return int(value)
    if name in _ONE and isinstance(value, dict):
        return json_schema(value)
    if name in _MANY and isinstance(value, list):
        return [_inner(each) for each in value]
    if name in _NAMED and isinstance(value, dict):
        return {key: _inner(each) for key, each in value.items()}
    return value


def _inner(value: Any) -> Any:
    return json_schema(value) if isinstance(value, dict) else value


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Let the schema allow null too, wherever it says what is allowed."""
    if "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    if isinstance(kind := schema.get("type"), str) and kind != "null":
        schema["type"] = [kind, "null"]
    if isinstance(values := schema.get("enum"), list) and None not in values:
        schema["enum"] = [*values, None]
    return schema

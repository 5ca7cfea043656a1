"""Tools and calls of tools as recordings have them, brought into OpenAI's shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cascade.errors import Mistake
from cascade.types import ToolCall

__all__ = ["calls_of", "tools_of"]

# The types that BFCL's function lists know beside those of JSON Schema; any type at all is told
# by naming none.
_TYPES = {
    "": None,
    "any": None,
    "array": "array",
    "arraylist": "array",
    "bigint": "integer",
    "bool": "boolean",
    "boolean": "boolean",
    "byte": "integer",
    "char": "string",
    "dict": "object",
    "double": "number",
    "float": "number",
    "hashmap": "object",
    "hashtable": "object",
    "list": "array",
    "long": "integer",
    "queue": "array",
    "set": "array",
    "short": "integer",
    "stack": "array",
    "string": "string",
    "tuple": "array",
}
_ARGUMENTS = ("arguments", "args", "input", "parameters")
_TOOL_MEND = 'Write {"type": "function", "function": {"name", "description", "parameters"}}'
_CALL_MEND = 'Write {"name", "arguments"}, OpenAI\'s shape, or {"NAME": {"ARGUMENT": value}}'


def tools_of(place: str, value: object) -> list[dict[str, Any]]:
    """Return the tools in OpenAI's shape; bare functions and lists of them are taken too.

    Raises:
        Mistake: it is no list of tools.
    """
    listed = [value] if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise Mistake(place, value, "it is no list of tools", _TOOL_MEND)
    return [_tool(f"{place}[{number}]", tool) for number, tool in enumerate(listed)]


def _tool(place: str, tool: object) -> dict[str, Any]:
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    if not (isinstance(function, dict) and isinstance(function.get("name"), str)):
        raise Mistake(place, tool, "it is no function with a name", _TOOL_MEND)
    kept: dict[str, Any] = {"name": function["name"]}
    for name in ("description", "strict"):
        if function.get(name) is not None:
            kept[name] = function[name]
    parameters = function.get("parameters", function.get("input_schema"))
    if parameters is not None:
        kept["parameters"] = _schema(parameters)
    return {"type": "function", "function": kept}


def _schema(schema: Any) -> Any:
    """Return a schema with the types that JSON Schema knows, all the way down."""
    if not isinstance(schema, dict):
        return schema
    mended = dict(schema)
    kind = mended.get("type")
    if isinstance(kind, str) and (lower := kind.lower()) in _TYPES:
        mended["type"] = _TYPES[lower]
        if mended["type"] is None:
            del mended["type"]
    for name in ("items", "additionalProperties"):
        if isinstance(mended.get(name), dict):
            mended[name] = _schema(mended[name])
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(mended.get(name), list):
            mended[name] = [_schema(each) for each in mended[name]]
    for name in ("properties", "$defs", "definitions"):
        if isinstance(mended.get(name), dict):
            mended[name] = {key: _schema(each) for key, each in mended[name].items()}
    return mended


def calls_of(place: str, value: object) -> tuple[ToolCall, ...]:
    """Return the tool calls. Those without an id have an empty one.

    Arguments that were recorded as text stay as the model wrote them.

    Raises:
        Mistake: it is no list of tool calls.
    """
    listed = [value] if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise Mistake(place, value, "it is no list of tool calls", _CALL_MEND)
    return tuple(_calls(place, listed))


def _calls(place: str, listed: Iterable[object]) -> Iterable[ToolCall]:
    for number, call in enumerate(listed):
        here = f"{place}[{number}]"
        if not isinstance(call, dict):
            raise Mistake(here, call, "it is no tool call", _CALL_MEND)
        function = call.get("function", call)
        id_ = call["id"] if isinstance(call.get("id"), str) else ""
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            given = next((function[name] for name in _ARGUMENTS if name in function), None)
            yield ToolCall(id_, function["name"], _arguments(here, given))
        elif all(isinstance(given, Mapping | str) for given in call.values()):
            for name, given in call.items():  # BFCL's: the name is the key
                yield ToolCall("", name, _arguments(here, given))
        else:
            raise Mistake(here, call, "it names no function", _CALL_MEND)


def _arguments(place: str, given: object) -> str:
    if isinstance(given, str):
        return given
    if given is None:
        return "{}"
    if not isinstance(given, dict):
        problem = "they are neither an object nor a text"
        raise Mistake(f"{place}.arguments", given, problem, _CALL_MEND)
    return msgspec.json.encode(given).decode()

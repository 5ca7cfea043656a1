"""The other spelling: every field may be written ``in_snake_case`` as well as ``inCamelCase``."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cascade.errors import RequestError

__all__ = ["camel_case", "in_camel_case"]

_SNAKE = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")
# What lies under these is the caller's own, whatever it is called.
_FREE = frozenset(
    {
        "args",
        "cascade",
        "labels",
        "parameters",
        "parametersJsonSchema",
        "partMetadata",
        "response",
        "responseJsonSchema",
        "responseSchema",
        "schema",
    }
)


def camel_case(name: str) -> str:
    """Return a field's name in the spelling of the documents."""
    return _SNAKE.sub(lambda found: found[1].upper(), name)


def in_camel_case(body: bytes) -> bytes:
    """Return a request with all its fields in the spelling of the documents; what cannot be read
    as JSON stays as it is.

    Raises:
        RequestError: a field is there in both spellings.
    """
    try:
        return msgspec.json.encode(_respelled(msgspec.json.decode(body), ""))
    except (ValueError, RecursionError) as error:
        if isinstance(error, RequestError):
            raise
        return body


def _respelled(value: Any, place: str) -> Any:
    if isinstance(value, list):
        return [_respelled(each, f"{place}[{number}]") for number, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, inner in value.items():
        name = camel_case(key)
        where = f"{place}.{name}" if place else name
        if name in found:
            raise RequestError(where, None, "it is given in two spellings", "Send one of them")
        found[name] = inner if name in _FREE else _respelled(inner, where)
    return found

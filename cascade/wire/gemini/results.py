"""A tool's result: a text inside, a JSON object on the wire.

``output`` and ``error`` are the keys that Google documents. A text that is an object in canonical
JSON goes as that object, any other under its key; so each text has one form and each form one text.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.wire.codec import canonical

__all__ = ["object_of", "result_of", "text_of"]

_any = msgspec.json.Decoder()
_OUTPUT = "output"
_ERROR = "error"


def object_of(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a text is; None where it is none."""
    try:
        found = _any.decode(text)
    except (ValueError, RecursionError):  # no JSON, or too deep to be read
        return None
    return found if isinstance(found, dict) else None


def result_of(text: str, is_error: bool) -> dict[str, Any]:
    """Write a tool's result as an object."""
    if is_error:
        return {_ERROR: text}
    found = object_of(text) if text.startswith("{") else None
    if found is None or _wrapped(found) is not None or canonical(found) != text.encode():
        return {_OUTPUT: text}
    return found


def text_of(result: dict[str, Any]) -> tuple[str, bool]:
    """Read a tool's result: its text, and whether it is an error."""
    key = _wrapped(result)
    return (canonical(result).decode(), False) if key is None else (result[key], key == _ERROR)


def _wrapped(found: dict[str, Any]) -> str | None:
    """The key that holds all there is, as a text."""
    key = next(iter(found), None)
    if len(found) == 1 and key in (_OUTPUT, _ERROR) and isinstance(found[key], str):
        return key
    return None

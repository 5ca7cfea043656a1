"""How long a prompt was, as an error says that calls it too long."""

from __future__ import annotations

import re

from cascade.wire.error_body import ErrorBody

__all__ = ["prompt_size"]

_COUNT = "([0-9][0-9,]{0,14})(?![0-9])"
_BEFORE_ITS_NAME = re.compile(
    f"{_COUNT} (?:in (?:the|your) (?:messages|prompt)|of (?:text|tool|image|audio) input)"
)
_NAMES_BEFORE = (
    "messages resulted in",
    "prompt (?:is )?too long:",
    "exceed context limit:",
    "input token count(?: is)?",
    "prompt contains",
    "request(?: has| contains)?",
    "you passed",
    "given:",
)
_AFTER_ITS_NAME = re.compile(f"(?:{'|'.join(_NAMES_BEFORE)}) \\(?{_COUNT}")


def prompt_size(error: ErrorBody) -> int | None:
    """Find the prompt's size in tokens in an error that calls it too long, without the room for
    the answer; None where it is not stated."""
    if error.tokens is not None:
        return error.tokens
    said = error.message.lower()
    parts = _BEFORE_ITS_NAME.findall(said)
    if not parts and (found := _AFTER_ITS_NAME.search(said)):
        parts = [found.group(1)]
    return sum(int(part.replace(",", "")) for part in parts) or None

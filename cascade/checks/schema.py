"""JSON schemas and patterns, checked within bounds.

Patterns run on an engine whose time grows with the text's length and never explodes; the price is
that it knows no look-around and no back-references. A schema that uses them is valid, but answers
cannot be checked against it. References are resolved inside the schema only: nothing is fetched.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

_PATTERN_SIZE = 1 << 20  # bytes that one compiled pattern may take
_KEPT = 256  # compiled schemas kept in memory
_KEPT_SIZE = 1 << 16  # bytes; a larger schema is compiled anew each time
_SHOWN = 160  # characters of an explanation
# Explaining a mismatch tries alternatives again at each level: exponential where a schema refers
# to itself. Deeper values get a verdict without details.
_EXPLAINED_DEPTH = 6


class Compiled(msgspec.Struct, frozen=True):
    """A compiled schema, or why there is none: it is wrong, or beyond what can be checked."""

    validator: Any = None
    problem: str | None = None
    unchecked: str | None = None
    refers: bool = False


def check_schema(schema: bytes) -> str | None:
    """Say in words what is wrong with a JSON schema; None where it is valid."""
    return compiled(schema).problem


def check_pattern(pattern: str) -> str | None:
    """Say in words why a pattern cannot be used; None where it can."""
    found = compiled(_pattern_schema(pattern))
    if found.unchecked is not None:
        return "it cannot be checked in bounded time: it looks around, refers back or is too large"
    return None if found.problem is None else "it is not a regular expression, or it is too large"


def compiled(schema: bytes) -> Compiled:
    """Compile a schema; the last ones are kept."""
    return _kept(schema) if len(schema) <= _KEPT_SIZE else _compile(schema)


def matches(pattern: str, text: str) -> bool | None:
    """Whether the pattern occurs in the text; None where that cannot be said."""
    validator: Validator | None = compiled(_pattern_schema(pattern)).validator
    try:
        return None if validator is None else validator.is_valid(text)
    except UnicodeEncodeError:  # half a surrogate pair: the engine reads UTF-8
        return None


def mismatch(schema: Compiled, value: object) -> str | None:
    """Say in words where a value does not fit the schema; None where it fits.

    Raises:
        ValueError: the validator cannot read the value.
    """
    from jsonschema_rs import ValidationError

    validator: Validator | None = schema.validator
    if validator is None or validator.is_valid(value):
        return None
    if schema.refers and _deeper(value, _EXPLAINED_DEPTH):
        return "somewhere inside"
    try:
        validator.validate(value)
    except ValidationError as error:
        return _explain(error)
    return None


def _pattern_schema(pattern: str) -> bytes:
    return msgspec.json.encode({"pattern": pattern})


def _compile(schema: bytes) -> Compiled:
    from jsonschema_rs import FancyRegexOptions, RegexOptions, validator_for

    try:
        content = json.loads(schema)
    except (ValueError, RecursionError) as error:
        return Compiled(problem=f"it is not JSON: {error}")
    if not isinstance(content, dict | bool):
        return Compiled(problem="it is not a JSON object")
    refers = any(word in schema for word in (b"$ref", b"$dynamicRef", b"$recursiveRef"))
    options = RegexOptions(size_limit=_PATTERN_SIZE, dfa_size_limit=_PATTERN_SIZE)
    try:
        validator = validator_for(content, pattern_options=options, offline=True, mask="it")
        return Compiled(validator=validator, refers=refers)
    except ValueError:  # a wrong schema, one nested too deeply, or beyond this engine
        pass
    try:
        # The other engine knows every construct; here it only tells wrong from unsupported.
        validator_for(content, pattern_options=FancyRegexOptions(), offline=True)
    except ValueError as error:
        return Compiled(problem=_words(error))
    return Compiled(unchecked="has a pattern that cannot be checked in bounded time")


_kept = lru_cache(maxsize=_KEPT)(_compile)


def _words(error: ValueError) -> str:
    from jsonschema_rs import ValidationError

    return _explain(error) if isinstance(error, ValidationError) else _short(str(error))


def _explain(error: ValidationError) -> str:
    place = "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path
    )
    return _short(f"at {place.lstrip('.')}: {error.message}" if place else error.message)


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _deeper(value: object, levels: int) -> bool:
    """Whether the value is nested more than this many levels deep."""
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return any(_deeper(part, levels - 1) for part in inner)

"""From a decoder's complaint to an error that a person can act on: place, value, mend."""

from __future__ import annotations

import re
from typing import get_args

import msgspec

from cascade.errors import RequestError, UnsupportedParameter
from cascade.types import CacheUse, Delivery, Quality, Role
from cascade.wire.openai_chat.request_shapes import REFUSED

__all__ = ["explain"]

_SAID = re.compile(r"^(?P<problem>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_ABSENT = re.compile(r"Object missing required field `(?P<name>.*)`")
_STEP = re.compile(r"\[(?P<index>\d+)\]|\.?(?P<key>[^.\[]+)")
_NOT_JSON_NUMBER = re.compile(rb'(?:"(?P<name>\w+)"\s*:|[,\[])\s*-?(?:NaN|Infinity)\b')
_TYPE = re.compile(r"\b(?:str|int|float|bool|array|object)\b")
_IN_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a JSON object",
}

_ALLOWED: tuple[tuple[str, tuple[str, ...]], ...] = (  # by the end of the place, first match
    ("].role", get_args(Role)),
    (".response_format.type", ("text", "json_object", "json_schema")),
    ("response_format.type", ("text", "json_object", "json_schema")),
    ("tool_choice.type", ("function",)),
    ("tool_choice", ("auto", "none", "required")),
    (".detail", ("auto", "low", "high")),
    ("cascade.quality", get_args(Quality)),
    ("cascade.cache", get_args(CacheUse)),
    ("cascade.delivery", get_args(Delivery)),
)
_TOOL_TYPE = re.compile(r"(?:^tools|tool_calls)\[\d+\]\.type$")
_PART_TYPE = re.compile(r"content\[\d+\]\.type$")


def explain(error: Exception, body: bytes) -> RequestError:
    """Say what is wrong with a request body that the decoder refused with ``error``."""
    if isinstance(error, msgspec.ValidationError):
        return _invalid(str(error), body)
    if isinstance(error, RecursionError):
        return RequestError("body", None, "it is nested too deeply", "Send a flatter request")
    if isinstance(error, UnicodeDecodeError):
        return RequestError("body", None, "it is not UTF-8", "Encode the request as UTF-8")
    if not body.strip():
        return RequestError("body", None, "it is empty", "Send a JSON object")
    if found := _NOT_JSON_NUMBER.search(body):
        place = (found["name"] or b"body").decode()
        problem = "NaN and Infinity are no JSON numbers"
        return RequestError(place, None, problem, "Send a finite number or leave it out")
    return RequestError("body", None, f"it is not JSON ({error})", "Send a JSON object")


def _invalid(text: str, body: bytes) -> RequestError:
    match = _SAID.match(text)
    problem = match["problem"] if match else text
    place = (match["path"] or "").removeprefix(".") if match else ""
    if unknown := _UNKNOWN.match(problem):
        place = _below(place, unknown["name"])
        mend = "Leave it out, or mend its spelling"
        return UnsupportedParameter(place, _at(body, place), "cascade does not know it", mend)
    if absent := _ABSENT.match(problem):
        return RequestError(_below(place, absent["name"]), None, "it is missing", "Send it")
    value = _at(body, place)
    name = place.rpartition(".")[2].partition("[")[0]
    if name in REFUSED and (not place.startswith("cascade")):
        return UnsupportedParameter(place, value, "cascade does not support it", REFUSED[name])
    problem = problem.replace("`", "")
    if allowed := _allowed(place):
        mend = f"Send one of {', '.join(allowed)}"
        if place.endswith("type"):
            return UnsupportedParameter(place, value, "cascade does not support it", mend)
        return RequestError(place, value, "it is none of the values known", mend)
    wanted, _, got = problem.partition(", got ")
    if wanted.startswith("Expected "):
        because = f"it is {_words(got)}" if got else "it does not fit"
        mend = f"Send {_words(wanted.removeprefix('Expected '))}"
        return RequestError(place or "body", value, because, mend)
    return RequestError(place or "body", value, problem, "Send a value of the documented form")


def _words(types: str) -> str:
    return _TYPE.sub(lambda name: _IN_WORDS[name.group()], types).replace(" | ", " or ")


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _allowed(place: str) -> tuple[str, ...]:
    if _PART_TYPE.search(place):
        return ("text", "image_url", "refusal")
    if _TOOL_TYPE.search(place):
        return ("function",)
    return next((values for end, values in _ALLOWED if place.endswith(end)), ())


def _at(body: bytes, place: str) -> object:
    """Find the value at a place such as ``messages[2].content``; None where it is not there."""
    try:
        value: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):  # broken further on: the place is enough
        return None
    for step in _STEP.finditer(place):
        if step["index"] is not None and isinstance(value, list):
            value = value[int(step["index"])] if int(step["index"]) < len(value) else None
        elif isinstance(value, dict):
            value = value.get(step["key"])
        else:
            return None
    return value

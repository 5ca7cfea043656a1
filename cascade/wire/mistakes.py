"""From a decoder's complaint to an error that a person can act on: place, value, mend."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

import msgspec

from cascade.errors import RequestError, UnsupportedParameter
from cascade.types import CacheUse, Delivery, Quality

__all__ = ["Wording", "explain"]

_SAID = re.compile(r"^(?P<problem>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_ABSENT = re.compile(r"Object missing required field `(?P<name>.*)`")
_STEP = re.compile(r"\[(?P<index>\d+)\]|\.?(?P<key>[^.\[]+)")
_NOT_JSON_NUMBER = re.compile(rb'(?:"(?P<name>\w+)"\s*:|[,\[])\s*-?(?:NaN|Infinity)\b')
_TYPE = re.compile(r"\b(?:str|int|float|bool|array|object)\b")
_LONGEST = 200  # characters of a place in a message
_IN_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a JSON object",
}

_OPTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"^cascade\.quality$", get_args(Quality)),
    (r"^cascade\.cache$", get_args(CacheUse)),
    (r"^cascade\.delivery$", get_args(Delivery)),
)


class Wording(msgspec.Struct, frozen=True):
    """What a protocol's errors say.

    ``refused`` has the mend for each parameter that is refused by name; ``allowed`` the values
    known at a place, by a pattern of the place, first match; ``kinds`` the mend for a ``type``
    that the protocol knows and cascade does not take.
    """

    refused: Mapping[str, str]
    allowed: tuple[tuple[str, tuple[str, ...]], ...]
    kinds: Mapping[str, str] = {}


def explain(error: Exception, body: bytes, wording: Wording) -> RequestError:
    """Say what is wrong with a request body that the decoder refused with ``error``."""
    if isinstance(error, msgspec.ValidationError):
        return _invalid(str(error), body, wording)
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


def _invalid(text: str, body: bytes, wording: Wording) -> RequestError:
    match = _SAID.match(text)
    problem = match["problem"] if match else text
    place = (match["path"] or "").removeprefix(".") if match else ""
    if unknown := _UNKNOWN.match(problem):
        place = _below(place, unknown["name"])
        mend = "Leave it out, or mend its spelling"
        value = _at(body, place)
        return UnsupportedParameter(_short(place), value, "cascade does not know it", mend)
    if absent := _ABSENT.match(problem):
        return RequestError(_below(place, absent["name"]), None, "it is missing", "Send it")
    value = _at(body, place)
    refusal = _refusal(place, value, wording)
    if refusal is not None:
        return UnsupportedParameter(place, value, "cascade does not support it", refusal)
    if allowed := _allowed(place, wording):
        mend = f"Send one of {', '.join(allowed)}"
        if place.endswith("type"):
            return UnsupportedParameter(place, value, "cascade does not support it", mend)
        return RequestError(place, value, "it is none of the values known", mend)
    wanted, _, got = problem.replace("`", "").partition(", got ")
    if wanted.startswith("Expected "):
        because = f"it is {_words(got)}" if got else "it does not fit"
        mend = f"Send {_words(wanted.removeprefix('Expected '))}"
        return RequestError(place or "body", value, because, mend)
    return RequestError(place or "body", value, wanted, "Send a value of the documented form")


def _short(place: str) -> str:
    """A place whose last name is the caller's own, and may be of any length."""
    return place if len(place) <= _LONGEST else place[: _LONGEST - 1] + "…"


def _refusal(place: str, value: object, wording: Wording) -> str | None:
    """The mend for what is refused by its name or, as a kind of something, by its value."""
    name = place.rpartition(".")[2].partition("[")[0]
    if name in wording.refused and not place.startswith("cascade"):
        return wording.refused[name]
    return wording.kinds.get(value) if name == "type" and isinstance(value, str) else None


def _words(types: str) -> str:
    return _TYPE.sub(lambda name: _IN_WORDS[name.group()], types).replace(" | ", " or ")


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _allowed(place: str, wording: Wording) -> tuple[str, ...]:
    known = (*wording.allowed, *_OPTIONS)
    return next((values for pattern, values in known if re.search(pattern, place)), ())


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

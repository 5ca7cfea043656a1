"""A provider's error body: what its many shapes say.

Most are an ``error`` object, but errors come inside errors (a proxy that quotes another provider,
in JSON inside a string), in arrays, as lists of faults, as plain text, and cut off. The innermost
layer knows most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from cascade.wire.waits import seconds

__all__ = ["ErrorBody", "read_error"]

_DEEPEST = 5
_LONGEST = 8_000
"""Characters of a message that are read: some servers send the whole request back in it."""

_decode = msgspec.json.Decoder().decode
_Layer = dict[str, Any]


class ErrorBody(msgspec.Struct, frozen=True):
    """What an error body says.

    Attributes:
        message: in words, empty where it has none.
        labels: its codes and types, lower case, most specific first.
        number: a status that stands in the body, whatever the answer's own is.
        tokens: the prompt's size in tokens, where a field of its own tells it.
        wait: seconds to wait (Google's ``RetryInfo``).
        spent: an allowance of a day, or one of nothing at all, is used up (``QuotaFailure``).
    """

    message: str = ""
    labels: tuple[str, ...] = ()
    number: int | None = None
    tokens: int | None = None
    wait: float | None = None
    spent: bool = False


def read_error(body: bytes) -> ErrorBody:
    """Read an error body of any shape; an empty ``ErrorBody`` where it says nothing."""
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    if body.startswith((b"data:", b"event:")):  # a stream's request, refused in a stream's form
        body = body.partition(b"data:")[2].partition(b"\n")[0]
    try:
        found = _decode(body)
    except (ValueError, RecursionError):  # HTML, plain words, or a body that was cut off
        return _read_text(body)
    if isinstance(found, list) and found:
        found = found[0]  # Google's OpenAI face wraps it in an array
    if isinstance(found, str):
        return ErrorBody(found[:_LONGEST])
    return _read_layers(_layers(found)) if isinstance(found, dict) else ErrorBody()


def _layers(found: _Layer) -> list[_Layer]:
    """The errors inside the error, innermost first."""
    layers = [found]
    while len(layers) < _DEEPEST and (inner := _inside(layers[-1])) is not None:
        layers.append(inner)
    return layers[::-1]


def _inside(layer: _Layer) -> _Layer | None:
    metadata = layer.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None  # OpenRouter
    for part in (layer.get("error"), raw, layer.get("message")):
        if isinstance(part, dict):
            return part
        if isinstance(part, str) and part.lstrip().startswith("{"):
            try:
                inner = _decode(part)
            except (ValueError, RecursionError):  # words that only begin like JSON
                continue
            if isinstance(inner, dict):
                return inner
    return None


def _read_layers(layers: list[_Layer]) -> ErrorBody:
    details = [detail for layer in layers for detail in _details(layer)]
    allowances = [allowance for detail in details for allowance in _allowances(detail)]
    return ErrorBody(
        message=next((said for layer in layers if (said := _message(layer))), "")[:_LONGEST],
        labels=tuple(
            label.lower() for layer in layers for label in _labels(layer) if isinstance(label, str)
        ),
        number=next((number for layer in layers if (number := _number(layer))), None),
        tokens=next(
            (size for layer in layers if _is_count(size := layer.get("n_prompt_tokens"))), None
        ),
        wait=next((wait for detail in details if (wait := _wait(detail)) is not None), None),
        spent=any(_is_spent(name, value) for name, value in allowances),
    )


def _details(layer: _Layer) -> list[_Layer]:
    """The objects beside an error that say more: Google's list, Anthropic's and Azure's one."""
    found = []
    for name in ("details", "innererror", "inner_error", "metadata"):
        part = layer.get(name)
        parts = part if isinstance(part, list) else [part]
        found += [each for each in parts if isinstance(each, dict)]
    return found


def _labels(layer: _Layer) -> Iterator[object]:
    yield layer.get("code")
    for detail in _details(layer):
        for name in ("error_code", "code", "reason", "error_type"):
            yield detail.get(name)
    yield layer.get("type")
    yield layer.get("status")
    kind = layer.get("__type")  # Amazon: ``com.amazon.coral.service#ThrottlingException``
    yield kind.rpartition("#")[2] if isinstance(kind, str) else None


def _message(layer: _Layer) -> str:
    metadata = layer.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    said = (raw, *(layer.get(name) for name in ("message", "Message", "error", "detail", "msg")))
    return next((words for part in said if (words := _words(part))), "")


def _words(part: object) -> str:
    """Text, or the first words of a list of faults: ``body.tools: extra inputs ...``"""
    if isinstance(part, dict):
        part = part.get("detail")
    if isinstance(part, list):
        return "; ".join(filter(None, map(_fault, part[:3])))
    return part if isinstance(part, str) else ""


def _fault(part: object) -> str:
    """One fault as FastAPI tells it; what the caller had sent is left out."""
    if not isinstance(part, dict) or not isinstance(part.get("msg"), str):
        return part if isinstance(part, str) else ""
    place = part.get("loc")
    names = place if isinstance(place, list) else []
    return f"{'.'.join(name for name in names if isinstance(name, str))}: {part['msg']}"


def _number(layer: _Layer) -> int | None:
    for part in (layer.get("code"), layer.get("status")):
        if isinstance(part, str) and len(part) == 3 and part.isdecimal():
            part = int(part)
        if isinstance(part, int) and 400 <= part <= 599:
            return part
    return None


def _is_count(part: object) -> bool:
    return isinstance(part, int) and not isinstance(part, bool) and 0 < part < 10**15


def _wait(detail: _Layer) -> float | None:
    delay = detail.get("retryDelay")
    return seconds(delay) if isinstance(delay, str) else None


def _allowances(detail: _Layer) -> Iterator[tuple[object, object]]:
    """Names and sizes of the allowances that Google says are used up."""
    violations = detail.get("violations")
    for each in violations if isinstance(violations, list) else ():
        if isinstance(each, dict):
            yield each.get("quotaId") or each.get("quotaMetric"), each.get("quotaValue")
    metadata = detail.get("metadata")
    if isinstance(metadata, dict):
        yield metadata.get("quota_limit"), metadata.get("quota_limit_value")


def _is_spent(name: object, value: object) -> bool:
    of_a_day = isinstance(name, str) and "perday" in name.lower().replace("_", "")
    return of_a_day or value == "0"


_PIECE = re.compile(rb'"(?:code|error_code|type|status|reason)"\s*:\s*"(\w{1,60})"')


def _read_text(body: bytes) -> ErrorBody:
    """What is no JSON: plain words are the message, of a cut-off object the codes still count."""
    if body.startswith((b"{", b"[")):
        labels = _PIECE.findall(body[:_LONGEST])
        return ErrorBody(labels=tuple(label.decode("ascii", "ignore").lower() for label in labels))
    try:
        words = body[: 4 * _LONGEST].decode()
    except ValueError:
        return ErrorBody()
    return ErrorBody() if words.startswith("<") else ErrorBody(words[:_LONGEST])

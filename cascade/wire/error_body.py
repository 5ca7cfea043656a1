"""A provider's error body: reading its many shapes, and quoting it safely."""

from __future__ import annotations

import re

import msgspec

__all__ = ["ErrorBody", "quoted", "read_error"]

_LONGEST_MESSAGE = 300


class ErrorBody(msgspec.Struct, frozen=True):
    """A provider's error: ``labels`` are its codes and types, lower case, most specific first."""

    message: str = ""
    labels: tuple[str, ...] = ()
    number: int | None = None  # some providers put an HTTP status into ``code``


class _Inner(msgspec.Struct):
    message: object = None
    code: object = None
    type: object = None
    status: object = None
    detail: object = None
    details: object = None
    innererror: object = None


class _Envelope(_Inner):
    error: object = None


_any = msgspec.json.Decoder()


def read_error(body: bytes) -> ErrorBody:
    """Read an error body of any known shape; an empty ``ErrorBody`` where it is none."""
    try:
        found = _any.decode(body)
    except (ValueError, RecursionError):  # HTML, nothing, or a cut-off body
        return ErrorBody()
    if isinstance(found, list) and found:
        found = found[0]  # Google's OpenAI face wraps it in an array
    if not isinstance(found, dict):
        return ErrorBody()
    envelope = msgspec.convert(found, _Envelope)
    if isinstance(envelope.error, dict):
        return _body_of(msgspec.convert(envelope.error, _Inner))
    if isinstance(envelope.error, str):
        return _body_of(_Inner(envelope.error, envelope.code, envelope.type))
    return _body_of(envelope)


def _body_of(error: _Inner) -> ErrorBody:
    inner = [
        part.get(key)
        for part in (error.details, error.innererror)
        if isinstance(part, dict)
        for key in ("error_code", "code")
    ]
    said = (error.code, *inner, error.type, error.status)
    message = error.message if error.message is not None else error.detail
    if isinstance(message, dict):
        message = message.get("detail")
    if message is not None and not isinstance(message, str):
        message = msgspec.json.encode(message).decode()
    code = error.code
    number = code if isinstance(code, int) else None
    if isinstance(code, str) and code.isdecimal() and len(code) == 3:
        number = int(code)
    return ErrorBody(
        message or "", tuple(each.lower() for each in said if isinstance(each, str)), number
    )


_KEY = re.compile(
    r"\bBearer\s+\S{6,}|\b(?:sk|pk|rk|gsk|xai|hf|r8)[-_][\w\-.*]{6,}|\bAIza[\w\-]{10,}"
)
_LONG_WORD = re.compile(r"[\w\-.]*\*{2,}[\w\-.*]*|[\w\-.]{16,}")


def quoted(error: ErrorBody, *, about_keys: bool) -> str:
    """Return a short piece of what the provider says, without anything that looks like a key;
    ``about_keys`` where the complaint is about one, and hence likely to quote it."""
    said = " ".join("".join(c if c.isprintable() else " " for c in error.message).split())
    said = _KEY.sub("[key]", said)
    if about_keys:
        said = _LONG_WORD.sub(lambda word: _hide(word.group()), said)
    if len(said) > _LONGEST_MESSAGE:
        said = said[: _LONGEST_MESSAGE - 1] + "…"
    return said


def _hide(word: str) -> str:
    secret = "*" in word or any(c.isdigit() for c in word)
    return "[key]" if secret else word

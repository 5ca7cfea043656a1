"""Requests that only want to know how many tokens a prompt is."""

from __future__ import annotations

import msgspec

from cascade.types import ProtocolName

__all__ = ["counted_body", "to_answer"]

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode

_ANY_LIMIT = msgspec.Raw(b"2147483647")
_WRAPPED = "generateContentRequest"


def to_answer(protocol: ProtocolName, body: bytes, path: str) -> tuple[bytes, str]:
    """Return the request for an answer, body and path, whose prompt is to be counted.

    Anthropic's has to limit the answer's length. Gemini's may be wrapped, and names another
    method. A body that is no JSON object comes back as it is: the codec says what is wrong with it.
    """
    if protocol == "gemini":
        path = path.removesuffix(":countTokens") + ":generateContent"
    try:
        asked = _decode(body)
    except (ValueError, RecursionError):
        return body, path
    if protocol == "gemini":
        return bytes(asked.get(_WRAPPED, body)), path
    return _encode({"max_tokens": _ANY_LIMIT} | asked), path


def counted_body(protocol: ProtocolName, tokens: int) -> bytes:
    """Return how many tokens a prompt is."""
    return _encode({"input_tokens" if protocol == "anthropic" else "totalTokens": tokens})

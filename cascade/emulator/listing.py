"""The models, in each protocol's shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cascade.emulator.paging import page_of
from cascade.emulator.routes import Route
from cascade.types import ProtocolName

__all__ = ["model_body", "models_body"]

_encode = msgspec.json.Encoder().encode

_MISTRAL = {"type": "base", "capabilities": {"completion_chat": True, "function_calling": True}}
"""What Mistral's client wants to know of a model beside OpenAI's fields."""

_UNKNOWN = {"capabilities": None, "max_input_tokens": None, "max_tokens": None}
"""What Anthropic tells of a model, and no recording does."""

_METHODS = ["generateContent", "streamGenerateContent", "countTokens"]
_EPOCH = "1970-01-01T00:00:00Z"


def models_body(asked: Route, models: tuple[str, ...], query: bytes) -> bytes:
    """Return the list of models, or the page of it that the query string asks for.

    Raises:
        RequestError: the query makes no sense.
    """
    shape = _shape(asked)
    if asked.protocol == "openai":
        return _encode({"object": "list", "data": [shape(model) for model in models]})
    page = page_of(asked.protocol, models, query)
    listed = [shape(model) for model in page.models]
    if asked.protocol == "gemini":
        following = {"nextPageToken": page.models[-1]} if page.more else {}
        return _encode({"models": listed} | following)
    first, last = (page.models[0], page.models[-1]) if page.models else (None, None)
    body: dict[str, Any] = {"object": "list"} if asked.bare else {}
    body |= {"data": listed, "has_more": page.more, "first_id": first, "last_id": last}
    return _encode(body)


def model_body(asked: Route) -> bytes:
    """Return the model that is asked about."""
    return _encode(_shape(asked)(asked.model))


def _shape(asked: Route) -> Callable[[str], dict[str, Any]]:
    if asked.bare:
        return lambda model: _openai(model) | _anthropic(model)
    return _SHAPES[asked.protocol]


def _openai(model: str) -> dict[str, Any]:
    named = {"id": model, "object": "model", "created": 0, "owned_by": "recording"}
    return named | _MISTRAL


def _anthropic(model: str) -> dict[str, Any]:
    named = {"type": "model", "id": model, "display_name": model, "created_at": _EPOCH}
    return named | {"lifecycle": "active"} | _UNKNOWN


def _gemini(model: str) -> dict[str, Any]:
    return {
        "name": f"models/{model}",
        "displayName": model,
        "supportedGenerationMethods": _METHODS,
    }


_SHAPES: dict[ProtocolName, Callable[[str], dict[str, Any]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "gemini": _gemini,
}

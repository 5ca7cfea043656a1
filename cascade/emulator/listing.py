"""The models and the count of a prompt's tokens, in each protocol's shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cascade.types import ProtocolName

__all__ = ["counted_body", "model_body", "models_body", "to_count"]

_MISTRAL = {"type": "base", "capabilities": {"completion_chat": True, "function_calling": True}}
"""What Mistral's client wants to know of a model beside OpenAI's fields."""

_UNKNOWN = {"capabilities": None, "max_input_tokens": None, "max_tokens": None}
"""What Anthropic tells of a model, and no recording does."""

_EPOCH = "1970-01-01T00:00:00Z"


def models_body(protocol: ProtocolName, models: tuple[str, ...]) -> bytes:
    """Return the list of models."""
    listed = [_SHAPES[protocol](model) for model in models]
    body: dict[str, Any]
    match protocol:
        case "openai":
            body = {"object": "list", "data": listed}
        case "anthropic":
            first, last = (models[0], models[-1]) if models else (None, None)
            body = {"data": listed, "has_more": False, "first_id": first, "last_id": last}
        case _:
            body = {"models": listed}
    return msgspec.json.encode(body)


def model_body(protocol: ProtocolName, model: str) -> bytes:
    """Return one model."""
    return msgspec.json.encode(_SHAPES[protocol](model))


def _openai(model: str) -> dict[str, Any]:
    named = {"id": model, "object": "model", "created": 0, "owned_by": "recording"}
    return named | _MISTRAL


def _anthropic(model: str) -> dict[str, Any]:
    named = {"type": "model", "id": model, "display_name": model, "created_at": _EPOCH}
    return named | _UNKNOWN


def _gemini(model: str) -> dict[str, Any]:
    return {
        "name": f"models/{model}",
        "displayName": model,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }


_SHAPES: dict[ProtocolName, Callable[[str], dict[str, Any]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "gemini": _gemini,
}


def to_count(protocol: ProtocolName, body: bytes, path: str) -> tuple[bytes, str]:
    """Return the answering request, body and path, whose prompt is to be counted.

    A body that is no JSON object comes back as it is: the codec says what is wrong with it.
    """
    try:
        asked = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return body, path
    if not isinstance(asked, dict):
        return body, path
    if protocol == "anthropic":
        asked.setdefault("max_tokens", 1)
    else:
        path = path.replace(":countTokens", ":generateContent")
        asked = asked.get("generateContentRequest", asked)
    return msgspec.json.encode(asked), path


def counted_body(protocol: ProtocolName, tokens: int) -> bytes:
    """Return how many tokens a prompt is."""
    return msgspec.json.encode(
        {"input_tokens" if protocol == "anthropic" else "totalTokens": tokens}
    )

"""Which protocol a request speaks, and what it wants."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from cascade.types import ProtocolName

__all__ = ["Route", "route"]

Wanted = Literal["answer", "count", "models", "model", "delivered", "health", "nothing"]

_VERSION = re.compile(r"/v1(?:beta|alpha)?(?=/)")  # base URLs come with and without
_METHOD = re.compile(r"/models/.+:(\w+)")  # Gemini's: a model and what is to be done with it
_POSTS: dict[str, tuple[ProtocolName, Wanted]] = {
    "/chat/completions": ("openai", "answer"),
    "/messages": ("anthropic", "answer"),
    "/messages/count_tokens": ("anthropic", "count"),
    "generateContent": ("gemini", "answer"),
    "streamGenerateContent": ("gemini", "answer"),
    "countTokens": ("gemini", "count"),
}
_GETS: dict[str, Wanted] = {
    "/models": "models",
    "/emulator/delivered": "delivered",
    "/health": "health",
    "/health/liveness": "health",
    "/health/readiness": "health",
}


class Route(msgspec.Struct, frozen=True):
    """The protocol that answers are written in, and what is wanted; of which model, where one
    is asked about."""

    protocol: ProtocolName
    wanted: Wanted
    model: str = ""


def route(method: str, path: str, headers: dict[bytes, bytes]) -> Route:
    """Tell what a request wants by its method, path and headers."""
    version = _VERSION.match(path)
    rest = path[version.end() :] if version else path
    spoken = _spoken(path, headers)
    if method == "GET":
        if rest.startswith("/models/"):
            return Route(spoken, "model", rest.removeprefix("/models/"))
        return Route(spoken, _GETS.get(rest, "nothing"))
    action = _METHOD.fullmatch(rest)
    protocol, wanted = _POSTS.get(action[1] if action else rest, (spoken, "nothing"))
    return Route(protocol, wanted if method == "POST" else "nothing")


def _spoken(path: str, headers: dict[bytes, bytes]) -> ProtocolName:
    if b"anthropic-version" in headers:
        return "anthropic"
    if b"x-goog-api-key" in headers or path.startswith("/v1beta/"):
        return "gemini"
    return "openai"

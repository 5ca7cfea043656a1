"""Which protocol a request speaks, and what it wants."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from cascade.types import ProtocolName

__all__ = ["Route", "route"]

Wanted = Literal[
    "answer", "count", "models", "model", "delivered", "health", "nothing", "other method"
]

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
    """The protocol that answers are written in, and what is wanted.

    Attributes:
        model: which one is asked about.
        bare: nothing tells whether the list of models is asked for in OpenAI's protocol or in
            Anthropic's, which share its path; errors are Anthropic's then.
        allowed: the methods that there are, where another was used.
    """

    protocol: ProtocolName
    wanted: Wanted
    model: str = ""
    bare: bool = False
    allowed: str = ""


def route(method: str, path: str, headers: dict[bytes, bytes]) -> Route:
    """Tell what a request wants by its method, path and headers."""
    version = _VERSION.match(path)
    rest = path[version.end() :] if version else path
    action = _METHOD.fullmatch(rest)
    if (posted := _POSTS.get(action[1] if action else rest)) is not None:
        protocol, wanted = posted
        if method == "POST":
            return Route(protocol, wanted)
        return Route(protocol, "other method", allowed="POST")
    spoken = _spoken(path, headers)
    bare = spoken is None and rest.startswith("/models")
    protocol = spoken or ("anthropic" if bare else "openai")
    if rest.startswith("/models/"):
        found = Route(protocol, "model", rest.removeprefix("/models/"), bare)
    else:
        found = Route(protocol, _GETS.get(rest, "nothing"), bare=bare)
    if found.wanted == "nothing" or method in ("GET", "HEAD"):
        return found
    return Route(protocol, "nothing" if action else "other method", allowed="GET, HEAD")


def _spoken(path: str, headers: dict[bytes, bytes]) -> ProtocolName | None:
    if b"anthropic-version" in headers or b"x-api-key" in headers:
        return "anthropic"
    if b"x-goog-api-key" in headers or path.startswith("/v1beta/"):
        return "gemini"
    return "openai" if b"authorization" in headers else None

"""What is served where, and in which protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from cascade.server.headers import Header
from cascade.types import ProtocolName

_WRITE = ("POST",)
_READ = ("GET", "HEAD")
_GEMINI = ("generateContent", "streamGenerateContent")
_MODELS = ("/v1/models/", "/v1beta/models/")


class Route(msgspec.Struct, frozen=True):
    """What a path offers. Without a ``protocol`` the request's headers tell it; ``model`` is the
    name in the path of one model's description."""

    does: Literal["answer", "count", "models", "model", "liveness", "readiness"]
    methods: tuple[str, ...]
    protocol: ProtocolName | None = None
    model: str = ""


_ROUTES: dict[str, Route] = {
    "/v1/chat/completions": Route("answer", _WRITE, "openai"),
    "/v1/messages": Route("answer", _WRITE, "anthropic"),
    "/v1/messages/count_tokens": Route("count", _WRITE, "anthropic"),
    "/v1/models": Route("models", _READ),
    "/v1beta/models": Route("models", _READ, "gemini"),
    "/health/liveness": Route("liveness", _READ),
    "/health/readiness": Route("readiness", _READ),
}
_GENERATE = Route("answer", _WRITE, "gemini")

PATHS = (*_ROUTES, "/v1/models/NAME", *(f"/v1beta/models/NAME:{method}" for method in _GEMINI))
"""What to tell somebody who asks for anything else."""


def find(path: str) -> Route | None:
    """Return what the path offers, None where it is nothing."""
    return _ROUTES.get(path) or _of_a_model(path)


def _of_a_model(path: str) -> Route | None:
    prefix = next(filter(path.startswith, _MODELS), None)
    if prefix is None:
        return None
    name = path.removeprefix(prefix)
    # A name may hold slashes and colons too: what Gemini's clients want stands behind the last.
    if name.rpartition(":")[2] in _GEMINI:
        return _GENERATE
    return Route("model", _READ, "gemini" if prefix == "/v1beta/models/" else None, name)


def spoken(path: str, headers: Sequence[Header]) -> ProtocolName:
    """Return the protocol of a client that asks for something that all of them have, or for
    nothing there is: by its path, else by the headers that only its own clients send."""
    if path.startswith("/v1beta/"):
        return "gemini"
    if path.startswith("/v1/messages"):
        return "anthropic"
    for name, _ in headers:
        if name == b"anthropic-version":
            return "anthropic"
        if name == b"x-goog-api-key":
            return "gemini"
    return "openai"

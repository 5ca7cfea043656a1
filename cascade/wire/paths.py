"""Which paths the three protocols have, and how their clients tell which of them they speak."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from cascade.types import ProtocolName

__all__ = ["PATHS", "READ", "WRITE", "Place", "Wanted", "find", "speaker"]

Wanted = Literal["answer", "count", "models", "model"]

WRITE = ("POST",)
READ = ("GET", "HEAD")


class Place(msgspec.Struct, frozen=True):
    """What a path offers.

    Attributes:
        wanted: what is asked for there.
        methods: HTTP's, by which it is asked for.
        protocol: whose path it is; None where the protocols share it, see ``speaker``.
        model: the name in the path of one model's description.
    """

    wanted: Wanted
    methods: tuple[str, ...]
    protocol: ProtocolName | None = None
    model: str = ""


_VERSIONS: dict[str, ProtocolName | None] = {"/v1": None, "/v1beta": "gemini", "/v1alpha": "gemini"}
"""What paths begin with, and whose they are: the first is everybody's."""

_OTHERS = {
    "/v1/chat/completions": Place("answer", WRITE, "openai"),
    "/v1/messages": Place("answer", WRITE, "anthropic"),
    "/v1/messages/count_tokens": Place("count", WRITE, "anthropic"),
}
_LISTS = {
    f"{version}/models": Place("models", READ, protocol) for version, protocol in _VERSIONS.items()
}
_GEMINI = {
    "generateContent": Place("answer", WRITE, "gemini"),
    "streamGenerateContent": Place("answer", WRITE, "gemini"),
    "countTokens": Place("count", WRITE, "gemini"),
}
_WHOLE = _OTHERS | _LISTS

PATHS = (
    *_OTHERS,
    "/v1/models",
    "/v1/models/NAME",
    "/v1beta/models",
    *(f"/v1beta/models/NAME:{method}" for method in _GEMINI),
)
"""What to tell somebody who asks for anything else."""


def find(path: str) -> Place | None:
    """Return what the path offers, None where it is nothing. It begins with a version."""
    return _WHOLE.get(path) or _of_a_model(path)


def _of_a_model(path: str) -> Place | None:
    version, models, name = path.partition("/models/")
    if not (models and name and version in _VERSIONS):
        return None
    # A name may hold slashes and colons too: what Gemini's clients want stands behind the last.
    _, colon, method = name.rpartition(":")
    if colon and method in _GEMINI:
        return _GEMINI[method]
    return Place("model", READ, _VERSIONS[version], name)


def speaker(path: str, headers: Iterable[tuple[bytes, bytes]]) -> ProtocolName | None:
    """Return the protocol of a client that asks for something that several have, or for nothing
    there is: by its path, else by the headers, their names in lower case, that only its own
    clients send. None where nothing tells it."""
    _, version, room, *_ = *path.split("/", 3), "", ""
    if (protocol := _VERSIONS.get(f"/{version}")) is not None:
        return protocol
    if room == "messages":
        return "anthropic"
    names = {name for name, _ in headers}
    if not names.isdisjoint((b"anthropic-version", b"x-api-key")):
        return "anthropic"
    if b"x-goog-api-key" in names:
        return "gemini"
    return "openai" if b"authorization" in names else None

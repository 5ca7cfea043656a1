"""What a server has to know of a protocol: its codec, and what stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cascade.types import Decision, ProtocolName
from cascade.wire.codec import Codec
from cascade.wire.codecs import CODECS
from cascade.wire.framing import Framing, JsonArray, ServerSentEvents, asks_for_events


class Dialect(msgspec.Struct, frozen=True):
    """One protocol: its codec, and what is customary between its servers and clients beside it.

    ``decided`` writes a decision as an event that clients pass over; it takes the decision and
    the stream's id, time and model. ``id_header`` is where clients look for a request's id, beside
    ``x-request-id``. ``array`` says that a stream is a list unless the query asks for ``alt=sse``.
    """

    name: ProtocolName
    codec: Codec
    events: Framing
    decided: Callable[[Decision, str, int, str], bytes]
    id_header: bytes | None = None
    array: bool = False

    def framing(self, query: bytes) -> Framing:
        """Return the form of a stream that was asked for with this query string."""
        if self.array and not asks_for_events(query):
            return JsonArray()
        return self.events


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


def _openai(decision: Decision, identity: str, created: int, model: str) -> bytes:
    head = {"id": identity, "object": "chat.completion.chunk", "created": created, "model": model}
    return _event(head | {"choices": [], "cascade": decision})


def _anthropic(decision: Decision, *_: object) -> bytes:
    # It has no name: Anthropic's clients hand on whatever has one, and pass over what has none.
    return _event({"type": "cascade", "cascade": decision})


def _gemini(decision: Decision, identity: str, _: int, model: str) -> bytes:
    return _event({"responseId": identity, "modelVersion": model, "cascade": decision})


_PING = b'event: ping\ndata: {"type": "ping"}\n\n'

DIALECTS: dict[ProtocolName, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect("openai", CODECS["openai"], ServerSentEvents(b": keep-alive\n\n"), _openai),
        Dialect(
            "anthropic",
            CODECS["anthropic"],
            ServerSentEvents(_PING),
            _anthropic,
            id_header=b"request-id",
        ),
        # Google's client takes a comment for JSON and fails; an empty line it passes over.
        Dialect("gemini", CODECS["gemini"], ServerSentEvents(b"\n"), _gemini, array=True),
    )
}

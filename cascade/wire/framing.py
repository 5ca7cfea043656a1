"""How the events that a codec writes stand in a response's body."""

from __future__ import annotations

from typing import Protocol

from cascade.wire.sse import SseReader

__all__ = ["Framing", "JsonArray", "ServerSentEvents", "asks_for_events"]

_NO_LIMIT = 1 << 62  # bytes: the events are our own


class Framing(Protocol):
    """The form of one response's body.

    Attributes:
        content_type: the value of the header that names it.
        keep_alive: what may be sent between any two pieces without a meaning.
    """

    content_type: bytes
    keep_alive: bytes

    def pack(self, data: bytes, last: bool = False) -> bytes:
        """Return whole events, none or more, in this form; ``last`` ends the body."""


class ServerSentEvents:
    """Events as the codecs write them. Without a state: one will do for every response."""

    content_type = b"text/event-stream; charset=utf-8"

    def __init__(self, keep_alive: bytes = b"") -> None:
        self.keep_alive = keep_alive

    def pack(self, data: bytes, last: bool = False) -> bytes:
        """Return the events as they are: the last one is the end."""
        return data


class JsonArray:
    """The events' data as a list, element by element: Gemini's form for clients that do not ask
    for server-sent events."""

    content_type = b"application/json"
    keep_alive = b"\n"

    def __init__(self) -> None:
        self._reader = SseReader(_NO_LIMIT)
        self._next = b"["

    def pack(self, data: bytes, last: bool = False) -> bytes:
        """Return each event's data as an element of the list, which may stay empty."""
        packed = bytearray()
        for event in self._reader.feed(data):
            packed += self._next + event.data
            self._next = b",\r\n"
        if last:
            packed += b"[]" if self._next == b"[" else b"]"
        return bytes(packed)


def asks_for_events(query: bytes) -> bool:
    """Whether a query string asks Gemini for server-sent events in the list's place."""
    return b"alt=sse" in query.split(b"&")

"""How a stream's events stand in the response's body."""

from __future__ import annotations

from typing import Protocol

from cascade.server.headers import Header
from cascade.server.replies import JSON

_EVENTS: Header = (b"content-type", b"text/event-stream; charset=utf-8")


class Framing(Protocol):
    """The form of one response's body.

    Attributes:
        content_type: the header that names it.
        keep_alive: what may be sent between any two pieces without a meaning.
    """

    content_type: Header
    keep_alive: bytes

    def pack(self, data: bytes, last: bool) -> bytes:
        """Return whole events, none or more, in this form; ``last`` ends the body."""


class ServerSentEvents:
    """Events as the codecs write them. Without a state: one will do for every response."""

    content_type = _EVENTS

    def __init__(self, keep_alive: bytes) -> None:
        self.keep_alive = keep_alive

    def pack(self, data: bytes, last: bool) -> bytes:
        """Return the events as they are."""
        return data


class JsonArray:
    """The events' data as a list, element by element: Gemini's form for clients that do not ask
    for server-sent events."""

    content_type = JSON
    keep_alive = b"\n"

    def __init__(self) -> None:
        self._next = b"["

    def pack(self, data: bytes, last: bool) -> bytes:
        """Return each event's data as an element of the list."""
        packed = b""
        for event in data.split(b"\n\n"):
            if event:
                packed += self._next + event.removeprefix(b"data: ")
                self._next = b",\n"
        if not last:
            return packed
        return packed + (b"[]" if self._next == b"[" else b"]")

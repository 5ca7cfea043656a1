"""How the events of a stream are framed: as server-sent events, or as one JSON array."""

from __future__ import annotations

from typing import Protocol

from cascade.emulator.client import JSON
from cascade.wire.sse import SseReader

__all__ = ["EventFrames", "Frames", "JsonArray"]


class Frames(Protocol):
    """Frames what a codec wrote as server-sent events."""

    content_type: bytes

    def frame(self, events: bytes) -> bytes:
        """Frame whole events."""

    def end(self) -> bytes:
        """What ends the stream."""


class EventFrames:
    """Server-sent events, as the codec wrote them."""

    content_type = b"text/event-stream"

    def frame(self, events: bytes) -> bytes:
        """Leave them as they are."""
        return events

    def end(self) -> bytes:
        """Nothing: the last event is the end."""
        return b""


class JsonArray:
    """One JSON array that grows, as Gemini streams where no events were asked for."""

    content_type = JSON

    def __init__(self) -> None:
        self._events = SseReader()
        self._before = b"["

    def frame(self, events: bytes) -> bytes:
        """Write each event's data as an element."""
        framed = bytearray()
        for event in self._events.feed(events):
            framed += self._before + event.data
            self._before = b",\r\n"
        return bytes(framed)

    def end(self) -> bytes:
        """Close the array, which may be empty."""
        return b"[]" if self._before == b"[" else b"]"

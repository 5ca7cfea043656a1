"""Streams of ``streamGenerateContent``, written and read."""

from __future__ import annotations

from cascade.types import Response
from cascade.wire.gemini.stream import StreamReader
from cascade.wire.gemini.stream_writer import StreamWriter
from cascade.wire.replay import deltas_of
from cascade.wire.sse import SseReader


def write_stream(response: Response, **extra: object) -> bytes:
    writer = StreamWriter(response.id, response.created, response.model, include_usage=True)
    deltas = b"".join(map(writer.write, deltas_of(response)))
    return writer.start() + deltas + writer.end(response.usage, extra or None)


def read_stream(written: bytes) -> StreamReader:
    events, reader = SseReader(), StreamReader()
    for event in events.feed(written):
        reader.feed(event.data)
    return reader

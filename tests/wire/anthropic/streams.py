"""Streams of the Messages API, written and read."""

from __future__ import annotations

from collections.abc import Iterable

from cascade.types import Delta, Response, Usage
from cascade.wire.anthropic.stream import StreamReader
from cascade.wire.anthropic.stream_writer import StreamWriter
from cascade.wire.replay import deltas_of
from cascade.wire.sse import SseReader


def write_deltas(deltas: Iterable[Delta], usage: Usage | None = None) -> bytes:
    writer = StreamWriter("msg_1", 1, "m", include_usage=False)
    return writer.start() + b"".join(map(writer.write, deltas)) + writer.end(usage)


def write_stream(response: Response) -> bytes:
    writer = StreamWriter(response.id, response.created, response.model, include_usage=True)
    deltas = b"".join(map(writer.write, deltas_of(response)))
    return writer.start() + deltas + writer.end(response.usage, {"cost_usd": 0.25})


def read_stream(written: bytes) -> StreamReader:
    events, reader = SseReader(), StreamReader()
    for event in events.feed(written):
        reader.feed(event.data)
    return reader

"""Server-sent events out of bytes that are cut anywhere."""

from __future__ import annotations

import msgspec

from cascade.wire.failures import Malformed

__all__ = ["EVENT_LIMIT", "SseEvent", "SseReader"]

EVENT_LIMIT = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class SseEvent(msgspec.Struct, frozen=True, gc=False):
    """One event: its name, None where it has none, and its data lines joined by newlines."""

    event: str | None
    data: bytes


class SseReader:
    """Turns chunks of a stream into its events, however the stream was cut.

    Line ends may be LF, CRLF or CR. Comments, ``id`` and ``retry`` are skipped. ``limit`` is the
    largest event in bytes.
    """

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Take the next bytes and return the events that they complete.

        Raises:
            Malformed: an event is larger than the limit.
        """
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_lf(chunk)
        if self._at_start and not (chunk := self._without_bom(chunk)):
            return []
        rest = self._rest
        if rest:
            seen = len(rest) - 1
            rest += chunk
            end = rest.rfind(b"\n\n", seen)
            if end < 0:
                self._check(len(rest))
                return []
            blocks = bytes(rest[:end]).split(b"\n\n")
            del rest[: end + 2]
        else:
            blocks = chunk.split(b"\n\n")
            rest += blocks.pop()
        self._check(len(rest))
        return [event for block in blocks if (event := self._event(block)) is not None]

    def end(self) -> list[SseEvent]:
        """Say that the stream is over: an event that lacks only its blank line still counts, a
        line that was cut off does not."""
        rest = bytes(self._rest)
        self._rest.clear()
        whole = rest[: rest.rfind(b"\n") + 1]
        event = self._event(whole) if whole else None
        return [] if event is None else [event]

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise Malformed(f"an event of the stream is larger than {self._limit} bytes")

    def _event(self, block: bytes) -> SseEvent | None:
        self._check(len(block))
        if block.startswith(b"data: ") and b"\n" not in block:
            return SseEvent(None, block[6:])
        return _parse(block)

    def _with_lf(self, chunk: bytes) -> bytes:
        """Make every line end an LF; a CR counts at once, and the LF that follows it is skipped."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_bom(self, chunk: bytes) -> bytes:
        """Skip a byte order mark at the very start, even one that comes in pieces."""
        start = bytes(self._rest) + chunk
        self._rest.clear()
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._rest += start
            return b""
        self._at_start = False
        return start.removeprefix(_BOM)


def _parse(block: bytes) -> SseEvent | None:
    name: str | None = None
    data: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace") or None
    return SseEvent(name, b"\n".join(data)) if data else None

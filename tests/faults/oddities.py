"""What a provider may do that the emulator does not, and what becomes of a call that meets it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from cascade.types import Kind
from tests.faults.odd import (
    LONG,
    Asked,
    Play,
    Write,
    chunked,
    closes,
    forever,
    http,
    sends,
    unframed,
)

End = Kind | Literal["fine", "refuted"]

FINE: End = "fine"
BROKEN, MALFORMED, SLOW = Kind.BROKEN, Kind.MALFORMED, Kind.TIMED_OUT


class Odd(msgspec.Struct, frozen=True):
    """A behaviour, and how a call ends that meets it: ``fine``, ``refuted``, or failed for a
    reason. Gemini's streams have no last word: where only the end of the body is wrong, the other
    protocols' are whole by then (``gemini``)."""

    play: Play
    whole: End
    stream: End
    gemini: End | None = None

    def end(self, asked: Asked) -> End:
        """How this call ends."""
        if not asked.stream:
            return self.whole
        return self.gemini if self.gemini and asked.protocol == "gemini" else self.stream


def both(play: Play, end: End) -> Odd:
    """A behaviour that is the same to whole answers and streams."""
    return Odd(play, end, end)


def body(write: Write) -> Play:
    """Send these bytes as the body."""
    return sends(lambda asked: http(asked, write(asked)))


def data(text: bytes) -> Play:
    """Send this as the whole answer, or as an event of the stream."""
    return body(lambda asked: b"data: %b\n\n" % text if asked.stream else text)


def status(line: bytes, content: bytes | None = None, headers: bytes = b"") -> Play:
    """Send this status, with a right answer unless told."""
    return closes(
        lambda asked: http(
            asked, asked.body() if content is None else content, status=line, headers=headers
        )
    )


def bare(head: bytes) -> Play:
    """Send a head alone."""
    return closes(lambda asked: b"HTTP/1.1 " + head + b"\r\n\r\n")


def headers(lines: bytes) -> Play:
    """Send a right answer with these headers, and close."""
    return closes(lambda asked: http(asked, asked.body(), headers=lines))


def chunks(size: Callable[[int], bytes]) -> Play:
    """Send a right answer as one chunk of a size that is told thus."""
    return closes(
        lambda asked: unframed(
            asked,
            size(len(asked.body())) + b"\r\n" + asked.body() + b"\r\n0\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n",
        )
    )


def text(new: bytes) -> Play:
    """Send the right answer with this in the place of one of its words."""
    return body(lambda asked: asked.changed(b"Rhine", new))


def count(new: bytes) -> Play:
    """Send the right answer with another number of input tokens."""
    names = {
        "openai": b"prompt_tokens",
        "anthropic": b"input_tokens",
        "gemini": b"promptTokenCount",
    }

    def write(asked: Asked) -> bytes:
        name = names.get(asked.protocol, b"promptTokenCount")
        return asked.changed(b'"%b":10' % name, b'"%b":%b' % (name, new))

    return body(write)


def edited(openai: str, anthropic: str, gemini: str, value: Any) -> Play:
    """Send the right answer with this value at the protocol's own place."""
    places = {"openai": openai, "anthropic": anthropic, "gemini": gemini}

    def write(asked: Asked) -> bytes:
        def edit(answer: dict[str, Any]) -> None:
            if places[asked.protocol] in answer:
                answer[places[asked.protocol]] = value

        return asked.edited(edit)

    return body(write)


def without_end(piece: bytes, pause: float = 0.0) -> Play:
    """Send a body that never ends."""
    return forever(lambda asked: unframed(asked, b""), lambda asked, number: piece, pause)


def finish(asked: Asked) -> bytes:
    """The events that end a stream, as often as they come."""
    return asked.events("x")[-1]


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


_EVIL = b"odd-1\\r\\nX-Evil: 1\\u0000\\u001b[31m"

FRAMING = {
    "a length that is too long, and a close": Odd(
        closes(lambda asked: http(asked, asked.body(), length=len(asked.body()) + 10)),
        BROKEN, FINE, BROKEN,
    ),
    "a length that is too long, and silence": Odd(
        sends(lambda asked: http(asked, asked.body(), length=len(asked.body()) + 10)),
        SLOW, FINE, SLOW,
    ),
    "a length that is too short": both(
        sends(lambda asked: http(asked, asked.body(), length=len(asked.body()) - 10)), BROKEN
    ),
    "a negative length": both(
        closes(lambda asked: http(asked, asked.body(), length=-5)), BROKEN
    ),
    "a length in words": both(
        closes(lambda asked: unframed(asked, asked.body(), b"Content-Length: many\r\n")), BROKEN
    ),
    "a length of nothing": Odd(body(lambda asked: b""), MALFORMED, BROKEN),
    "a length beside chunks": both(
        closes(
            lambda asked: unframed(
                asked, b"0\r\n\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"
            )
        ),
        BROKEN,
    ),
    "a chunk of no size": both(chunks(lambda size: b"zz"), BROKEN),
    "a chunk of negative size": both(chunks(lambda size: b"-1"), BROKEN),
    "a chunk shorter than it is": both(chunks(lambda size: b"%x" % (size - 5)), BROKEN),
    "a chunk longer than it is": Odd(
        chunks(lambda size: b"%x" % (size + 50)), BROKEN, FINE, BROKEN
    ),
    "extensions of chunks": both(chunks(lambda size: b"%x;a=b" % size), FINE),
    "trailers": both(
        sends(lambda asked: chunked(asked, asked.body(), end=b"0\r\nX-Sum: 1\r\n\r\n")), FINE
    ),
    "no last chunk, and a close": Odd(
        closes(lambda asked: chunked(asked, asked.body(), end=b"")), BROKEN, FINE, BROKEN
    ),
    "no last chunk, and silence": Odd(
        sends(lambda asked: chunked(asked, asked.body(), end=b"")), SLOW, FINE, SLOW
    ),
    "a chunk for each byte": both(
        sends(lambda asked: chunked(asked, *(bytes([byte]) for byte in asked.body()))), FINE
    ),
    "compression nobody asked for": Odd(
        sends(
            lambda asked: http(
                asked, gzip.compress(asked.body()), headers=b"Content-Encoding: gzip\r\n"
            )
        ),
        MALFORMED, BROKEN,
    ),
    "an answer twice": both(sends(lambda asked: http(asked, asked.body()) * 2), FINE),
    "a close after an answer that keeps alive": both(
        closes(lambda asked: http(asked, asked.body())), FINE
    ),
    "noise after the answer": both(
        sends(lambda asked: http(asked, asked.body()) + b"\x00noise"), BROKEN
    ),
}  # fmt: skip

HEADS = {
    "HTTP/1.0": both(closes(lambda asked: unframed(asked, asked.body(), version=b"1.0")), FINE),
    "HTTP/0.9": both(closes(lambda asked: asked.body()), BROKEN),
    "HTTP/3.0": both(closes(lambda asked: http(asked, asked.body(), version=b"3.0")), BROKEN),
    "another protocol": both(
        closes(lambda asked: b"ICY 200 OK\r\n\r\n" + asked.body()), BROKEN
    ),
    "no reason": both(status(b"200"), FINE),
    "100 first": both(
        sends(lambda asked: b"HTTP/1.1 100 Continue\r\n\r\n" + http(asked, asked.body())), FINE
    ),
    "103 first": both(
        sends(lambda asked: b"HTTP/1.1 103 Hints\r\nX: 1\r\n\r\n" + http(asked, asked.body())),
        FINE,
    ),
    "101": both(bare(b"101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade"), MALFORMED),
    "204": both(bare(b"204 No Content"), MALFORMED),
    "206": both(status(b"206 Partial Content"), MALFORMED),
    "418": both(status(b"418 Teapot", b"short and stout"), Kind.CALLER),
    "999": both(status(b"999 What"), Kind.UNAVAILABLE),
    "000": both(status(b"000 What"), MALFORMED),
    "a long header": both(headers(b"X: " + b"a" * 8000 + b"\r\n"), FINE),
    "a huge header": both(headers(b"X: " + b"a" * 1_000_000 + b"\r\n"), BROKEN),
    "a hundred headers": both(headers(b"X: 1\r\n" * 100), FINE),
    "thousands of headers": both(headers(b"X: 1\r\n" * 5000), BROKEN),
    "headers without end": both(
        forever(lambda asked: b"HTTP/1.1 200 OK\r\n", lambda asked, number: b"X: 1\r\n" * 50),
        BROKEN,
    ),
    "headers that are no text": both(headers(b"X: \xff\xfe\x01\r\n"), FINE),
    "line ends of one byte": both(
        closes(lambda asked: http(asked, asked.body()).replace(b"\r\n", b"\n")), FINE
    ),
    "no content type": both(
        sends(
            lambda asked: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
            % (len(asked.body()), asked.body())
        ),
        FINE,
    ),
}  # fmt: skip

BODIES = {
    "a page": both(
        sends(lambda asked: http(asked, b"<html>Bad gateway</html>", kind=b"text/html")), MALFORMED
    ),
    "words": Odd(body(lambda asked: b"upstream connect error"), MALFORMED, BROKEN),
    "a whole answer to all": both(
        sends(lambda asked: http(asked, asked.whole(), kind=b"application/json")), FINE
    ),
    "a whole answer called a stream": Odd(
        sends(lambda asked: http(asked, asked.whole(), kind=b"text/event-stream")), FINE, BROKEN
    ),
    "a stream to all": Odd(
        sends(
            lambda asked: http(asked, Asked(asked.protocol, True).body(), kind=b"text/event-stream")
        ),
        MALFORMED, FINE,
    ),
    "a body without end": both(without_end(b" " * 65536), MALFORMED),
    "comments without end": both(without_end(b": still here\n\n", 0.01), SLOW),
    "an error without end": both(
        forever(lambda asked: b"HTTP/1.1 500 No\r\n\r\n", lambda asked, number: b"a" * 65536),
        MALFORMED,
    ),
    "an error that stops": both(
        sends(lambda asked: http(asked, b"{", status=b"500 No", length=9)), SLOW
    ),
    "null": both(data(b"null"), MALFORMED),
    "a number": both(data(b"5"), MALFORMED),
    "an empty object": Odd(data(b"{}"), MALFORMED, BROKEN),
    "an error in words": Odd(data(b'{"error": "boom"}'), MALFORMED, BROKEN),
    "brackets": both(data(deep(100_000)), MALFORMED),
    "an object too deep": both(data(b'{"x": %b}' % deep(100_000)), MALFORMED),
    "an error too deep": both(
        status(b"500 No", b'{"error": %b}' % deep(100_000)), Kind.UNAVAILABLE
    ),
    "an error that is no text": both(
        status(b"500 No", b'{"error": {"message": "\xff"}}'), Kind.UNAVAILABLE
    ),
    "a byte order mark and CRLF": Odd(
        body(lambda asked: b"\xef\xbb\xbf" + asked.body().replace(b"\n", b"\r\n")), MALFORMED, FINE
    ),
    "CR": both(body(lambda asked: asked.body().replace(b"\n", b"\r")), FINE),
}  # fmt: skip

ANSWERS = {
    "not a number": both(edited("model", "type", "modelVersion", float("nan")), MALFORMED),
    "a time of 1e300": both(edited("created", "created", "created", 1e300), FINE),
    "more tokens than a file holds": both(count(b"%d" % 2**70), FINE),
    "fewer tokens than none": both(count(b"-5"), FINE),
    "tokens in words": both(count(b'"ten"'), MALFORMED),
    "an end for no known reason": both(
        body(
            lambda asked: asked.body()
            .replace(b'"stop"', b'"banana"')
            .replace(b'"end_turn"', b'"banana"')
            .replace(b'"STOP"', b'"BANANA"')
        ),
        FINE,
    ),
    "an end for no reason": both(
        body(
            lambda asked: asked.body()
            .replace(b'"stop"', b"null")
            .replace(b'"end_turn"', b"null")
            .replace(b'"STOP"', b"null")
        ),
        BROKEN,
    ),
    "too few log-probabilities": both(body(lambda asked: asked.with_logprobs(1)), FINE),
    "too many log-probabilities": both(body(lambda asked: asked.with_logprobs(1000)), FINE),
    "log-probabilities above 0": both(
        body(lambda asked: asked.with_logprobs(3).replace(b"-0.1", b"5")), FINE
    ),
    "a token of a megabyte": both(body(lambda asked: asked.body(LONG)), FINE),
    "an id of a megabyte": both(body(lambda asked: asked.changed(b"id-1", b"i" * 1_000_000)), FINE),
    "a model with control characters": both(
        body(lambda asked: asked.changed(b"odd-1", _EVIL)), FINE
    ),
    "a model that is a number": both(
        body(lambda asked: asked.changed(b'"odd-1"', b"5")), MALFORMED
    ),
    "bytes that are no text": both(text(b"Rh\xffne"), MALFORMED),
    "half a surrogate": both(text(b"Rh\\ud800ne"), MALFORMED),
    "a raw control character": both(text(b"Rh\x01ne"), MALFORMED),
    "the last word twice": both(
        body(lambda asked: asked.body() + (finish(asked) if asked.stream else b"")), FINE
    ),
    "text after the last word": Odd(
        body(lambda asked: asked.body() + b"data: {}\n\n" * asked.stream), FINE, FINE
    ),
}  # fmt: skip

ODDITIES = {"framing": FRAMING, "heads": HEADS, "bodies": BODIES, "answers": ANSWERS}

MOVED = {
    "301 to itself": status(b"301 Moved", b"", b"Location: /v1/chat/completions\r\n"),
    "307 elsewhere": status(b"307 Moved", b"", b"Location: http://127.0.0.1:1/\r\n"),
}

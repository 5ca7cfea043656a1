"""Ask an emulator in any protocol, as a client that sees every byte."""

from __future__ import annotations

import json
import socket
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cascade.learning.trace import RecordedAnswer, Recording, Row
from cascade.types import ProtocolName, Response
from cascade.wire.codec import Reader
from cascade.wire.codecs import CODECS
from cascade.wire.sse import SseReader

PROTOCOLS: tuple[ProtocolName, ...] = ("openai", "anthropic", "gemini")
PATIENCE = 30.0  # seconds: a machine that does other work too

TEXT = "The Rhine and the Moselle meet there."


def rivers(*models: str) -> Recording:
    """A recording of one prompt, which these models answered alike."""
    answer = RecordedAnswer(text=TEXT, input_tokens=21, output_tokens=10)
    return Recording([Row(prompt="Which rivers?", answers=dict.fromkeys(models, answer))])


class Heard(msgspec.Struct):
    """What came over the connection: how it ended (``end``, ``reset`` or ``waiting``), the
    status line and headers, the body without its chunks."""

    end: str
    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        """The status."""
        return int(self.head.split(b" ", 2)[1])

    @property
    def clean(self) -> bool:
        """Whether the body came to the end that its headers promised."""
        return self.end == "end" and _unchunked(self.head, self.body)[1]

    def response(self, protocol: ProtocolName, stream: bool) -> Response:
        """Read the answer, or raise what its codec raises."""
        body = _unchunked(self.head, self.body)[0]
        return read_stream(protocol, body).response() if stream else _whole(protocol, body)

    def read(self, protocol: ProtocolName) -> Reader:
        """Read a stream as far as it goes."""
        return read_stream(protocol, _unchunked(self.head, self.body)[0])

    @property
    def content(self) -> bytes:
        """The body, its chunks joined."""
        return _unchunked(self.head, self.body)[0]


def read_stream(protocol: ProtocolName, body: bytes) -> Reader:
    """Read a stream's events."""
    reader = CODECS[protocol].reader()
    for event in SseReader().feed(body):
        reader.feed(event.data)
    return reader


def request(
    protocol: ProtocolName, stream: bool, model: str = "small", prompt: str = "Which rivers?"
) -> tuple[str, dict[str, Any]]:
    """Return path and body of a request."""
    messages = [{"role": "user", "content": prompt}]
    match protocol:
        case "openai":
            return "/v1/chat/completions", {"model": model, "messages": messages, "stream": stream}
        case "anthropic":
            asked = {"model": model, "messages": messages, "stream": stream, "max_tokens": 1000}
            return "/v1/messages", asked
        case "gemini":
            method = "streamGenerateContent?alt=sse" if stream else "generateContent"
            contents = [{"role": "user", "parts": [{"text": prompt}]}]
            return f"/v1beta/models/{model}:{method}", {"contents": contents}


def connect(url: str, path: str, body: dict[str, Any], patience: float = PATIENCE) -> socket.socket:
    """Send a request and return the connection on which the answer comes."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=patience)
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    connection.sendall(head.encode() + content)
    return connection


def ask(
    url: str, path: str, body: dict[str, Any], patience: float = PATIENCE, until: bytes = b""
) -> Heard:
    """Send a request and hear the answer: to its end, or ``until`` these bytes came."""
    received, end = bytearray(), "waiting"
    with connect(url, path, body, patience) as connection:
        try:
            while not (until and until in received):
                if not (part := connection.recv(65536)):
                    end = "end"
                    break
                received += part
        except TimeoutError:
            pass
        except ConnectionResetError:
            end = "reset"
    head, _, rest = bytes(received).partition(b"\r\n\r\n")
    return Heard(end, head, rest)


def delivered(url: str) -> dict[str, Any]:
    """What the emulator has counted."""
    with urllib.request.urlopen(f"{url}/emulator/delivered") as response:
        body: dict[str, Any] = json.load(response)
    return body


def _whole(protocol: ProtocolName, body: bytes) -> Response:
    return CODECS[protocol].decode_response(body)


def _unchunked(head: bytes, body: bytes) -> tuple[bytes, bool]:
    """Return the body, and whether it came to its end."""
    lowered = head.lower()
    if b"transfer-encoding: chunked" not in lowered:
        length = lowered.rpartition(b"content-length: ")[2].partition(b"\r\n")[0]
        return body, not length.isdigit() or int(length) == len(body)
    parts = bytearray()
    while body:
        size, _, body = body.partition(b"\r\n")
        length_ = int(size, 16)
        if not length_:
            return bytes(parts), True
        parts += body[:length_]
        body = body[length_ + 2 :]
    return bytes(parts), False

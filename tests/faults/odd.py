"""A provider in three protocols that answers, down to the byte, as no provider should."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from cascade.types import Delta, Message, ProtocolName, Response, TokenLogprob, Usage
from cascade.wire.codecs import CODECS
from tests.providers.rawserver import Peer, Script

TEXT = "The Rhine and the Moselle."
LONG = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=1_000_000))
GOOD = "What is good?"
_NAMED = re.compile(rb"What is ([^?]+) to you\?")
_PATHS: dict[bytes, ProtocolName] = {b"/completions": "openai", b"/messages": "anthropic"}


def odd(name: str) -> str:
    """A prompt that is answered as the name says."""
    return f"What is {name} to you?"


class Asked(msgspec.Struct, frozen=True):
    """What a client wants: in which protocol, whole or streamed."""

    protocol: ProtocolName
    stream: bool

    @property
    def kind(self) -> bytes:
        """The content type of its answer."""
        return b"text/event-stream" if self.stream else b"application/json"

    def body(self, text: str = TEXT, **more: Any) -> bytes:
        """A right answer: its body, or all of its events."""
        return b"".join(self.events(text)) if self.stream else self.whole(text, **more)

    def whole(self, text: str = TEXT, **more: Any) -> bytes:
        """A right answer's body."""
        response = Response(
            Message("assistant", text),
            "stop",
            model="odd-1",
            id="id-1",
            created=1_700_000_000,
            usage=Usage(10, 5),
            **more,
        )
        return CODECS[self.protocol].encode_response(response)

    def events(self, *texts: str) -> list[bytes]:
        """A right answer's events, one element for each piece of text; the opening goes with the
        first, the last element is the end."""
        writer = CODECS[self.protocol].writer("id-1", 1_700_000_000, "odd-1", True)
        pieces = [writer.write(Delta(text)) for text in texts]
        pieces[0] = writer.start(Usage(10, 0)) + pieces[0]
        end = writer.write(Delta(finish_reason="stop")) + writer.end(Usage(10, 5))
        return [*pieces, end]

    def with_logprobs(self, count: int) -> bytes:
        """A right answer with so many log-probabilities, which are not its text's."""
        if self.stream:
            writer = CODECS[self.protocol].writer("id-1", 1, "odd-1", True)
            tokens = tuple(TokenLogprob("x", -0.1) for _ in range(count))
            piece = writer.start() + writer.write(Delta(TEXT, logprobs=tokens))
            finish = writer.write(Delta(finish_reason="stop"))
            return piece + finish + writer.end(Usage(10, 5))
        return self.whole(logprobs=tuple(TokenLogprob("x", -0.1) for _ in range(count)))

    def changed(self, old: bytes, new: bytes) -> bytes:
        """A right answer with some of its bytes changed."""
        body = self.body()
        assert old in body, (old, body)
        return body.replace(old, new)

    def edited(self, edit: Callable[[dict[str, Any]], None]) -> bytes:
        """A right answer, each of its JSON objects edited."""
        if not self.stream:
            value = json.loads(self.body())
            edit(value)
            return json.dumps(value).encode()
        lines = []
        for line in self.body().split(b"\n"):
            if line.startswith(b"data: {"):
                value = json.loads(line[6:])
                edit(value)
                line = b"data: " + json.dumps(value).encode()
            lines.append(line)
        return b"\n".join(lines)


def http(
    asked: Asked,
    body: bytes,
    *,
    status: bytes = b"200 OK",
    version: bytes = b"1.1",
    length: int | None = None,
    kind: bytes | None = None,
    headers: bytes = b"",
) -> bytes:
    """A response with a body of stated length, the true one unless told."""
    size = len(body) if length is None else length
    return (
        b"HTTP/%s %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n"
        % (version, status, asked.kind if kind is None else kind, size, headers)
    ) + body


def unframed(asked: Asked, body: bytes, framing: bytes = b"", version: bytes = b"1.1") -> bytes:
    """A response whose body ends with the connection, unless ``framing`` says otherwise."""
    head = b"HTTP/%s 200 OK\r\nContent-Type: %s\r\n%s\r\n" % (version, asked.kind, framing)
    return head + body


def chunked(asked: Asked, *pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A response in chunks."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end
    return unframed(asked, body, b"Transfer-Encoding: chunked\r\n")


Play = Callable[[Peer, Asked], Awaitable[None]]
Write = Callable[[Asked], bytes]


def sends(write: Write) -> Play:
    """Send these bytes, and leave the connection open."""

    async def play(peer: Peer, asked: Asked) -> None:
        await peer.send(write(asked))

    return play


def closes(write: Write) -> Play:
    """Send these bytes, and close the connection."""

    async def play(peer: Peer, asked: Asked) -> None:
        await peer.send(write(asked))
        peer.close()

    return play


def forever(head: Write, piece: Callable[[Asked, int], bytes], pause: float = 0.0) -> Play:
    """Send pieces, ``pause`` seconds apart, until the client has gone."""

    async def play(peer: Peer, asked: Asked) -> None:
        await peer.send(head(asked))
        number = 0
        while not peer.writer.is_closing():
            await peer.send(piece(asked, number))
            number += 1
            await asyncio.sleep(pause)

    return play


def provider(plays: Mapping[str, Play]) -> Script:
    """Plays what a prompt of ``odd`` names, and answers any other request rightly."""

    async def script(peer: Peer) -> None:
        while (body := await peer.request()) is not None:
            asked = _asked(peer.heads[-1], body)
            named = _NAMED.search(body)
            if named is not None:
                await plays[named[1].decode()](peer, asked)
            else:
                await peer.send(http(asked, asked.body()))

    return script


def _asked(head: bytes, body: bytes) -> Asked:
    path = head.split(b" ", 2)[1]
    known = (name for end, name in _PATHS.items() if path.endswith(end))
    stream = b"streamGenerateContent" in path or bool(json.loads(body).get("stream"))
    return Asked(next(known, "gemini"), stream)

"""A server on loopback that does to each connection what a script says, down to the byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["BOUND", "CHUNKED", "OK", "Peer", "Script", "Server", "answer", "serve"]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BOUND = 30.0  # generous: it only ends a test that hangs
NO_LINGER = struct.pack("ii", 1, 0)


class Peer:
    """One accepted connection.

    Attributes:
        number: 0 for the server's first connection, and so on.
        heads: the heads of the requests that came over it.
    """

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer
        self.heads: list[bytes] = []

    async def request(self) -> bytes | None:
        """The next request's body, or None once the client has closed the connection."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        self.heads.append(head)
        lines = head.lower().split(b"\r\n")
        sizes = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
        try:
            return await self.reader.readexactly(sizes[0] if sizes else 0)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def read(self) -> bytes:
        """What comes next; empty once the client has closed the connection."""
        try:
            return await self.reader.read(65536)
        except ConnectionError:
            return b""

    async def send(self, data: bytes) -> None:
        if self.writer.is_closing():
            return
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def gone(self) -> None:
        """Return once the client has closed the connection."""
        while await self.read():
            pass

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Close with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


async def answer(peer: Peer) -> None:
    """The plain script: 200 ``ok`` to every request."""
    while await peer.request() is not None:
        await peer.send(OK)


class Server:
    """What the test sees of the server.

    Attributes:
        peers: the connections so far, in order of acceptance.
    """

    def __init__(self, script: Script) -> None:
        self.port = 0
        self.scheme = "http"
        self.peers: list[Peer] = []
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepted = asyncio.Event()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> int:
        return sum(len(peer.heads) for peer in self.peers)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(len(self.peers), reader, writer)
        self.peers.append(peer)
        task = asyncio.create_task(self._run(peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._accepted.set()

    async def _run(self, peer: Peer) -> None:
        try:
            await self._script(peer)
        finally:
            peer.close()

    async def accepted(self) -> Peer:
        """The first connection, as soon as there is one."""
        await self._accepted.wait()
        return self.peers[0]

    async def settled(self) -> None:
        """Return once every connection so far has run its script to its end."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for peer in self.peers:
            peer.writer.transport.abort()


@contextlib.asynccontextmanager
async def serve(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run a server on a free port of 127.0.0.1 while the block runs, ``BOUND`` seconds at most."""
    server = Server(script)
    listener = await asyncio.start_server(server.accept, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    server.scheme = "https" if tls else "http"
    async with listener, asyncio.timeout(BOUND):
        try:
            yield server
        finally:
            await server.stop()

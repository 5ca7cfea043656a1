"""The load: a process of its own that sends requests over raw connections and takes the time.

``python -m benchmarks.load`` reads orders from its standard input, one line of JSON each, and
writes what came of each as a line. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlsplit

import msgspec

from benchmarks.children import Child
from benchmarks.prompts import SYSTEM, turn
from benchmarks.rounds import Sample, percentile
from benchmarks.running import run, stdin_lines

NUMBER = "0000000000"
"""What stands in a body for the request's number."""

PATH = "/v1/chat/completions"


class Order(msgspec.Struct, frozen=True):
    """So many requests over so many connections.

    Requests are numbered from ``first``; with a ``span`` the numbers repeat after as many. The
    time of the first byte is that of the first one of ``mark`` in the body: a server may send
    something of its own before it has anything of the provider's.
    """

    url: str
    body: str
    connections: int
    requests: int
    first: int = 0
    span: int = 0
    mark: str = ""


def body(model: str = "auto", *, stream: bool = False) -> str:
    """A request of some 1,100 bytes whose prompt carries its number."""
    asked: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": turn(NUMBER)},
        ],
    }
    return msgspec.json.encode(asked | ({"stream": True} if stream else {})).decode()


class Load:
    """The other side of the process: give it orders, get samples."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def __call__(self, order: Order, server: Child | None = None) -> Sample:
        """Carry out an order; ``server`` is the process whose CPU is to be counted.

        Raises:
            ValueError: a response was no success; the message has it.
        """
        before = None if server is None else server.cpu()
        told = self._child.ask(msgspec.json.encode(order))
        if "error" in told:
            raise ValueError(f"{order.url}: {told['error']}")
        after = None if server is None else server.cpu()
        sample = msgspec.convert(told, Sample)
        if before is None or after is None:
            return sample
        return msgspec.structs.replace(sample, cpu=(after - before) / order.requests)


class _Job:
    """An order under way: what is next, and what came back."""

    def __init__(self, order: Order) -> None:
        self._requests = _requests(order)
        self._left = order.requests
        self.mark = order.mark.encode()
        self.latencies: list[float] = []
        self.firsts: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def next(self) -> bytes | None:
        return next(self._requests, None)

    def landed(self, latency: float, first: float) -> None:
        self.latencies.append(latency)
        self.firsts.append(first)
        self._left -= 1
        if not self._left and not self.done.done():
            self.done.set_result(None)

    def fail(self, words: str) -> None:
        if not self.done.done():
            self.done.set_exception(ValueError(words))


def _requests(order: Order) -> Iterator[bytes]:
    host = urlsplit(order.url).netloc
    content = order.body.encode()
    head = (
        f"POST {urlsplit(order.url).path}{PATH} HTTP/1.1\r\nhost: {host}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    before, mark, after = (head.encode() + content).partition(NUMBER.encode())
    for number in range(order.first, order.first + order.requests):
        shown = number % order.span if order.span else number
        yield before + b"%010d" % shown + after if mark else before


class _Connection(asyncio.Protocol):
    """Sends a request, takes the time until the end of its response, sends the next."""

    def __init__(self, job: _Job) -> None:
        self._job = job
        self._idle = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one by duck typing

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._idle:
            self._job.fail(f"the connection was lost: {exc or 'closed by the server'}")

    def go(self) -> None:
        """Send the next request, if there is one."""
        request = self._job.next()
        self._idle = request is None
        if request is None:
            return
        self._buffer = b""
        self._body = 0  # where it begins
        self._end: int | None = None  # where it ends; None where it is chunked
        self._first = 0.0
        self._began = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._body and not self._read_head():
            return
        if not self._first and self._buffer.find(self._job.mark, self._body) >= 0:
            self._first = time.perf_counter() - self._began
        if self._end is None:
            if not self._buffer.endswith(b"0\r\n\r\n"):
                return
        elif len(self._buffer) < self._end:
            return
        if not self._buffer.startswith(b"HTTP/1.1 200"):
            self._job.fail(self._buffer[:2000].decode(errors="replace"))
            return
        self._job.landed(time.perf_counter() - self._began, self._first)
        self.go()

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._body = end + 4
        length = self._buffer[:end].lower().partition(b"\r\ncontent-length:")[2]
        self._end = self._body + int(length.partition(b"\r\n")[0]) if length else None
        return True


async def _carry_out(order: Order) -> Sample:
    loop = asyncio.get_running_loop()
    job = _Job(order)
    url = urlsplit(order.url)
    host, port = url.hostname or "", url.port or 0
    connections = [
        (await loop.create_connection(lambda: _Connection(job), host, port))[1]
        for _ in range(order.connections)
    ]
    began = time.perf_counter()
    try:
        for connection in connections:
            connection.go()
        await job.done
    finally:
        for connection in connections:
            connection.transport.abort()
    seconds = time.perf_counter() - began
    return Sample(
        p50=percentile(job.latencies, 0.5),
        p99=percentile(job.latencies, 0.99),
        rate=order.requests / seconds,
        first=percentile(job.firsts, 0.5),
    )


async def _serve() -> None:
    reader = await stdin_lines()
    sys.stdout.write("{}\n")
    sys.stdout.flush()
    while line := await reader.readline():
        try:
            sample = await _carry_out(msgspec.json.decode(line, type=Order))
            told = msgspec.json.encode(sample)
        except (OSError, ValueError) as error:
            told = msgspec.json.encode({"error": str(error)})
        sys.stdout.write(told.decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run(_serve())

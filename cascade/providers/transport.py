"""The only module that knows the HTTP client: aiohttp behind httpx's transport interface.

httpx's own pool collapses under concurrency and can answer ``PoolTimeout`` for ever after cancelled
requests; aiohttp's does neither. Users may pass any other ``httpx.AsyncBaseTransport`` instead.

Every failure is one of httpx's exceptions, without a cause: aiohttp's own errors carry the
request's headers, hence the key.
"""

from __future__ import annotations

import asyncio
import math
import re
import ssl
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from time import monotonic
from typing import ClassVar, Final, NamedTuple
from weakref import WeakSet

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from cascade.errors import Closed
from cascade.providers.route import Route, Routes

__all__ = ["AiohttpTransport", "default_transport"]

# A server that closes an idle connection does so within a round trip of our bytes' arrival. One
# that closes later had taken the request, and sending it again could be billed twice.
RACE_SECONDS: Final = 1.0
# Bodies up to SMALL go into the socket's buffer at once. Larger ones go in pieces, above aiohttp's
# limit of 64 KiB, so that each waits, under the write clock, until the one before has left.
SMALL: Final = 32 * 1024
PIECE: Final = 128 * 1024
MAX_LINE: Final = 16 * 1024
MAX_FIELDS: Final = 128

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(rb"[\t\x20-\x7e]*")
# aiohttp frames the body itself; a length of the caller's could contradict it.
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
# What is sent unless the caller says otherwise.
_DEFAULTS: Final = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "cascade"}

# Whom to tell that a request leaves. aiohttp has no place for it, but sends the request in the task
# that asked; the one that opens a proxy's tunnel is of another class, and says nothing.
# It stands in a cell that is emptied afterwards: what is set up meanwhile, a connection and its
# timers, keeps the context for its own life, and would keep the request with it.
_TELL_SENT: Final[ContextVar[list[Callable[[], None]]]] = ContextVar("tell_sent")

# What aiohttp's errors mean: the first line that fits. Before a connection stands, a bad answer is
# the proxy's; afterwards it is the server's.
_Meanings = tuple[tuple[type[Exception], type[httpx.TransportError]], ...]
_CONNECTING: Final[_Meanings] = (
    (TimeoutError, httpx.ConnectTimeout),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientResponseError, httpx.ProxyError),
    (aiohttp.ServerDisconnectedError, httpx.ProxyError),
    (aiohttp.ClientConnectionError, httpx.ConnectError),
    (Exception, httpx.LocalProtocolError),
)
_ANSWERING: Final[_Meanings] = (
    (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
    (TimeoutError, httpx.WriteTimeout),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientConnectionError, httpx.ReadError),
    (Exception, httpx.RemoteProtocolError),
)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends requests over pooled connections of one event loop.

    No redirects, no cookies, no decompression: the body's bytes come as they were sent. Clocks are
    httpx's: ``request.extensions["timeout"]`` with ``connect``, ``read``, ``write`` and ``pool`` in
    seconds; an absent one never ends. ``extensions["sent"]`` is called, without arguments, when a
    connection is had and the request is about to be written: until then no byte of it has left.
    Proxies are the environment's at construction, unless ``extensions["proxy"]`` names one;
    ``extensions["ca"]`` is the path of the only authorities to trust, in place of all others.

    Args:
        max_connections: requests that hold a connection at once; more wait, under the pool clock.
        keepalive: seconds an idle connection is kept.
        ssl_context: whom to trust; else ``SSL_CERT_FILE``, ``SSL_CERT_DIR``, or certifi's roots.
        resolver: who answers names; else the system.
        dns_ttl: seconds an answer of the resolver is kept.
    """

    tells_sent: ClassVar[bool] = True

    def __init__(
        self,
        *,
        max_connections: int = 500,
        keepalive: float = 55.0,
        ssl_context: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
        dns_ttl: int = 10,
    ) -> None:
        self._max_connections = max_connections
        self._keepalive = keepalive
        self._resolver = resolver
        self._dns_ttl = dns_ttl
        self._routes = Routes(urllib.request.getproxies(), ssl_context)
        self._slots = asyncio.Semaphore(max_connections)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._streams: WeakSet[_Stream] = WeakSet()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the response comes with its head, its body is still to be read.

        Raises:
            httpx.TransportError: no response was had; the class says why.
            cascade.errors.Closed: the transport was closed.
        """
        extensions = request.extensions
        route = self._routes.to(request.url, extensions.get("proxy"), extensions.get("ca"))
        clocks: Mapping[str, float | None] = extensions.get("timeout", {})
        content = await request.aread()
        call = _Call(
            method=request.method,
            route=route,
            headers=_headers(request.headers.raw),
            body=_Body(content, clocks.get("write")) if content else None,
            clocks=clocks,
        )
        await self._take_slot(clocks.get("pool"))
        cell = [tell] if (tell := extensions.get("sent")) is not None else []
        told = _TELL_SENT.set(cell)
        try:
            answer = await self._send(call)
        except BaseException:
            self._slots.release()
            raise
        finally:
            _TELL_SENT.reset(told)
            cell.clear()
        if answer.connection is None:  # the whole body came with the head
            self._slots.release()
        else:
            answer.connection.add_callback(self._slots.release)
        stream = _Stream(answer, call)
        self._streams.add(stream)
        reason = (answer.reason or "").encode("ascii", "ignore")
        return httpx.Response(
            answer.status,
            headers=answer.raw_headers,
            stream=stream,
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": reason},
        )

    async def aclose(self) -> None:
        """Cut what is still running and close the idle connections."""
        self._closed = True
        for stream in list(self._streams):
            stream.cut()
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def _take_slot(self, clock: float | None) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(clock):
                await self._slots.acquire()
        except TimeoutError:
            text = f"all {self._max_connections} connections were in use for {clock} s"
            raise httpx.PoolTimeout(text) from None

    async def _send(self, call: _Call, *, fresh: bool = False) -> aiohttp.ClientResponse:
        """Send once, and once more on a fresh connection if a used one was closed unread."""
        session = self._session(fresh)
        timeout = aiohttp.ClientTimeout(
            connect=_clock(call.clocks.get("connect")),
            sock_read=_clock(call.clocks.get("read")),
            ceil_threshold=math.inf,
        )
        try:
            return await session.request(
                call.method,
                call.route.url,
                headers=call.headers,
                data=call.body,
                proxy=call.route.proxy,
                ssl=call.route.ssl,
                timeout=timeout,
                allow_redirects=False,
            )
        except _Unanswered as exc:
            failure = None if exc.unread and not fresh else call.failure(exc.reason, _ANSWERING)
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            failure = call.failure(exc, _CONNECTING)
        if failure is None:
            return await self._send(call, fresh=True)
        raise failure

    def _session(self, fresh: bool) -> aiohttp.ClientSession:
        """The session of the pool, or the one whose connections serve a single request."""
        if self._closed:
            raise Closed("the transport was closed")
        if fresh not in self._sessions:
            connector = aiohttp.TCPConnector(
                limit=0,  # the slots are the limit: their wait has a clock of its own
                force_close=fresh,
                keepalive_timeout=None if fresh else self._keepalive,
                resolver=self._resolver,
                ttl_dns_cache=self._dns_ttl,
            )
            self._sessions[fresh] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_DEFAULTS,
                request_class=_Request,
                response_class=_Response,
                auto_decompress=False,
                trust_env=False,
                max_line_size=MAX_LINE,
                max_field_size=MAX_LINE,
                max_headers=MAX_FIELDS,
            )
        return self._sessions[fresh]


def default_transport(*, max_connections: int = 500) -> httpx.AsyncBaseTransport:
    """The transport that is used unless the caller brings one."""
    return AiohttpTransport(max_connections=max_connections)


class _Call(NamedTuple):
    """One request, in aiohttp's terms."""

    method: str
    route: Route
    headers: list[tuple[str, str]]
    body: _Body | None
    clocks: Mapping[str, float | None]

    def failure(self, exc: Exception, meanings: _Meanings) -> httpx.TransportError:
        """The httpx exception that says what ``exc`` means, without URL or headers."""
        kind = next(meaning for error, meaning in meanings if isinstance(exc, error))
        if kind is httpx.ReadError and self.body is not None and not self.body.sent:
            kind = httpx.WriteError
        if issubclass(kind, httpx.TimeoutException):
            clock = kind.__name__.removesuffix("Timeout").lower()
            detail = f"the {clock} clock of {self.clocks.get(clock)} s ran out"
        elif isinstance(exc, aiohttp.ClientResponseError):
            detail = f"{_without_quotation(exc.message)} ({exc.status})"
        elif isinstance(exc, aiohttp.ClientConnectorError | aiohttp.ClientPayloadError):
            detail = _without_quotation(str(exc))
        else:
            detail = type(exc).__name__
        return kind(f"{self.route.url.raw_host}:{self.route.url.port}: {detail}")


class _Body(aiohttp.Payload):
    """A request's body, written in pieces under the write clock."""

    def __init__(self, content: bytes, clock: float | None) -> None:
        super().__init__(content)
        self._size = len(content)
        self._content = content
        self._clock = clock
        self.sent = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._content.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.sent = False
        if len(self._content) <= SMALL:
            await writer.write(self._content)
        else:
            for start in range(0, len(self._content), PIECE):
                async with asyncio.timeout(self._clock):
                    await writer.write(self._content[start : start + PIECE])
        self.sent = True

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        await self.write(writer)


class _Unanswered(aiohttp.ClientError):
    """A request left, and no head of a response came. ``unread``: it can be sent again."""

    def __init__(self, reason: Exception, unread: bool) -> None:
        self.reason = reason
        self.unread = unread


class _Request(aiohttp.ClientRequest):
    """A request that does not go over a connection with something left in it.

    aiohttp would take bytes that came while the connection was idle for the answer.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if conn.protocol is None or conn.protocol.should_close:
            reason = aiohttp.ClientPayloadError("an answer came before the request was sent")
            raise _Unanswered(reason, unread=True)
        for tell in _TELL_SENT.get(()):
            tell()
        return await super().send(conn)


class _Response(aiohttp.ClientResponse):
    """A response that knows whether its connection was used before."""

    _used: ClassVar[WeakSet[ResponseHandler]] = WeakSet()

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        protocol, socket = connection.protocol, connection.transport
        reused = protocol in self._used
        if protocol is not None and not reused:
            self._used.add(protocol)
        began = monotonic()
        try:
            return await super().start(connection)
        except BaseException as exc:
            if socket is not None:
                socket.abort()  # a close would first send what is left of the request
            if not isinstance(exc, Exception):
                raise
            in_time = monotonic() - began < RACE_SECONDS
            raise _Unanswered(exc, reused and in_time and _unread(exc)) from exc


class _Stream(httpx.AsyncByteStream):
    """The body of a response, each piece as it arrives."""

    def __init__(self, answer: aiohttp.ClientResponse, call: _Call) -> None:
        self._answer = answer
        self._call = call
        self._protocol = answer.connection.protocol if answer.connection else None
        self._framed = "Content-Length" in answer.headers or "Transfer-Encoding" in answer.headers

    async def __aiter__(self) -> AsyncIterator[bytes]:
        failure: Exception | None = None
        try:
            while piece := await self._answer.content.readany():
                yield piece
            if not self._framed:
                failure = self._reset()
        except (aiohttp.ClientError, OSError, RuntimeError) as exc:
            failure = self._reset() or exc
        finally:
            self.cut()
        if failure is not None:
            raise self._call.failure(failure, _ANSWERING)

    async def aclose(self) -> None:
        self.cut()

    def cut(self) -> None:
        """Close the connection, unless the body came to its end: then the pool has it back."""
        connection = self._answer.connection
        if connection is not None:
            if connection.transport is not None:
                connection.transport.abort()
            self._answer.close()

    def _reset(self) -> OSError | None:
        """What broke the connection: aiohttp takes a reset for the end of an unframed body."""
        reason = self._protocol.exception() if self._protocol is not None else None
        return reason if isinstance(reason, OSError) else None


def _without_quotation(words: str) -> str:
    """aiohttp's words on one line, without the bytes that it could not read: it quotes them below
    a blank line, or after ``reading``, and they may be a part of the answer."""
    said = words.replace("\\n", "\n").partition("\n\n")[0].partition(" when reading:")[0]
    return " ".join(said.split()).rstrip(":")


def _unread(exc: Exception) -> bool:
    """Whether the connection was closed before any byte of a response."""
    if isinstance(exc, aiohttp.ServerDisconnectedError):
        return isinstance(exc.message, str)  # else it is the part of a head that came
    return isinstance(exc, aiohttp.ClientOSError)


def _headers(raw: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    headers = []
    for name, value in raw:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            text = (
                f"header {name!r}: a name is a token, a value printable ASCII without line breaks"
            )
            raise httpx.LocalProtocolError(text)
        if name.lower() not in _FRAMING:
            headers.append((name.decode("ascii"), value.decode("ascii")))
    return headers


def _clock(seconds: float | None) -> float | None:
    return None if seconds is None else max(seconds, 0.001)  # aiohttp takes 0 for no limit

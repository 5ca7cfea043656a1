"""One call to one endpoint: the codec, the transport and the clocks, put together."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator, Callable

import httpx

from cascade.errors import CascadeError, RequestError
from cascade.providers.watchdog import Clock, Watchdog
from cascade.types import Clocks, Delta, Endpoint, Kind, RateLimits, Request, Response
from cascade.wire.codec import Asking, Codec, Reader
from cascade.wire.codecs import CODECS
from cascade.wire.failures import CallFailure, Malformed, classify
from cascade.wire.limits import rate_limits
from cascade.wire.sse import SseEvent, SseReader

_TLS_DETAIL = re.compile(r" ssl:(?:<.*?>|\w+)")  # aiohttp names the context, which says nothing

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of an answer beyond which it is called malformed: no provider sends as many."""

PATIENCE = 0.01
"""Seconds that a stream's connection gets to end after ``[DONE]``; then it is closed. Most servers
send both in one go, and a new connection costs more than this."""


class Progress:
    """What a call has brought so far; it outlives the call's failure, for the bill.

    Times are the event loop's. ``sent_at`` is when the request may have begun to reach the
    provider, ``status`` that of its answer, ``first_at`` and ``last_at`` are of pieces of it.
    ``accounted`` says that the usage came with or after the answer's end: nothing was added to it.
    ``body`` counts the bytes of an answer that comes whole. ``on_limits`` hears
    what the answer's headers say of rate limits, when they arrive.
    """

    def __init__(
        self,
        on_delta: Callable[[Delta], None] | None = None,
        on_limits: Callable[[RateLimits], object] = bool,
    ) -> None:
        self.on_delta, self.on_limits = on_delta, on_limits
        self.sent_at: float | None = None
        self.status: int | None = None
        self.first_at: float | None = None
        self.last_at: float | None = None
        self.accounted = False
        self.body = 0
        self.reader: Reader | None = None

    def leaves(self) -> None:
        """The request is being written, or may be for all that is known."""
        if self.sent_at is None:
            self.sent_at = asyncio.get_running_loop().time()

    @property
    def may_cost(self) -> bool:
        """Whether the provider may have worked: it began to answer, or has not said that it did
        not. A request that did not leave, and an error's status, cost nothing."""
        return self.sent_at is not None if self.status is None else self.status == 200

    def unseen_s(self, now: float) -> float:
        """Seconds in which a model may have made what nobody received: before the first piece,
        and after the last one unless the answer had ended."""
        if self.sent_at is None:
            return 0.0
        if self.first_at is None or self.last_at is None:
            return now - self.sent_at
        ended = self.reader is not None and self.reader.complete
        return self.first_at - self.sent_at + (0.0 if ended else now - self.last_at)

    def partial(self) -> Response | None:
        """The part of a streamed answer that has arrived."""
        return None if self.reader is None else self.reader.partial()


class Caller:
    """An endpoint that can be called. It holds the key, and never shows it.

    A transport with a true ``tells_sent`` calls ``request.extensions["sent"]`` when a request is
    about to be written. With any other, each request that was handed to it counts as sent.
    """

    def __init__(
        self, endpoint: Endpoint, key: str | None, transport: httpx.AsyncBaseTransport
    ) -> None:
        self.endpoint = endpoint
        self._transport = transport
        self._tells_sent = bool(getattr(transport, "tells_sent", False))
        self._codec: Codec = CODECS[endpoint.protocol]
        self._urls = {stream: self._address(stream) for stream in (False, True)}
        headers = [
            ("Host", self._urls[False].netloc.decode("ascii")),
            ("Content-Type", "application/json"),
            ("Accept-Encoding", "identity"),
            ("User-Agent", "cascade"),
            *endpoint.headers,
        ]
        if key is not None:
            bearer = endpoint.key_header == "authorization"
            headers.append((endpoint.key_header, f"Bearer {key}" if bearer else key))
        self._headers = httpx.Headers(headers)
        own = {"proxy": endpoint.proxy, "ca": endpoint.ca}
        self._way = {name: value for name, value in own.items() if value is not None}

    def _address(self, stream: bool) -> httpx.URL:
        endpoint = self.endpoint
        url = httpx.URL(self._codec.address(endpoint.base_url, endpoint.model, stream))
        return url.copy_merge_params(dict(endpoint.query)) if endpoint.query else url

    def __repr__(self) -> str:
        return f"Caller({self.endpoint.name!r})"

    async def call(
        self,
        request: Request,
        progress: Progress,
        *,
        clocks: Clocks,
        limit: int | None,
        logprobs: bool,
        stream: bool,
    ) -> Response:
        """Send a request and read the whole answer; a stream's pieces go to ``progress`` first.

        Raises:
            CallFailure: with its kind; what came before it stays in ``progress``.
        """
        endpoint = self.endpoint
        asking = Asking(
            endpoint.model,
            stream,
            limit,
            endpoint.max_output,
            logprobs,
            endpoint.lacks,
            endpoint.limit_parameter,
        )
        try:
            body = self._codec.encode_request(request, asking)
        except RequestError as error:  # this protocol cannot carry it; another's may
            raise Unsent(Kind.UNSUPPORTED, f"{endpoint.name}: {error}", blames=False) from error
        with Watchdog(clocks, stream) as watchdog:
            try:
                return await self._exchange(body, progress, watchdog, clocks, stream)
            except (CallFailure, CascadeError):
                raise
            except httpx.HTTPError as error:
                raise _transport_failure(error, self.endpoint.name) from error
            except Exception as error:  # a user's transport may raise anything: the call failed
                raise _unknown_failure(error, self.endpoint.name) from error

    async def _exchange(
        self, body: bytes, progress: Progress, watchdog: Watchdog, clocks: Clocks, stream: bool
    ) -> Response:
        headers = self._headers.copy()
        headers["Content-Length"] = str(len(body))
        request = httpx.Request(
            "POST",
            self._urls[stream],
            headers=headers,
            stream=httpx.ByteStream(body),
            extensions={
                "timeout": {"connect": clocks.connect},
                "sent": progress.leaves,
                **self._way,
            },
        )
        if not self._tells_sent:
            progress.leaves()
        response = await self._transport.handle_async_request(request)
        progress.status = response.status_code
        limits = rate_limits(response.headers, time.time())
        if limits is not None:
            progress.on_limits(limits)
        try:
            if response.status_code != 200:
                content = await _read(response, progress)
                raise classify(response.status_code, response.headers, content, time.time())
            if stream and _is_event_stream(response):
                return await _read_stream(response, progress, watchdog, self._codec.reader())
            return self._codec.decode_response(await _read(response, progress))
        finally:
            with contextlib.suppress(Exception):  # what came is not lost by a poor farewell
                await response.aclose()


def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it arrives. ``Response.aiter_raw`` costs 30 us more and adds nothing here."""
    assert isinstance(response.stream, httpx.AsyncByteStream), "transports are asynchronous"
    return response.stream.__aiter__()


async def _read(response: httpx.Response, progress: Progress) -> bytes:
    chunks: list[bytes] = []
    async for chunk in _chunks(response):
        chunks.append(chunk)
        progress.body += len(chunk)
        if progress.body > LARGEST_BODY:
            raise Malformed(f"an answer of more than {LARGEST_BODY:,} bytes")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _read_stream(
    response: httpx.Response, progress: Progress, watchdog: Watchdog, reader: Reader
) -> Response:
    events = SseReader()
    progress.reader = reader
    chunks = _chunks(response)
    async for chunk in chunks:
        _feed(reader, events.feed(chunk), progress, watchdog)
        if reader.done:
            await _last_bytes(chunks)
            break
    _feed(reader, events.end(), progress, watchdog)
    return reader.response()


def _feed(
    reader: Reader,
    events: list[SseEvent],
    progress: Progress,
    watchdog: Watchdog,
) -> None:
    for event in events:
        delta = reader.feed(event.data)
        if delta is not None:
            _take(delta, progress, watchdog)


async def _last_bytes(chunks: AsyncIterator[bytes]) -> None:
    """Give the end of the body a moment to come: only then can the connection be used again."""
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(PATIENCE):
            async for _ in chunks:
                pass


def _take(delta: Delta, progress: Progress, watchdog: Watchdog) -> None:
    if delta.text or delta.reasoning or delta.tool_calls or delta.refusal:
        progress.last_at = watchdog.token(_size(delta))
        progress.accounted = False  # what comes now is in no usage yet
        if progress.first_at is None:
            progress.first_at = progress.last_at
    if delta.usage is not None and progress.reader is not None:
        progress.accounted = progress.reader.complete
    if progress.on_delta is not None:
        progress.on_delta(delta)


def _size(delta: Delta) -> int:
    """Characters of a piece."""
    size = len(delta.text) + len(delta.reasoning) + len(delta.refusal)
    for call in delta.tool_calls:
        size += len(call.arguments) + len(call.name or "")
    return size


def _is_event_stream(response: httpx.Response) -> bool:
    """Some servers answer a stream's request whole; that is an answer too."""
    kind = response.headers.get("content-type", "text/event-stream")
    return "text/event-stream" in kind.lower()


def _transport_failure(error: httpx.HTTPError, endpoint: str) -> CallFailure:
    """Our transport's exceptions as kinds; none of them shows the request."""
    said = _TLS_DETAIL.sub("", str(error))
    words = f"{endpoint}: {type(error).__name__}: {said}" if said else endpoint
    match error:
        case httpx.ConnectTimeout():
            return Unsent(Kind.TIMED_OUT, f"no connection in time to {words}", clock="connect")
        case httpx.PoolTimeout():
            return Unsent(Kind.TIMED_OUT, f"no connection free in time to {words}", blames=False)
        case httpx.ConnectError() | httpx.ProxyError() | httpx.UnsupportedProtocol():
            return Unsent(Kind.UNAVAILABLE, f"no connection to {words}")
        case httpx.TimeoutException():
            return CallFailure(Kind.TIMED_OUT, words)
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError():
            return CallFailure(Kind.BROKEN, f"the connection broke: {words}")
        case httpx.DecodingError():
            return Malformed(words)
        case _:
            return CallFailure(Kind.UNAVAILABLE, words)


def _unknown_failure(error: Exception, endpoint: str) -> CallFailure:
    """What is neither httpx's nor ours; its words are not shown, they may quote the request."""
    words = f"{endpoint}: the transport raised {type(error).__name__}"
    if isinstance(error, ConnectionRefusedError | socket.gaierror):
        return Unsent(Kind.UNAVAILABLE, words)
    return CallFailure(Kind.UNAVAILABLE, words)


class Unsent(CallFailure):
    """The request did not reach the provider: there is nothing to pay.

    Attributes:
        clock: the clock that ran out, if one did.
    """

    def __init__(
        self, kind: Kind, message: str, *, blames: bool = True, clock: Clock | None = None
    ) -> None:
        super().__init__(kind, message, blames=blames)
        self.clock = clock

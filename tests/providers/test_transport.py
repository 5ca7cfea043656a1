"""The contract of a transport, and what ours promises beyond it.

Any ``httpx.AsyncBaseTransport`` can be held to the contract: add it to ``TRANSPORTS``.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol

import httpx
import pytest
import trustme

from cascade.errors import Closed, ConfigError
from cascade.providers import transport as transport_module
from cascade.providers.transport import AiohttpTransport, default_transport
from tests.providers.rawserver import BOUND, CHUNKED, OK, Peer, Script, Server, answer, serve

pytestmark = pytest.mark.anyio


class Make(Protocol):
    """Builds a transport: its limit of connections, whom it trusts."""

    def __call__(
        self, *, max_connections: int = 100, ssl_context: ssl.SSLContext | None = None
    ) -> httpx.AsyncBaseTransport: ...


TRANSPORTS: dict[str, Make] = {"aiohttp": AiohttpTransport}


@pytest.fixture(params=TRANSPORTS)
def make(request: pytest.FixtureRequest) -> Make:
    return TRANSPORTS[request.param]


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """The server's side of TLS, signed by the private authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "upstream.test").configure_cert(context)
    return context


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def post(url: str, content: bytes = b"{}", **clocks: float) -> httpx.Request:
    extensions = {"timeout": clocks} if clocks else {}
    return httpx.Request("POST", url, content=content, extensions=extensions)


async def fetch(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
    response = await transport.handle_async_request(request)
    await response.aread()
    return response


def once(data: bytes, then: Callable[[Peer], None] = Peer.close) -> Script:
    """A script that answers one request with raw bytes and ends the connection."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(data)
        then(peer)

    return script


# ---- leaving


async def test_leaving_before_the_head_closes_the_upstream(make: Make) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()
        gone.set()

    async with serve(script) as server, make() as transport:
        task = asyncio.create_task(transport.handle_async_request(post(server.url)))
        await asked.wait()
        task.cancel()
        await gone.wait()
        with pytest.raises(asyncio.CancelledError):
            await task


def trickle(gone: asyncio.Event) -> Script:
    """Sends one piece of a stream and waits until the client has left."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await peer.chunk(b"first")
        await peer.gone()
        gone.set()

    return script


async def test_leaving_in_mid_stream_closes_the_upstream(make: Make) -> None:
    begun, gone = asyncio.Event(), asyncio.Event()

    async def read(transport: httpx.AsyncBaseTransport, server: Server) -> None:
        response = await transport.handle_async_request(post(server.url))
        async for _ in response.aiter_raw():
            begun.set()

    async with serve(trickle(gone)) as server, make() as transport:
        task = asyncio.create_task(read(transport, server))
        await begun.wait()
        task.cancel()
        await gone.wait()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_closing_an_unread_response_closes_the_upstream(make: Make) -> None:
    gone = asyncio.Event()
    async with serve(trickle(gone)) as server, make() as transport:
        response = await transport.handle_async_request(post(server.url))
        await response.aclose()
        await gone.wait()


async def test_leaving_during_an_upload_sends_no_more_of_it(make: Make) -> None:
    left = asyncio.Event()
    received: list[int] = []
    size = 64 * 1024 * 1024

    async def script(peer: Peer) -> None:
        await left.wait()
        total = 0
        while data := await peer.read():
            total += len(data)
        received.append(total)

    async with serve(script) as server, make() as transport:
        task = asyncio.create_task(transport.handle_async_request(post(server.url, bytes(size))))
        await server.accepted()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        left.set()
        await server.settled()
    assert received[0] < size


async def test_the_pool_works_after_a_hundred_departures_at_random_moments(make: Make) -> None:
    seeded = random.Random(7)

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(CHUNKED)
            for _ in range(4):
                await asyncio.sleep(0.0005)
                await peer.chunk(b"piece")
            await peer.chunk(b"")

    async with serve(script) as server, make(max_connections=4) as transport:
        for _ in range(25):
            tasks = [
                asyncio.create_task(fetch(transport, post(server.url, pool=BOUND)))
                for _ in range(4)
            ]
            for task in tasks:
                await asyncio.sleep(seeded.uniform(0, 0.003))
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        again = [fetch(transport, post(server.url, pool=BOUND)) for _ in range(8)]
        for response in await asyncio.gather(*again):
            assert response.content == b"piece" * 4


# ---- failures


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def test_a_refused_connection_is_a_connect_error(make: Make) -> None:
    async with make() as transport:
        with pytest.raises(httpx.ConnectError):
            await transport.handle_async_request(post(f"http://127.0.0.1:{closed_port()}/"))


@pytest.fixture
def _no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name resolves."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)


@pytest.mark.usefixtures("_no_names")
async def test_a_name_that_does_not_resolve_is_a_connect_error(make: Make) -> None:
    async with make() as transport:
        with pytest.raises(httpx.ConnectError):
            await transport.handle_async_request(post("http://nowhere.invalid/"))


FAILURES: dict[str, tuple[Script, type[httpx.TransportError]]] = {
    "disconnect": (once(b""), httpx.RemoteProtocolError),
    "half a head": (once(b"HTTP/1.1 200 OK\r\nContent-"), httpx.RemoteProtocolError),
    "garbage": (once(b"\x00\x01 not HTTP\r\n\r\n"), httpx.RemoteProtocolError),
    "bad length": (once(OK.replace(b": 2", b": x")), httpx.RemoteProtocolError),
    "short body": (
        once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour"),
        httpx.RemoteProtocolError,
    ),
    "no last chunk": (once(CHUNKED + b"4\r\nfour\r\n"), httpx.RemoteProtocolError),
    "bad chunk": (once(CHUNKED + b"four\r\n"), httpx.RemoteProtocolError),
    "reset before the head": (once(b"", Peer.reset), httpx.ReadError),
    "endless line": (once(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000), httpx.RemoteProtocolError),
    "endless head": (
        once(b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 50_000 + b"\r\n"),
        httpx.RemoteProtocolError,
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_each_failure_of_a_server_has_its_own_exception(make: Make, failure: str) -> None:
    script, error = FAILURES[failure]
    async with serve(script) as server, make() as transport:
        with pytest.raises(error):
            await fetch(transport, post(server.url))


@pytest.mark.parametrize("framing", [b"Content-Length: 9\r\n", b"Connection: close\r\n"])
async def test_a_reset_in_mid_body_is_a_read_error(make: Make, framing: bytes) -> None:
    begun = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\nfour")
        await begun.wait()
        peer.reset()

    async with serve(script) as server, make() as transport:
        response = await transport.handle_async_request(post(server.url))
        pieces = response.aiter_raw()
        assert await anext(pieces) == b"four"
        begun.set()
        with pytest.raises(httpx.ReadError):
            await anext(pieces)


# ---- clocks


async def silent(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


async def deaf(peer: Peer) -> None:
    await asyncio.Event().wait()


async def test_no_head_in_time_is_a_read_timeout(make: Make) -> None:
    async with serve(silent) as server, make() as transport:
        with pytest.raises(httpx.ReadTimeout):
            await transport.handle_async_request(post(server.url, read=0.05))
        await server.settled()


async def test_a_clock_of_zero_is_no_clock_without_end(make: Make) -> None:
    async with serve(silent) as server, make() as transport:
        with pytest.raises(httpx.ReadTimeout):
            await transport.handle_async_request(post(server.url, connect=BOUND, read=0))


async def test_a_stalled_stream_is_a_read_timeout(make: Make) -> None:
    gone = asyncio.Event()
    async with serve(trickle(gone)) as server, make() as transport:
        response = await transport.handle_async_request(post(server.url, read=0.05))
        with pytest.raises(httpx.ReadTimeout):
            await response.aread()
        await gone.wait()


async def test_an_upload_that_nobody_reads_is_a_write_timeout(make: Make) -> None:
    async with serve(deaf) as server, make() as transport:
        with pytest.raises(httpx.WriteTimeout):
            await transport.handle_async_request(
                post(server.url, bytes(64 * 1024 * 1024), write=0.05)
            )


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """A port that accepts nothing more: the kernel leaves further connections unanswered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        waiting = []
        for _ in range(8):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            waiting.append(client)
        yield port
        for client in waiting:
            client.close()


async def test_no_connection_in_time_is_a_connect_timeout(make: Make, full_backlog: int) -> None:
    async with asyncio.timeout(BOUND), make() as transport:
        with pytest.raises(httpx.ConnectTimeout):
            await transport.handle_async_request(
                post(f"http://127.0.0.1:{full_backlog}/", connect=0.1)
            )


async def test_no_free_connection_in_time_is_a_pool_timeout(make: Make) -> None:
    gone = asyncio.Event()
    async with serve(trickle(gone)) as server, make(max_connections=1) as transport:
        held = await transport.handle_async_request(post(server.url))
        with pytest.raises(httpx.PoolTimeout):
            await transport.handle_async_request(post(server.url, pool=0.05))
        await held.aclose()
        held = await transport.handle_async_request(post(server.url, pool=BOUND))
        await held.aclose()


async def test_a_stream_may_last_longer_than_any_of_its_clocks(make: Make) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for _ in range(10):
            await asyncio.sleep(0.12)
            await peer.chunk(b"x")
        await peer.chunk(b"")

    async with serve(script) as server, make() as transport:
        request = post(server.url, connect=1.0, read=1.0, write=1.0, pool=1.0)
        response = await fetch(transport, request)
        assert response.content == b"x" * 10


# ---- streams and connections


async def test_pieces_arrive_as_they_are_sent(make: Make) -> None:
    seen = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for number in range(50):
            await peer.chunk(b"%d" % number)
            await seen.wait()  # the next leaves only once this one has arrived
            seen.clear()
        await peer.chunk(b"")

    async with serve(script) as server, make() as transport:
        response = await transport.handle_async_request(post(server.url))
        pieces = []
        async for piece in response.aiter_raw():
            pieces.append(piece)
            seen.set()
    assert pieces == [b"%d" % number for number in range(50)]


async def test_a_thousand_calls_in_a_row_use_one_connection(make: Make) -> None:
    async with serve(answer) as server, make() as transport:
        for _ in range(1000):
            await fetch(transport, post(server.url))
        assert len(server.peers) == 1
        assert server.requests == 1000


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
async def test_a_post_that_meets_the_servers_idle_close_is_answered(
    make: Make, end: Callable[[Peer], None]
) -> None:
    async with serve(answer) as server, make() as transport:
        for round_ in range(20):
            await fetch(transport, post(server.url))
            task = asyncio.create_task(fetch(transport, post(server.url)))
            for _ in range(round_ % 5):  # let the two cross at different points
                await asyncio.sleep(0)
            if server.peers[-1].writer.is_closing() or task.done():
                await task
                continue
            end(server.peers[-1])
            assert (await task).content == b"ok"


async def test_a_line_break_in_a_header_is_refused(make: Make) -> None:
    async with serve(answer) as server, make() as transport:
        for headers in ({"X-Note": "a\r\nX-Evil: b"}, {"X-Note": "a\nb"}):
            request = httpx.Request("POST", server.url, headers=headers, content=b"{}")
            with pytest.raises(httpx.LocalProtocolError):
                await transport.handle_async_request(request)
        assert server.requests == 0


async def test_redirects_and_cookies_are_left_to_the_caller(make: Make) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /else\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(head)

    async with serve(script) as server, make() as transport:
        url = f"http://localhost:{server.port}/"  # cookie jars leave addresses out
        for _ in range(2):
            response = await fetch(transport, post(url))
            assert response.status_code == 302
            assert response.headers["set-cookie"] == "a=b"
        assert b"cookie" not in b"".join(server.peers[0].heads).lower()


async def test_a_compressed_body_is_decoded_once(make: Make) -> None:
    body = gzip.compress(b"plain words")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with serve(once(head + body)) as server, make() as transport:
        assert (await fetch(transport, post(server.url))).content == b"plain words"


async def test_a_streamed_request_body_arrives_whole(make: Make) -> None:
    bodies: list[bytes | None] = []

    async def script(peer: Peer) -> None:
        bodies.append(await peer.request())
        await peer.send(OK)

    content = random.Random(3).randbytes(3_000_000)
    async with serve(script) as server, make() as transport:
        await fetch(transport, post(server.url, content))
    assert bodies == [content]


# ---- proxies and TLS


async def test_a_private_authority_is_trusted_when_named(
    make: Make, tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with serve(answer, tls=tls) as server, make(ssl_context=trusting) as transport:
        assert (await fetch(transport, post(server.url))).content == b"ok"


async def test_an_unknown_authority_is_a_connect_error(make: Make, tls: ssl.SSLContext) -> None:
    async with serve(answer, tls=tls) as server, make() as transport:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await transport.handle_async_request(post(server.url))


async def test_leaving_a_tls_stream_closes_the_upstream(
    make: Make, tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    gone = asyncio.Event()
    async with serve(trickle(gone), tls=tls) as server, make(ssl_context=trusting) as transport:
        response = await transport.handle_async_request(post(server.url))
        await response.aclose()
        await gone.wait()


async def test_leaving_a_tls_handshake_closes_the_upstream(
    make: Make, trusting: ssl.SSLContext
) -> None:
    async with serve(Peer.gone) as server, make(ssl_context=trusting) as transport:
        url = server.url.replace("http:", "https:")
        task = asyncio.create_task(transport.handle_async_request(post(url)))
        await server.accepted()
        task.cancel()
        await server.settled()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_tls_handshake_without_end_is_a_connect_timeout(
    make: Make, trusting: ssl.SSLContext
) -> None:
    async with serve(Peer.gone) as server, make(ssl_context=trusting) as transport:
        url = server.url.replace("http:", "https:")
        with pytest.raises(httpx.ConnectTimeout):
            await transport.handle_async_request(post(url, connect=0.1))
        await server.settled()


async def test_the_environment_names_the_authority(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA, tls: ssl.SSLContext
) -> None:
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    tls.set_alpn_protocols(["h2", "http/1.1"])
    async with serve(answer, tls=tls) as server, default_transport() as transport:
        assert (await fetch(transport, post(server.url))).content == b"ok"
        session = server.peers[0].writer.get_extra_info("ssl_object")
        assert session.selected_alpn_protocol() == "http/1.1"


async def test_a_bundle_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    async with default_transport() as transport:
        with pytest.raises(ConfigError, match=r"SSL_CERT_FILE = .*cannot be loaded"):
            await transport.handle_async_request(post("https://127.0.0.1:1/"))


def tunnel(upstream: Server) -> Script:
    """A proxy: answers forwarded requests itself, joins CONNECT to the upstream."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            if not peer.heads[-1].startswith(b"CONNECT "):
                await peer.send(OK)
                continue
            reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
            await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            async with asyncio.TaskGroup() as group:
                group.create_task(pump(reader, peer.writer))
                group.create_task(pump(peer.reader, writer))
            return

    return script


Proxied = Callable[[str], Awaitable[tuple[httpx.Response, Server, Server]]]


@pytest.fixture
def proxied(
    make: Make, monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> Proxied:
    """Sends one request to ``{scheme}://upstream.test`` through the proxy that a variable names."""

    async def send(variable: str) -> tuple[httpx.Response, Server, Server]:
        scheme = "https" if variable != "HTTP_PROXY" else "http"
        async with serve(answer, tls=tls) as upstream, serve(tunnel(upstream)) as proxy:
            monkeypatch.setenv(variable, f"http://me:se%40cret@127.0.0.1:{proxy.port}")
            async with make(ssl_context=trusting) as transport:
                request = post(f"{scheme}://upstream.test/v1", connect=BOUND)
                response = await fetch(transport, request)
        return response, upstream, proxy

    return send


async def test_plain_requests_go_through_http_proxy(proxied: Proxied) -> None:
    response, upstream, proxy = await proxied("HTTP_PROXY")
    assert response.content == b"ok"
    assert upstream.requests == 0
    assert proxy.peers[0].heads[0].startswith(b"POST http://upstream.test/v1 HTTP/1.1\r\n")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
async def test_secret_requests_go_through_a_tunnel(proxied: Proxied, variable: str) -> None:
    response, upstream, proxy = await proxied(variable)
    assert response.content == b"ok"
    assert upstream.peers[0].heads[0].startswith(b"POST /v1 HTTP/1.1\r\n")
    assert proxy.peers[0].heads[0].startswith(b"CONNECT upstream.test:443 HTTP/1.1\r\n")


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "HTTPS_PROXY"])
async def test_the_proxys_password_reaches_the_proxy_only(proxied: Proxied, variable: str) -> None:
    _, upstream, proxy = await proxied(variable)
    token = base64.b64encode(b"me:se@cret")
    assert b"proxy-authorization: basic " + token.lower() in proxy.peers[0].heads[0].lower()
    assert not any(token in head for peer in upstream.peers for head in peer.heads)


async def test_hosts_in_no_proxy_are_reached_directly(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("NO_PROXY", "example.org, 127.0.0.1")
    async with serve(answer) as server, make() as transport:
        assert (await fetch(transport, post(server.url))).content == b"ok"


async def test_a_proxy_that_refuses_is_a_proxy_error(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = once(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    async with serve(refusal) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{proxy.port}")
        async with make() as transport:
            with pytest.raises(httpx.ProxyError) as caught:
                await transport.handle_async_request(post("https://upstream.test/"))
    assert "407" in str(caught.value)
    assert "secret" not in str(caught.value)


# ---- a way of an endpoint's own


@pytest.fixture
def bundle(tmp_path: Path, authority: trustme.CA) -> str:
    """The private authority as a file."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def by(url: str, **way: str) -> httpx.Request:
    request = post(url, connect=BOUND)
    request.extensions.update(way)
    return request


async def test_a_request_with_authorities_of_its_own_trusts_them(
    tls: ssl.SSLContext, bundle: str
) -> None:
    async with serve(answer, tls=tls) as server, AiohttpTransport() as transport:
        assert (await fetch(transport, by(server.url, ca=bundle))).content == b"ok"
        session = server.peers[0].writer.get_extra_info("ssl_object")
        assert session.selected_alpn_protocol() in (None, "http/1.1")


async def test_a_requests_own_authorities_are_nobody_elses(
    tls: ssl.SSLContext, bundle: str
) -> None:
    async with serve(answer, tls=tls) as server, AiohttpTransport() as transport:
        await fetch(transport, by(server.url, ca=bundle))
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await transport.handle_async_request(post(server.url))
        assert (await fetch(transport, by(server.url, ca=bundle))).content == b"ok"


async def test_a_requests_own_authorities_take_the_place_of_the_others(
    tls: ssl.SSLContext, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    transport = AiohttpTransport(ssl_context=trusting)
    async with serve(answer, tls=tls) as server, transport:
        await fetch(transport, post(server.url))
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await transport.handle_async_request(by(server.url, ca=str(other)))


async def test_authorities_that_went_away_are_a_connect_error(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent.pem")
    async with AiohttpTransport() as transport:
        with pytest.raises(httpx.ConnectError, match=r"absent\.pem cannot be read"):
            await transport.handle_async_request(by("https://127.0.0.1:1/", ca=absent))


async def test_a_request_goes_by_a_proxy_of_its_own_to_an_authority_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, bundle: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("NO_PROXY", "upstream.test")
    transport = AiohttpTransport()
    async with serve(answer, tls=tls) as upstream, serve(tunnel(upstream)) as proxy, transport:
        own = f"http://127.0.0.1:{proxy.port}"
        request = by("https://upstream.test/v1", proxy=own, ca=bundle)
        request.headers["Authorization"] = "Bearer sk-secret"
        assert (await fetch(transport, request)).content == b"ok"
    (connecting,) = proxy.peers[0].heads
    assert connecting.startswith(b"CONNECT upstream.test:443 HTTP/1.1\r\n")
    assert b"sk-secret" not in connecting
    assert upstream.peers[0].heads[0].startswith(b"POST /v1 HTTP/1.1\r\n")


async def test_two_requests_for_one_address_go_by_proxies_of_their_own() -> None:
    async with serve(answer) as one, serve(answer) as other, AiohttpTransport() as transport:
        for proxy in (one, other, one):
            way = f"http://127.0.0.1:{proxy.port}"
            await fetch(transport, by("http://upstream.test/v1", proxy=way))
        assert (one.requests, other.requests) == (2, 1)


async def test_a_proxy_of_ones_own_that_is_down_is_a_proxy_error() -> None:
    async with AiohttpTransport() as transport:
        way = f"http://127.0.0.1:{closed_port()}"
        with pytest.raises(httpx.ProxyError):
            await transport.handle_async_request(by("https://upstream.test/", proxy=way))


# ---- ours alone


async def test_a_broken_upload_is_a_write_error() -> None:
    async def script(peer: Peer) -> None:
        await peer.read()
        peer.reset()

    async with serve(script) as server, AiohttpTransport() as transport:
        with pytest.raises(httpx.WriteError):
            await transport.handle_async_request(post(server.url, bytes(64 * 1024 * 1024)))


@pytest.mark.parametrize("data", [b"", b"what?\r\n\r\n"])
async def test_a_proxy_that_speaks_no_http_is_a_proxy_error(
    monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    async with serve(once(data)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
        async with AiohttpTransport() as transport:
            with pytest.raises(httpx.ProxyError):
                await transport.handle_async_request(post("https://upstream.test/"))


async def test_a_proxy_that_is_down_is_a_proxy_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{closed_port()}")
    async with AiohttpTransport() as transport:
        for url in ("http://upstream.test/", "https://upstream.test/"):
            with pytest.raises(httpx.ProxyError):
                await transport.handle_async_request(post(url))


async def test_a_socks_proxy_is_refused_with_the_way_round_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://me:secret@127.0.0.1:1")
    async with AiohttpTransport() as transport:
        with pytest.raises(httpx.UnsupportedProtocol, match="NO_PROXY") as caught:
            await transport.handle_async_request(post("http://upstream.test/"))
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("_no_names")
async def test_an_exempt_domain_covers_the_hosts_below_it_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", ".example.org,other.test:8080")
    async with serve(answer) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with AiohttpTransport() as transport:
            for url in ("http://notexample.org/", "http://other.test/"):
                await fetch(transport, post(url))
            for url in ("http://a.example.org/", "http://example.org/", "http://other.test:8080/"):
                with pytest.raises(httpx.ConnectError, match="Name or service not known"):
                    await fetch(transport, post(url))
        assert proxy.requests == 2


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "/v1", "http:///v1"])
async def test_a_url_without_http_and_host_is_refused(url: str) -> None:
    async with AiohttpTransport() as transport:
        with pytest.raises(httpx.UnsupportedProtocol):
            await transport.handle_async_request(post(url))


async def test_an_impossible_header_is_refused_before_anything_is_opened() -> None:
    headers = [(b"X Note", b"1"), (b"X:", b"1"), (b"", b"1"), (b"X\xe9", b"1")]
    headers += [(b"X", b"a\r\nb"), (b"X", b"a\nb"), (b"X", b"a\0b"), (b"X", b"\xe9")]
    async with serve(answer) as server, AiohttpTransport() as transport:
        for header in headers:
            request = httpx.Request("POST", server.url, headers=[header])
            with pytest.raises(httpx.LocalProtocolError, match=r"header b'.*'"):
                await transport.handle_async_request(request)
        assert not server.peers


async def test_a_name_and_password_in_the_url_are_the_callers_to_send() -> None:
    async with serve(answer) as server, AiohttpTransport() as transport:
        url = server.url.replace("127", "me:secret@127")
        headers = {"Authorization": "Bearer mine"}
        await fetch(transport, httpx.Request("POST", url, headers=headers))
        await fetch(transport, httpx.Request("POST", url))
        first, second = (head.lower() for head in server.peers[0].heads)
    assert b"authorization: bearer mine\r\n" in first
    assert b"authorization" not in second


async def test_a_length_of_the_callers_does_not_override_the_bodys() -> None:
    headers = {"Content-Length": "99", "Transfer-Encoding": "chunked"}
    async with serve(answer) as server, default_transport() as transport:
        request = httpx.Request("POST", server.url, headers=headers, content=b"four")
        await fetch(transport, request)
        head = server.peers[0].heads[0].lower()
    assert b"content-length: 4\r\n" in head
    assert b"transfer-encoding" not in head


async def test_answers_come_uncompressed_unless_the_caller_asks() -> None:
    async with serve(answer) as server, AiohttpTransport() as transport:
        await fetch(transport, post(server.url))
        request = httpx.Request("POST", server.url, headers={"accept-encoding": "gzip"})
        await fetch(transport, request)
        first, second = (head.lower() for head in server.peers[0].heads)
    assert b"accept-encoding: identity\r\n" in first
    assert b"accept-encoding: gzip\r\n" in second
    assert second.count(b"accept-encoding") == 1


def deserting(said: bytes, then: Callable[[Peer], None] = Peer.close) -> Script:
    """A script that answers each connection's first request and ends at the second."""

    async def script(peer: Peer) -> None:
        await answer_one(peer)
        await peer.request()
        await peer.send(said)
        then(peer)

    return script


async def answer_one(peer: Peer) -> None:
    await peer.request()
    await peer.send(OK)


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
async def test_an_unread_request_is_sent_once_more_on_a_fresh_connection(
    end: Callable[[Peer], None],
) -> None:
    async with serve(deserting(b"", end)) as server, AiohttpTransport() as transport:
        held = [transport.handle_async_request(post(server.url)) for _ in range(3)]
        for response in await asyncio.gather(*held):
            await response.aread()
        idle = len(server.peers)
        assert (await fetch(transport, post(server.url))).content == b"ok"
        assert len(server.peers) == idle + 1
        assert server.requests == 3 + 2


async def test_a_request_that_was_partly_answered_is_not_sent_again() -> None:
    async with serve(deserting(b"HTTP/1.1 200")) as server, AiohttpTransport() as transport:
        await fetch(transport, post(server.url))
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(transport, post(server.url))
        assert server.requests == 2


async def test_a_request_dropped_after_a_while_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport_module, "RACE_SECONDS", 0.0)  # any time is a while
    async with serve(deserting(b"")) as server, AiohttpTransport() as transport:
        await fetch(transport, post(server.url))
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(transport, post(server.url))
        assert server.requests == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_fresh_connection_that_is_dropped_is_not_tried_again(method: str) -> None:
    async with serve(once(b"")) as server, AiohttpTransport() as transport:
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(transport, httpx.Request(method, server.url))
        assert server.requests == 1


async def test_an_answer_nobody_asked_for_is_not_taken_for_the_next_one() -> None:
    stray = asyncio.Event()

    async def script(peer: Peer) -> None:
        await answer_one(peer)
        if peer.number == 0:
            await stray.wait()
            await peer.send(OK.replace(b"ok", b"no"))
        await answer(peer)

    async with serve(script) as server, AiohttpTransport() as transport:
        await fetch(transport, post(server.url))
        stray.set()
        await asyncio.sleep(0.05)  # both ends share this loop: the stray bytes are in by now
        assert (await fetch(transport, post(server.url))).content == b"ok"


async def test_a_server_that_speaks_first_is_no_http_server() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await peer.gone()

    async with serve(script) as server, AiohttpTransport() as transport:
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(transport, post(server.url))


def telling(url: str, told: list[float], **clocks: float) -> httpx.Request:
    """A request that wants to know when it leaves."""
    request = post(url, b"{}", **clocks)
    request.extensions["sent"] = lambda: told.append(asyncio.get_running_loop().time())
    return request


async def test_a_request_that_leaves_is_told_before_its_first_byte() -> None:
    told: list[float] = []
    known: list[int] = []

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            known.append(len(told))
            await peer.send(OK)

    async with serve(script) as server, AiohttpTransport() as transport:
        for _ in range(3):
            await fetch(transport, telling(server.url, told))
        await fetch(transport, post(server.url))
    assert known == [1, 2, 3, 3]


async def test_a_request_without_a_connection_is_not_told_to_have_left(
    full_backlog: int, trusting: ssl.SSLContext
) -> None:
    told: list[float] = []
    async with serve(Peer.gone) as server, AiohttpTransport(ssl_context=trusting) as transport:
        for url in (
            f"http://127.0.0.1:{closed_port()}/",
            f"http://127.0.0.1:{full_backlog}/",
            server.url.replace("http:", "https:"),
        ):
            with pytest.raises(httpx.TransportError):
                await transport.handle_async_request(telling(url, told, connect=0.1))
    assert told == []


async def test_a_tunnel_that_a_proxy_refuses_lets_nothing_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[float] = []
    refusal = once(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    async with serve(refusal) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with AiohttpTransport() as transport:
            with pytest.raises(httpx.ProxyError):
                await transport.handle_async_request(telling("https://upstream.test/", told))
    assert told == []


async def test_a_request_that_waits_for_a_slot_has_not_left() -> None:
    told: list[float] = []
    async with serve(Peer.gone) as server, AiohttpTransport(max_connections=1) as transport:
        first = asyncio.create_task(transport.handle_async_request(telling(server.url, told)))
        await server.accepted()
        with pytest.raises(httpx.PoolTimeout):
            await transport.handle_async_request(telling(server.url, told, pool=0.05))
        assert len(told) == 1
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_closing_the_transport_ends_what_runs() -> None:
    gone = asyncio.Event()
    async with serve(trickle(gone)) as server:
        transport = AiohttpTransport()
        response = await transport.handle_async_request(post(server.url))
        reading = asyncio.create_task(response.aread())
        await asyncio.sleep(0)
        await transport.aclose()
        with pytest.raises(httpx.ReadError):
            await reading
        await gone.wait()
        with pytest.raises(Closed):
            await transport.handle_async_request(post(server.url))


async def test_no_error_carries_the_key() -> None:
    async with serve(once(b"garbage\r\n\r\n")) as server:
        headers = {"Authorization": "Bearer sk-secret"}
        request = httpx.Request("POST", f"{server.url}?key=sk-secret", headers=headers)
        async with AiohttpTransport() as transport:
            with pytest.raises(httpx.RemoteProtocolError) as caught:
                await transport.handle_async_request(request)
    error: BaseException | None = caught.value
    while error is not None:
        assert "sk-secret" not in repr(error)
        error = error.__cause__ or error.__context__

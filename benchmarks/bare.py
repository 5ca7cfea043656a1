"""The limits of a server: the least that an ASGI application can do, on the same uvicorn.

    python -m benchmarks.bare hello BYTES    reads the body, answers with as many bytes
    python -m benchmarks.bare pass URL       sends the body on to a provider over our transport

It writes ``{"url": …}`` when it listens, and ends at SIGTERM.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cascade.listen import Application, Receive, Scope, Send, serve

if TYPE_CHECKING:
    import httpx

_JSON = [(b"content-type", b"application/json")]


def hello(size: int) -> Application:
    """Answer everything with the same bytes."""
    body = b'{"hello":"' + b"." * max(0, size - 12) + b'"}'
    headers = [*_JSON, (b"content-length", b"%d" % len(body))]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await _body(receive)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def pass_through(base: str) -> Application:
    """Send everything on, and every piece of the answer back as it comes."""
    import httpx  # not for ``hello``, whose start and memory are limits too

    from cascade.providers.transport import default_transport

    transport = default_transport()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = post(httpx.URL(base + scope["path"]), await _body(receive))
        response = await transport.handle_async_request(request)
        length = response.headers.get("content-length")
        kind = response.headers.get("content-type", "application/json")
        headers = [(b"content-type", kind.encode())]
        if length is not None:
            headers.append((b"content-length", length.encode()))
        start = {"type": "http.response.start", "status": response.status_code, "headers": headers}
        await send(start)
        assert isinstance(response.stream, httpx.AsyncByteStream), "transports are asynchronous"
        async for piece in response.stream:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        await response.aclose()

    return app


def post(url: httpx.URL, body: bytes) -> httpx.Request:
    """The least request that our transport takes."""
    import httpx

    return httpx.Request(
        "POST",
        url,
        headers=[
            ("Host", url.netloc.decode("ascii")),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
        ],
        stream=httpx.ByteStream(body),
        extensions={"timeout": {"connect": 5.0}},
    )


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        event = await receive()
        parts.append(event.get("body", b""))
        if not event.get("more_body", False):
            return b"".join(parts)


def _ready(url: str) -> None:
    sys.stdout.write(f'{{"url":"{url}"}}\n')
    sys.stdout.flush()


if __name__ == "__main__":
    what, argument = sys.argv[1:]
    chosen = hello(int(argument)) if what == "hello" else pass_through(argument)
    serve(chosen, "127.0.0.1", 0, on_ready=_ready)

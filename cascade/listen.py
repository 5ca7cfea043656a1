"""Listen on a port with an ASGI application until the process is told to stop.

``cascade serve`` and ``cascade emulate`` stand on it. It prints nothing: whoever calls it learns
the address from ``on_ready``. It imports uvicorn, so import it where something is to be served.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from cascade.errors import CascadeError

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_BACKLOG = 2048
_DRAINED = 4  # times the limit: as much of a body that is too long is read and thrown away
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MENDS = {
    errno.EADDRINUSE: "Stop what listens there, or choose another port (0 takes any free one).",
    errno.EACCES: "Choose a port above 1023.",
    errno.EADDRNOTAVAIL: "Choose an address of this machine, such as 127.0.0.1.",
}


class ClientLeftError(Exception):
    """The client closed the connection before the answer's end."""


class TooLargeError(Exception):
    """The request's body is longer than the limit."""


async def departure(receive: Receive) -> None:
    """Wait until the client leaves. The request's body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(receive: Receive, limit: float = math.inf) -> bytes:
    """Return the request's body, of at most ``limit`` bytes.

    Raises:
        TooLargeError: it has more than ``limit`` bytes.
        ClientLeftError: the client left before its end.
    """
    parts, size, more = list[bytes](), 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientLeftError
        part: bytes = event.get("body", b"")
        size += len(part)
        more = event.get("more_body", False)
        if size <= limit:
            parts.append(part)
        elif size > _DRAINED * limit:
            break
        else:  # read on, so that a client which sends before it reads hears what is wrong
            parts.clear()
    if size > limit:
        raise TooLargeError(
            f"the request's body is longer than {limit:,} bytes, which is all that this server "
            "takes. Send less, or larger parts such as images by their address."
        )
    return parts[0] if len(parts) == 1 else b"".join(parts)


def transport_of(scope: Scope) -> asyncio.Transport:
    """Return the connection of a request that a ``Listener`` took, for what HTTP cannot say.

    Whoever writes to it or closes it then waits for ``departure``, and sends nothing more.
    """
    transport: asyncio.Transport = scope["state"]["transport"]
    return transport


async def stopping(scope: Scope) -> None:
    """Wait until the ``Listener`` that took this request is to stop."""
    event: asyncio.Event = scope["state"]["stopping"]
    await event.wait()


class Listener:
    """An application bound to an address.

    The port is taken when the object is made, so ``url`` holds before anything is served;
    connections that come before ``run`` wait. ``port`` 0 takes any free one. ``lifespan`` tells
    whether the application wants to hear of start and end. ``grace`` is how long answers under
    way may take once it is to stop, in seconds.

    Raises:
        CascadeError: the address cannot be had; the message names host, port and a mend.
    """

    def __init__(
        self,
        app: Application,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        on_ready: Callable[[str], None] | None = None,
        lifespan: bool = False,
        grace: int = 5,
    ) -> None:
        self._socket = _bind(host, port)
        bound: int = self._socket.getsockname()[1]
        self.url = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
        config = uvicorn.Config(
            app,
            http=_Protocol,
            lifespan="on" if lifespan else "off",
            interface="asgi3",
            ws="none",
            access_log=False,
            log_config=None,
            log_level="error",
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=75,  # above what clients keep idle connections: no closing races
            timeout_graceful_shutdown=grace,
        )
        self._server = _Server(config, lambda: on_ready and on_ready(self.url))

    def run(self) -> None:
        """Serve until ``stop``, SIGINT or SIGTERM; answers under way are finished first.

        Signals are heard in the main thread only; the return is an ordinary one.

        Raises:
            CascadeError: the application failed to start.
        """
        with self._socket, asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as r:
            try:
                r.run(self._server.serve(sockets=[self._socket]))
            except SystemExit as exit_:  # uvicorn's way to say that the lifespan did not start
                raise CascadeError(
                    f"the application at {self.url} could not start; the log says why"
                ) from exit_

    def stop(self) -> None:
        """Ask it to end soon; may be called from any thread."""
        self._server.should_exit = True

    def close(self) -> None:
        """Give the port back without having served."""
        self._socket.close()


def serve(
    app: Application,
    host: str,
    port: int,
    *,
    on_ready: Callable[[str], None],
    lifespan: bool = False,
) -> None:
    """Serve an application until SIGINT or SIGTERM, then return.

    ``on_ready`` is called once with the URL (scheme, host, port) when connections are accepted.

    Raises:
        CascadeError: the address cannot be had, or the application failed to start.
    """
    Listener(app, host, port, on_ready=on_ready, lifespan=lifespan).run()


# Which of uvicorn's two protocols it is, is decided by what is installed.
class _Protocol(AutoHTTPProtocol):  # type: ignore[valid-type, misc]
    """uvicorn's protocol, which tells each request's state of its connection and of the end."""

    app_state: dict[str, Any]

    def connection_made(self, transport: asyncio.Transport) -> None:
        more = {"transport": transport, "stopping": asyncio.Event()}
        self.app_state = {**self.app_state, **more}
        super().connection_made(transport)

    def shutdown(self) -> None:
        self.app_state["stopping"].set()
        super().shutdown()


class _Server(uvicorn.Server):
    """uvicorn, which tells when it is ready and for which a signal is a normal end."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        logging.getLogger("uvicorn.error").addFilter(_worth_telling)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hear the signals, but do not raise them again at the end as uvicorn would."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _worth_telling(record: logging.LogRecord) -> bool:
    # uvicorn tells in a line how many answers it cut at the end; their traces say nothing more.
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _bind(host: str, port: int) -> socket.socket:
    place = f"{host}, port {port}"
    if not 0 <= port <= 65_535:
        raise CascadeError(f"cannot listen at {place}: a port is a number from 0 to 65535.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise CascadeError(
            f"cannot listen at {place}: the host is not known. Choose an address of this machine, "
            "such as 127.0.0.1."
        ) from error
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        mend = _MENDS.get(error.errno or 0, "Choose another host or port.")
        raise CascadeError(f"cannot listen at {place}: {error.strerror}. {mend}") from error
    return bound

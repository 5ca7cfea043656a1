"""Whether a web page asks, and whose.

A browser lets any page send a simple request to a server on its user's machine, and that request
spends money. It says so in ``Origin``, which clients that are no browsers do not send.
"""

from __future__ import annotations

from collections.abc import Sequence

from cascade.server.headers import Header

_PORTS = {b"http": b":80", b"https": b":443"}
_LONGEST = 200  # characters of an origin in a message


class ForeignOriginError(Exception):
    """A web page of another address asks."""


def refuse_foreign(headers: Sequence[Header]) -> None:
    """Look for an origin among the headers, whose names are in lower case.

    Raises:
        ForeignOriginError: there is one, and it is not this server's.
    """
    for name, value in headers:
        if name == b"origin":
            check(value, headers)


def check(origin: bytes, headers: Sequence[Header]) -> None:
    """Compare an origin with the address under which this server was asked.

    Raises:
        ForeignOriginError: they differ.
    """
    scheme, _, place = origin.strip().lower().partition(b"://")
    port = _PORTS.get(scheme, b"")
    hosts = [value.strip().lower() for name, value in headers if name == b"host"]
    own = [host.removesuffix(port) for host in hosts]
    if place and own == [place.removesuffix(port)]:
        return
    shown = origin[:_LONGEST].decode("latin-1")
    raise ForeignOriginError(
        f"a web page of {shown!r} may not ask this server: its request would spend your money. "
        "Ask from a program, or from a server of the page's own."
    )

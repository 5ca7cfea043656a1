"""Addresses at which nobody answers, for what a listening server cannot do itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["unreachable"]


@contextmanager
def unreachable(host: str = "127.0.0.1") -> Iterator[dict[str, str]]:
    """Give URLs to point an endpoint at: ``refused`` and ``dns``.

    ``refused`` is a port that is taken and not listened to while the block runs: connections are
    refused, and nobody else can take it. ``dns`` is a name that never resolves (RFC 6761).
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as taken:
        taken.bind((host, 0))
        port = taken.getsockname()[1]
        at = f"[{host}]" if ":" in host else host
        yield {"refused": f"http://{at}:{port}", "dns": "http://emulator.invalid"}

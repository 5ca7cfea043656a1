"""The event loop that everything is measured on: uvloop where it can be had, as in the server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to its end."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


async def stdin_lines() -> asyncio.StreamReader:
    """Standard input, to be read without blocking the loop."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def stdin_closed() -> None:
    """Wait for the end of standard input: the parent's end is ours."""
    reader = await stdin_lines()
    while await reader.read(4096):
        pass

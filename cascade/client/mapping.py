"""Many requests at a time, answers in the order of the requests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
)
from typing import TypeVar

from cascade.errors import CascadeError

T = TypeVar("T")
R = TypeVar("R")


async def ordered(
    work: Callable[[T], Awaitable[R]],
    items: Iterable[T] | AsyncIterable[T],
    concurrency: int,
    return_errors: bool,
) -> AsyncGenerator[R | CascadeError, None]:
    """Run ``work`` on every item, at most ``concurrency`` at a time.

    Results come in the order of the items; a slow one holds back those behind it, never more
    than ``concurrency`` of them. Leaving early cancels what is under way.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency = {concurrency}: give at least 1")
    source = _iterate(items)
    running: deque[asyncio.Task[R]] = deque()

    async def run(item: T) -> R:
        return await work(item)

    try:
        async for item in source:
            running.append(asyncio.create_task(run(item)))
            if len(running) >= concurrency:
                yield await _result(running.popleft(), return_errors)
        while running:
            yield await _result(running.popleft(), return_errors)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _result(task: asyncio.Task[R], return_errors: bool) -> R | CascadeError:
    try:
        return await task
    except asyncio.CancelledError:
        task.cancel()
        raise
    except CascadeError as error:
        if return_errors:
            return error
        raise


async def _iterate(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item

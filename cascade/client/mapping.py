"""Many requests at a time, answers in the order of the requests."""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Generator,
    Iterable,
)
from concurrent.futures import Future
from contextlib import aclosing
from typing import Any, TypeVar

from cascade.client.background import Background, result_of
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
    running: deque[asyncio.Task[R]] = deque()

    async def run(item: T) -> R:
        return await work(item)

    try:
        async with aclosing(_arrivals(items, running, concurrency)) as arrivals:
            async for item in arrivals:
                if item is not None:
                    running.append(asyncio.create_task(run(item[0])))
                if running and (len(running) >= concurrency or running[0].done()):
                    yield await _result(running.popleft(), return_errors)
        while running:
            yield await _result(running.popleft(), return_errors)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def ordered_here(
    background: Background,
    work: Callable[[T], Awaitable[R]],
    items: Iterable[T],
    concurrency: int,
    return_errors: bool,
) -> Generator[R | CascadeError, None, None]:
    """As ``ordered``, with the work in the background and the items read on this thread."""
    if concurrency < 1:
        raise ValueError(f"concurrency = {concurrency}: give at least 1")
    waiting: deque[Future[R]] = deque()
    tasks: set[asyncio.Task[Any] | None] = set()  # touched on the background's thread only

    async def run(item: T) -> R:
        task = asyncio.current_task()
        tasks.add(task)
        try:
            return await work(item)
        finally:
            tasks.discard(task)

    async def ended() -> None:
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)

    def first() -> R | CascadeError:
        try:
            result = result_of(waiting[0])
        except CascadeError as error:
            if not return_errors:
                raise
            waiting.popleft()
            return error
        waiting.popleft()
        return result

    try:
        for item in items:
            waiting.append(background.start(run(item)))
            if len(waiting) >= concurrency or waiting[0].done():
                yield first()
        while waiting:
            yield first()
    finally:
        for future in waiting:
            future.cancel()
        background.let_go(ended())


async def _arrivals(
    items: Iterable[T] | AsyncIterable[T], running: deque[asyncio.Task[R]], concurrency: int
) -> AsyncGenerator[tuple[T] | None, None]:
    """The items as they come; None when the first result is there before the next item is."""
    if not isinstance(items, AsyncIterable):
        for item in items:
            yield (item,)
        return
    source = aiter(items)
    coming = asyncio.ensure_future(anext(source))
    try:
        while True:
            await asyncio.wait({coming, *list(running)[:1]}, return_when=FIRST_COMPLETED)
            if not coming.done():
                yield None
                continue
            try:
                arrived = coming.result()
            except StopAsyncIteration:
                return
            yield (arrived,)
            coming = asyncio.ensure_future(anext(source))
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


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

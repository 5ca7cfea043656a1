"""Many requests at a time, whole and streamed, and what became of each."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Literal

import msgspec

from cascade import Answer, AsyncCascade, CascadeError
from cascade.learning.trace import Row
from cascade.types import ProtocolName, Request

CONCURRENCY = 32

Way = Literal["whole", "held", "live"]


class Ask(msgspec.Struct, frozen=True):
    """One request: a recorded prompt, the ladder's protocol, and how the answer comes. ``number``
    is the row's, and the answer is stored under it as a tag."""

    number: int
    row: Row
    protocol: ProtocolName
    way: Way

    @property
    def request(self) -> Request:
        """It, as the library takes it."""
        return Request(
            messages=self.row.turns,
            ladder=self.protocol,
            tags=(str(self.number),),
            delivery="live" if self.way == "live" else "verified",
        )


class Told(msgspec.Struct):
    """What came of a request: an answer or an error, the text that was streamed before either,
    and the seconds that it took."""

    ask: Ask
    answer: Answer | None = None
    error: CascadeError | None = None
    streamed: str = ""
    seconds: float = 0.0


def mixed(
    rows: Sequence[Row], protocols: Sequence[ProtocolName], count: int, seed: int = 1
) -> list[Ask]:
    """So many requests: about two thirds of the prompts are distinct, every eighth request is the
    one before it once more, half of all are streamed."""
    dice = random.Random(seed)
    asks: list[Ask] = []
    ways: tuple[Way, ...] = ("whole", "whole", "held", "live")
    numbers = dice.sample(range(len(rows)), min(len(rows), count))
    for place in range(count):
        if place % 8 == 7:
            asks.append(msgspec.structs.replace(asks[-1], way=dice.choice(ways)))
            continue
        number = dice.choice(numbers)
        asks.append(Ask(number, rows[number], dice.choice(protocols), dice.choice(ways)))
    return asks


async def load(ai: AsyncCascade, asks: Sequence[Ask], concurrency: int = CONCURRENCY) -> list[Told]:
    """Ask all of them, so many at a time."""
    left = iter(asks)
    told: list[Told] = []

    async def worker() -> None:
        for ask in left:
            told.append(await one(ai, ask))  # noqa: PERF401 - several workers add to it

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())
    return told


async def one(ai: AsyncCascade, ask: Ask) -> Told:
    """Ask one."""
    told, began = Told(ask), time.monotonic()
    try:
        if ask.way == "whole":
            told.answer = await ai.complete(ask.request)
        else:
            async with ai.stream(ask.request) as stream:
                async for text in stream:
                    told.streamed += text
            told.answer = stream.answer
    except CascadeError as error:
        error.__context__, error.__traceback__ = None, None  # their frames hold the run
        told.error = error
    told.seconds = time.monotonic() - began
    return told

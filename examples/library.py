"""An application that calls the library: without ``async``, and with it.

Without a key, let the emulator answer from the recording beside this file::

    cascade emulate --recording examples/recording/demo.jsonl --port 8791 &
    export CASCADE_CONFIG=examples/recording/config.toml
    python examples/library.py
"""

from __future__ import annotations

import asyncio

from cascade import AsyncCascade, Cascade

DESK = "You answer questions at the help desk of a library. Answer in one short sentence."


def one_by_one() -> None:
    """The plain face: complete, stream, and many at once."""
    with Cascade.from_config() as ai:
        answer = ai.complete("What is the capital of France?", system=DESK, max_cost=0.01)
        print(answer)
        print(answer.story())

        with ai.stream("Which two rivers meet in Koblenz?", system=DESK) as stream:
            for text in stream:
                print(text, end="", flush=True)
        print(f"\n{stream.answer.rung} for ${stream.answer.cost_usd:.6f}")


async def at_once() -> None:
    """The asynchronous face: the same methods."""
    questions = ["What is the currency of Japan?", "Who wrote Romeo and Juliet?"]
    async with AsyncCascade.from_config() as ai:
        async for answer in ai.map(questions, system=DESK, concurrency=2, quality="best"):
            print(answer)
        print(f"spent ${ai.totals.spent_usd:.6f}")


if __name__ == "__main__":
    one_by_one()
    asyncio.run(at_once())

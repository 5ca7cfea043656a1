"""A process that asks what it is told to, and says what came of it.

One line of JSON each way: prompts and options in; for each prompt, how it was answered out.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from cascade import Answer, AsyncCascade
from cascade.config.read import load

DESCRIPTORS = Path("/proc/self/fd")


def told(found: Answer | BaseException) -> str:
    """How a request was answered, or the name of its error."""
    return found.cache if isinstance(found, Answer) else type(found).__name__


def descriptors() -> int:
    """How many files are open; 0 where that cannot be told."""
    return len(list(DESCRIPTORS.iterdir())) if DESCRIPTORS.exists() else 0


def say(what: Any) -> None:
    """Say it to who started this."""
    print(json.dumps(what), flush=True)


async def main(directory: Path) -> None:
    """Ask until standard input ends; at last say how many more files are open than before."""
    settings = load(directory / "config.toml", {})
    await asyncio.to_thread(descriptors)  # the loop has its threads and files by now
    before = descriptors()
    async with AsyncCascade(tables=settings, data_dir=directory) as ai:
        say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = json.loads(line)
            asked = (ai.complete(prompt, **order["options"]) for prompt in order["prompts"])
            found = await asyncio.gather(*asked, return_exceptions=True)
            say([told(each) for each in found])
    say(descriptors() - before)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

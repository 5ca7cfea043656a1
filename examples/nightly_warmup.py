"""A nightly job: answer the questions people ask most, so that the morning finds them on disk.

``cascade warm FILE`` does the same from a shell; this shows it as part of a program::

    0 4 * * *  python nightly_warmup.py most_asked.txt

A question that is on disk already costs nothing, so an interrupted night goes on where it was.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from cascade import Answer, AsyncCascade

DESK = "You answer questions at the help desk of a library. Answer in one short sentence."
BUDGET_USD = 0.50


async def warm(questions: list[str]) -> int:
    """Answer every question once; return how many were answered.

    An answer is kept if it is whole and cleared its bar: of a question about the asker, or one
    whose answer was only the best there was, nothing is on disk.
    """
    answered = paid = 0
    async with AsyncCascade.from_config() as ai:
        answers = ai.map(questions, system=DESK, concurrency=4, max_cost=0.01, return_errors=True)
        async for answer in answers:
            if isinstance(answer, Answer):
                answered += 1
                paid += answer.cache == "miss"
            else:
                print(answer, file=sys.stderr)
            if ai.totals.spent_usd > BUDGET_USD:
                print("tonight's budget is used up", file=sys.stderr)
                break
        print(
            f"{answered} of {len(questions)} answered, {paid} of them anew, "
            f"for ${ai.totals.spent_usd:.6f}"
        )
    return answered


if __name__ == "__main__":
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    asyncio.run(warm([line for line in lines if line.strip()]))

"""Whole recordings through emulator and engine: the bill is exact, the second pass is free."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cascade import Answer, AsyncCascade, Message, Request
from cascade.cache.rules.subjects import is_about_the_asker
from cascade.emulator import Emulator
from cascade.learning.trace import Recording, Row, read_trace
from cascade.money import UNITS_PER_USD
from tests.engine.setting import BOUND, Step, tables
from tests.recorded import recording
from tests.serving import running

pytestmark = pytest.mark.anyio

PRICES: dict[str, tuple[float, float]] = {
    "llama3.1-8b": (0.2, 0.2),
    "llama3.1-70b": (0.9, 0.9),
    "gpt-4o": (2.5, 10.0),
    "gpt-4o-mini": (0.15, 0.6),
}
BAR = "mean_logprob >= -0.1"


def ladder(*models: str) -> tuple[Step, ...]:
    """A rung for each model, all but the last with a bar; named after the models."""
    return tuple(
        Step(
            model,
            endpoints=(f"one/{model}",),
            accept=None if model == models[-1] else BAR,
            price=PRICES.get(model, (1.0, 1.0)),
        )
        for model in models
    )


THREE = ladder("llama3.1-8b", "llama3.1-70b", "gpt-4o")


@cache
def rows_of(name: str) -> Recording:
    return read_trace(recording(f"traces/{name}.jsonl.gz"))


@contextmanager
def emulated(name: str) -> Iterator[tuple[Emulator, str]]:
    """The recording behind real sockets, without its latencies."""
    emulator = Emulator(rows_of(name), speed=0)
    with running(emulator) as url:
        yield emulator, f"{url}/v1"


def asked(row: Row) -> Request:
    turns = [Message("system", row.system)] if row.system else []
    return Request(messages=(*turns, Message("user", row.prompt)))


async def answers_to(ai: AsyncCascade, rows: tuple[Row, ...], **options: Any) -> list[Answer]:
    found = []
    async for answer in ai.map(map(asked, rows), concurrency=16, **options):
        assert isinstance(answer, Answer)
        found.append(answer)
    return found


def recorded_cost(row: Row, models: list[str]) -> int:
    """What the recording says that these calls cost, in money units."""
    costs = [row.answers[model].cost_usd for model in models]
    return sum(int(Decimal(str(cost)) * UNITS_PER_USD) for cost in costs if cost is not None)


def priced(row: Row, model: str) -> int:
    """Recorded tokens times list price, in money units."""
    answer, (read, written) = row.answers[model], PRICES[model]
    assert answer.input_tokens is not None
    assert answer.output_tokens is not None
    return round(read * 1e6) * answer.input_tokens + round(written * 1e6) * answer.output_tokens


def climbed(row: Row, models: tuple[str, ...]) -> list[str]:
    """The calls that the bars lead to, worked out from the recording alone."""
    made = []
    for model in models:
        made.append(model)
        logprob = row.answers[model].mean_logprob
        if logprob is not None and logprob >= -0.1:
            break
    return made


MODELS = tuple(step.name for step in THREE)


async def test_every_question_is_answered_and_the_bill_is_the_recorded_one(
    tmp_path: Path,
) -> None:
    with emulated("qa") as (emulator, url):
        rows = rows_of("qa").rows
        settings = tables(url, tmp_path, THREE, cache={})
        async with (
            asyncio.timeout(3 * BOUND),
            AsyncCascade(tables=settings, data_dir=tmp_path) as ai,
        ):
            # One at a time per prompt: the two rows that are one prompt would share a flight.
            first = await answers_to(ai, rows, cache="refresh")
            calls = Counter(a.endpoint.removeprefix("one/") for x in first for a in x.attempts)
            delivered = emulator.delivered
            assert len(first) == len(rows) == 1185
            assert all(answer.outcome == "accepted" for answer in first)
            for row, answer in zip(rows, first, strict=True):
                made = [attempt.rung for attempt in answer.attempts]
                assert made == climbed(row, MODELS)
                assert answer.text == row.answers[answer.rung].text
                assert answer.cost == sum(priced(row, model) for model in made)
                assert answer.cost == recorded_cost(row, made)
                assert not any(attempt.estimated for attempt in answer.attempts)
            total = sum(answer.cost or 0 for answer in first)
            assert ai.totals.spent == total
            assert calls == {m: t.calls for m, t in delivered.by_model.items() if t.calls}
            assert ai.totals.calls == delivered.total.calls == sum(calls.values())
            assert delivered.total.output_tokens == sum(
                attempt.usage.output_tokens
                for x in first
                for attempt in x.attempts
                if attempt.usage
            )

            again = await answers_to(ai, rows)
        assert {answer.cache for answer in again} == {"exact"}
        assert [answer.text for answer in again] == [answer.text for answer in _last(rows, first)]
        assert all(answer.cost == 0 for answer in again)
        assert emulator.delivered.total.calls == sum(calls.values()), "the second pass called"
        _ask_from_a_new_process(tmp_path)
        assert emulator.delivered.total.calls == sum(calls.values()), "the new process called"


def _last(rows: tuple[Row, ...], answers: list[Answer]) -> list[Answer]:
    """Rows that are one prompt share an entry: the one that was stored last."""
    kept = {asked(row): answer for row, answer in zip(rows, answers, strict=True)}
    return [kept[asked(row)] for row in rows]


_OTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
from cascade import AsyncCascade
from tests.engine.test_recordings import answers_to, rows_of

async def main(directory):
    ai = AsyncCascade.from_config(directory / "config.toml", data_dir=directory, environ={})
    async with ai:
        found = await answers_to(ai, rows_of("qa").rows, cache="only")
        assert {answer.cache for answer in found} == {"exact"}
        print(len(found))

asyncio.run(main(Path(sys.argv[1])))
"""


def _ask_from_a_new_process(directory: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _OTHER_PROCESS, str(directory)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1185"


async def test_with_the_cache_in_use_one_prompt_is_paid_once(tmp_path: Path) -> None:
    with emulated("qa") as (emulator, url):
        rows = tuple(
            row for row in rows_of("qa").rows if row.id in ("mmlu-train-50", "mmlu-train-53")
        )
        assert len(rows) == 2
        async with AsyncCascade(
            tables=tables(url, tmp_path, THREE, cache={}), data_dir=tmp_path
        ) as ai:
            first, second = await answers_to(ai, rows)
        assert first.cache == "miss"
        assert second.cache in ("collapsed", "exact")
        assert second.cost == 0
        assert emulator.delivered.total.calls == len(first.attempts)


async def test_chains_of_thought_are_billed_exactly_too(tmp_path: Path) -> None:
    models = ("llama3.1-8b", "gpt-4o-mini", "gpt-4o")
    with emulated("gsm8k-short") as (emulator, url):
        rows = rows_of("gsm8k-short").rows
        settings = tables(url, tmp_path, ladder(*models), cache={})
        async with AsyncCascade(tables=settings, data_dir=tmp_path) as ai:
            answers = await answers_to(ai, rows)
            assert len(answers) == 300
            for row, answer in zip(rows, answers, strict=True):
                made = [attempt.rung for attempt in answer.attempts]
                assert made == climbed(row, models)
                assert answer.cost == recorded_cost(row, made)
            assert ai.totals.calls == emulator.delivered.total.calls
            again = await answers_to(ai, rows)
            kept = [answer.cache == "exact" for answer in again]
            # "What is my age?" is a question about the asker: its answer is kept for nobody.
            assert kept == [not is_about_the_asker(asked(row)) for row in rows]
            assert ai.totals.calls == emulator.delivered.total.calls


@pytest.mark.parametrize("name", ["code-mbpp", "samples-date"])
async def test_what_was_recorded_without_tokens_is_billed_as_an_estimate(
    tmp_path: Path, name: str
) -> None:
    with emulated(name) as (emulator, url):
        rows = rows_of(name).rows[:40]
        models = tuple(sorted(rows[0].answers))[:2]
        async with AsyncCascade(
            tables=tables(url, tmp_path, ladder(*models)), data_dir=tmp_path
        ) as ai:
            answers = await answers_to(ai, rows, return_errors=False)
        attempts = [attempt for answer in answers for attempt in answer.attempts]
        uncounted = [
            attempt
            for row, answer in zip(rows, answers, strict=True)
            for attempt in answer.attempts
            if row.answers[attempt.rung].input_tokens is None
        ]
        assert uncounted
        assert all(attempt.estimated for attempt in uncounted)
        assert all(attempt.usage and (attempt.cost or 0) > 0 for attempt in attempts)
        assert emulator.delivered.total.uncounted == len(uncounted)

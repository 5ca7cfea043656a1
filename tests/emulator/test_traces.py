"""Every row of the shared recordings comes back over the wire exactly as it was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from cascade.emulator import Emulator
from cascade.learning.trace import RecordedAnswer, Recording, Row, read_trace
from tests.recorded import recording
from tests.serving import running


@contextmanager
def provider(read: Recording) -> Iterator[openai.OpenAI]:
    with (
        running(Emulator(read, speed=0)) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def asked(row: Row) -> list[Any]:
    system = [{"role": "system", "content": row.system}] if row.system else []
    return [*system, {"role": "user", "content": row.prompt}]


def sample(read: Recording, every: int) -> Iterator[tuple[Row, str, RecordedAnswer]]:
    """Rows with one model each, the models in turn. Of equal rows the first one answers."""
    for number, row in enumerate(read.rows[::every]):
        served = read.said(row.turns)[0]
        model = read.models[number % len(read.models)]
        yield row, model, served.answers[model]


@pytest.mark.parametrize(
    ("name", "every"),
    [("qa", 1), ("gsm8k-short", 1), ("gsm8k-cot", 7), ("code-mbpp", 3), ("samples-date", 3)],
)
def test_whole_answers_are_the_recorded_ones(name: str, every: int) -> None:
    read = read_trace(recording(f"traces/{name}.jsonl.gz"))
    with provider(read) as client:
        for row, model, recorded in sample(read, every):
            answer = client.chat.completions.create(
                model=model, messages=asked(row), logprobs=True, top_logprobs=2
            )
            choice = answer.choices[0]
            assert choice.message.content == recorded.text
            if recorded.output_tokens is None:
                assert answer.usage is None
            else:
                assert answer.usage is not None
                assert answer.usage.prompt_tokens == recorded.input_tokens
                assert answer.usage.completion_tokens == recorded.output_tokens
            if recorded.mean_logprob is None:
                assert choice.logprobs is None
            else:
                assert choice.logprobs is not None
                entries = choice.logprobs.content or []
                assert len(entries) == recorded.output_tokens
                assert {entry.logprob for entry in entries} == {recorded.mean_logprob}
                assert "".join(entry.token for entry in entries) == recorded.text


@pytest.mark.parametrize(
    ("name", "every"),
    [("qa", 5), ("gsm8k-short", 5), ("gsm8k-cot", 97), ("code-mbpp", 23), ("samples-date", 23)],
)
def test_streams_are_the_recorded_answers(name: str, every: int) -> None:
    read = read_trace(recording(f"traces/{name}.jsonl.gz"))
    with provider(read) as client:
        for row, model, recorded in sample(read, every):
            with client.chat.completions.create(
                model=model,
                messages=asked(row),
                stream=True,
                stream_options={"include_usage": True},
                logprobs=True,
            ) as stream:
                chunks = list(stream)
            compare(chunks, recorded)


def compare(chunks: list[ChatCompletionChunk], recorded: RecordedAnswer) -> None:
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == recorded.text
    usages = [chunk.usage for chunk in chunks if chunk.usage is not None]
    if recorded.output_tokens is None:
        assert usages == []
    else:
        (usage,) = usages
        assert usage.prompt_tokens == recorded.input_tokens
        assert usage.completion_tokens == recorded.output_tokens
    logprobs = [
        entry.logprob
        for choice in choices
        if choice.logprobs is not None
        for entry in choice.logprobs.content or ()
    ]
    if recorded.mean_logprob is None:
        assert logprobs == []
    else:
        assert logprobs == [recorded.mean_logprob] * (recorded.output_tokens or 0)

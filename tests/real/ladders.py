"""Ladders over the real model, written as a configuration file and read as one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import msgspec

from cascade import Answer, AsyncCascade
from cascade.client.asking import Options, Prompt
from cascade.config.read import load
from cascade.types import Usage
from tests.real.model import Model

Protocol = Literal["openai", "anthropic"]
PROTOCOLS: tuple[Protocol, ...] = ("openai", "anthropic")

QUESTION = "What is a river?"
STORY = "Tell me a very long story about a river."
GREEDY = Options(temperature=0.0, max_tokens=16)
"""The likeliest answer, and a short one: what the model says does not matter here."""

IMPOSSIBLE = "mean_logprob >= -0.0001"
TRIVIAL = "mean_logprob >= -100"
SOUND = "output_tokens >= 1"
"""Bars that no answer clears, that every answer with log-probabilities clears, and that every
answer clears which is not refuted."""


class Price(msgspec.Struct, frozen=True):
    """US dollars per million tokens, whole cents: a cent per million is 10,000 money units each."""

    input: float
    cached: float
    output: float

    def of(self, usage: Usage) -> int:
        """What a usage costs, in money units, reckoned without cascade."""
        uncached = usage.input_tokens - usage.cached_tokens
        tokens = (uncached, usage.cached_tokens, usage.output_tokens)
        cents = [round(price * 100) for price in (self.input, self.cached, self.output)]
        return 10_000 * sum(n * cent for n, cent in zip(tokens, cents, strict=True))


CHEAP = Price(0.10, 0.05, 0.40)
DEAR = Price(2.50, 1.00, 10.00)


class Step(msgspec.Struct, frozen=True):
    """A rung: a server, the protocol it is asked by, and what the file says of it.

    ``streamed`` gives the first token a clock of its own: then whole answers are called as
    streams too.
    """

    name: str
    model: Model
    protocol: Protocol = "openai"
    accept: str | None = None
    when_unsure: Literal["climb", "accept"] = "climb"
    price: Price = CHEAP
    context: int | None = None
    streamed: bool = False

    def tables(self) -> str:
        """Its tables in the file."""
        price = ", ".join(f"{k} = {v}" for k, v in msgspec.structs.asdict(self.price).items())
        lines = [
            f"[rungs.{self.name}]",
            f'endpoints = ["{self.name}/smollm2"]',
            f'when_unsure = "{self.when_unsure}"',
            f"accept = {json.dumps(self.accept)}" if self.accept else "",
            "timeout = { first_token = 60 }" if self.streamed else "",
            f"[providers.{self.name}]",
            f'protocol = "{self.protocol}"',
            f'base_url = "{self.model.url}/v1"',
            'key = "none"',
            f'[models."{self.name}/smollm2"]',
            f"price = {{ {price} }}",
            "lacks = []",  # this server takes sampling parameters by either protocol
            f"context = {self.context}" if self.context else "",
        ]
        return "\n".join(filter(None, lines)) + "\n"


def configuration(*steps: Step, more: str = "") -> str:
    """The file of a ladder. Requests start at its first rung, and nothing is cached."""
    names = json.dumps([step.name for step in steps])
    start = ", ".join(f'{level} = "{steps[0].name}"' for level in ("simple", "moderate", "complex"))
    return "\n".join(
        [
            f"[ladders]\ndefault = {names}",
            f"[decide]\nstart = {{ {start} }}",
            more or "[cache]\nenabled = false",
            *(step.tables() for step in steps),
        ]
    )


@asynccontextmanager
async def opened(folder: Path, *steps: Step, more: str = "") -> AsyncIterator[AsyncCascade]:
    """A cascade over a ladder while the block runs."""
    file = folder / "config.toml"
    file.write_text(configuration(*steps, more=more), encoding="utf-8")
    async with AsyncCascade(tables=load(file, {}), data_dir=folder, environ={}) as ai:
        yield ai


async def ask(ai: AsyncCascade, streamed: bool, prompt: Prompt, options: Options) -> Answer:
    """Ask for a whole answer, or for a stream and read it to its end."""
    if not streamed:
        return await ai.complete(prompt, **options)
    async with ai.stream(prompt, **options) as stream:
        pieces = [text async for text in stream]
    assert "".join(pieces) == stream.answer.text
    return stream.answer

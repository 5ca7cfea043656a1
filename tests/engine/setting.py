"""Ladders for tests, written as a configuration file and read as one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cascade import Answer, AsyncCascade
from cascade.config.read import load
from cascade.types import Tables

BOUND = 20.0
"""Seconds after which a test that hangs is ended."""

SURE = "mean_logprob >= -0.5"


@dataclass(frozen=True)
class Step:
    """A rung: its models at the providers ``one`` and ``two``, and what the file may say of it."""

    name: str
    endpoints: tuple[str, ...] = ()
    accept: str | None = SURE
    price: tuple[float, float] | str | None = (1.0, 2.0)
    timeout: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        return self.endpoints or (f"one/{self.name}",)


SMALL = Step("small")
STRONG = Step("strong", accept=None, price=(10.0, 20.0))
LADDER = (SMALL, STRONG)


def tables(
    url: str,
    directory: Path,
    steps: tuple[Step, ...] = LADDER,
    *,
    decide: Mapping[str, Any] | None = None,
    cache: Mapping[str, Any] | None = None,
    key: str = "none",
    env: Mapping[str, str] | None = None,
) -> Tables:
    """Write the file of a ladder whose providers are all at ``url``, and read it.

    Requests start at the first rung, and nothing is cached, unless told otherwise.
    """
    starts = dict.fromkeys(("simple", "moderate", "complex"), steps[0].name)
    sections: dict[str, Mapping[str, Any]] = {
        "ladders": {"default": [step.name for step in steps]},
        "decide": {"start": starts, **(decide or {})},
        "cache": {"enabled": False} if cache is None else {"enabled": True, **cache},
    }
    for name in ("one", "two"):
        sections[f"providers.{name}"] = {"base_url": url, "key": key}
    for step in steps:
        rung: dict[str, Any] = {"endpoints": list(step.models), "timeout": step.timeout}
        if step.accept is not None:
            rung["accept"] = step.accept
        sections[f"rungs.{json.dumps(step.name)}"] = {**rung, **step.settings}
        for model in step.models:
            sections[f"models.{json.dumps(model)}"] = {**_price(step.price), **step.model}
    path = directory / "config.toml"
    path.write_text("\n".join(_section(name, values) for name, values in sections.items()))
    return load(path, env or {})


def _price(price: tuple[float, float] | str | None) -> dict[str, Any]:
    if price is None:
        return {}
    return {
        "price": price
        if isinstance(price, str)
        else dict(zip(("input", "output"), price, strict=True))
    }


def _section(name: str, values: Mapping[str, Any]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)


@contextlib.asynccontextmanager
async def opened(
    url: str, directory: Path, steps: tuple[Step, ...] = LADDER, **options: Any
) -> AsyncIterator[AsyncCascade]:
    """An open ``AsyncCascade`` over a ladder at ``url``. It leaves no task behind."""
    before = asyncio.all_tasks()
    async with asyncio.timeout(BOUND):
        ai = AsyncCascade(tables=tables(url, directory, steps, **options), data_dir=directory)
        async with ai:
            yield ai
        await until(lambda: not _left(before))


async def read(
    ai: AsyncCascade, prompt: str, into: list[str] | None = None, **options: Any
) -> Answer:
    """Read a stream to its end; its pieces of text go into a list."""
    async with ai.stream(prompt, **options) as stream:
        async for text in stream:
            if into is not None:
                into.append(text)
    return stream.answer


def _left(before: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """The tasks that began since; those of the scripted provider's own do not count."""
    return {t for t in asyncio.all_tasks() - before if "_reply" not in str(t.get_coro())}


async def until(condition: Callable[[], object], within: float = 5.0) -> float:
    """Wait until something is so, and return how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within, "it did not come to be"
        await asyncio.sleep(0.001)
    return time.monotonic() - began

"""A provider that goes wrong, and a ladder on it in each protocol: two rungs, short clocks."""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

from cascade.config.read import load
from cascade.emulator import KINDS, Emulator
from cascade.learning.trace import RecordedAnswer, Recording, Row, read_trace
from cascade.types import ProtocolName, Tables
from tests.recorded import recording
from tests.serving import running

PROTOCOLS: tuple[ProtocolName, ...] = ("openai", "anthropic", "gemini")
WEAK, STRONG = "llama3.1-8b", "gpt-4o"
PRICES = {WEAK: (200_000, 200_000), STRONG: (2_500_000, 10_000_000)}
"""Money units for a token of input and of output."""

DEADLINE = 2.0
CLOCKS = {"connect": 1.0, "total": 0.6}
FIRST = {"first_token": 0.3, "idle": 0.3}
"""Clocks of the first rung alone: with these, whole answers are called as streams too."""

TOLD = {
    "429-retry-after": "(retry-after=0.2)",
    "slow-first-token": "(seconds=20)",
    "trickle": "(every=0.02)",
    "slow-headers": "(every=0.05)",
}
"""The parameters of faults whose usual ones are too long for these clocks, or too short."""

_LADDER = """
[rungs.{name}-weak]
endpoints = ["{name}-one/{weak}", "{name}-two/{weak}"]
timeout = {first}
{accept}

[rungs.{name}-strong]
endpoints = ["{name}-three/{strong}"]
timeout = {clocks}
calls = 2
"""
_PROVIDER = """
[providers.{name}-{number}]
protocol = "{name}"
base_url = "{url}"
key = "none"
"""
_PRICES = """
[models."{name}/{model}"]
price = {{ input = {input}, output = {output} }}
"""


def fault(name: str, share: float, seed: int = 1) -> str:
    """One fault on this share of the calls, ``all`` for every one of them by turns."""
    names = list(KINDS) if name == "all" else [name]
    parts = [f"{each}{TOLD.get(each, '')}={share / len(names)}" for each in names]
    return ",".join(parts) + f";seed={seed}"


@cache
def questions() -> Recording:
    """Short answers with log-probabilities, and long ones that can break in the middle; of two
    models. Each prompt stands there once."""
    rows: dict[tuple[str | None, str], Row] = {}
    for name in ("qa", "gsm8k-short"):
        for row in read_trace(recording(f"traces/{name}.jsonl.gz")).rows:
            answers = {model: row.answers[model] for model in (WEAK, STRONG)}
            rows.setdefault((row.system, row.prompt), msgspec.structs.replace(row, answers=answers))
    return Recording(rows.values())


def recorded(row: Row, endpoint: str) -> RecordedAnswer:
    """What the model behind an endpoint was recorded to answer."""
    return row.answers[endpoint.partition("/")[2]]


@contextlib.contextmanager
def provider(faults: str) -> Iterator[tuple[str, Emulator]]:
    """Run a faulty provider of all three protocols while the block runs."""
    emulator = Emulator(questions(), 0, faults=faults)
    with running(emulator) as url:
        health(url)
        yield url, emulator


def health(url: str) -> None:
    """Wait until it serves: from now on it holds what it needs for that."""
    with urllib.request.urlopen(f"{url}/health"):
        pass


def tables(url: str, directory: Path, bad: str | None = None) -> Tables:
    """The configuration of a ladder for each protocol, named by it. ``bad`` is the address of the
    first endpoint of every first rung, where it is another one."""
    path = directory / "config.toml"
    path.write_text(_text(url, bad or url), encoding="utf-8")
    return load(path, {})


def _text(url: str, bad: str) -> str:
    ladders = "".join(f'{name} = ["{name}-weak", "{name}-strong"]\n' for name in PROTOCOLS)
    text = f'[ladders]\ndefault = ["openai-weak", "openai-strong"]\n{ladders}'
    text += f"[decide]\ndeadline = {DEADLINE}\n"
    clocks, first = _inline(CLOCKS), _inline(CLOCKS | FIRST)
    for name in PROTOCOLS:
        # Anthropic's protocol has no log-probabilities: there the preset decides.
        accept = "" if name == "anthropic" else 'accept = "mean_logprob >= -0.3"'
        text += _LADDER.format(
            name=name, weak=WEAK, strong=STRONG, clocks=clocks, first=first, accept=accept
        )
        path = "/v1beta" if name == "gemini" else "/v1"
        for number in ("one", "two", "three"):
            at = bad if number == "one" else url
            text += _PROVIDER.format(name=name, number=number, url=at + path)
        for number, model in (("one", WEAK), ("two", WEAK), ("three", STRONG)):
            read, written = (units / 1e6 for units in PRICES[model])
            named = f"{name}-{number}"
            text += _PRICES.format(name=named, model=model, input=read, output=written)
    return text


def _inline(values: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{name} = {value}" for name, value in values.items()) + "}"

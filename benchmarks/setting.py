"""The setting of a run: how much is measured, and the processes and files it needs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.children import Child

WARM = 200
"""Prompts whose answers are put into the cache before hits are measured."""

_CONFIG = """
[ladders]
default = ["small", "strong"]
climb = ["low", "lower", "top"]

[rungs]
small = "mock/small"
strong = "mock/strong"

[rungs.low]
endpoints = ["low/low"]
accept = "mean_logprob >= -0.1"

[rungs.lower]
endpoints = ["low/lower"]
accept = "mean_logprob >= -0.1"

[rungs.top]
endpoints = ["low/top"]

[decide]
preset = "cheap"
delivery = "live"
"""
_PROVIDER = """
[providers.{name}]
protocol = "openai"
base_url = "{url}{path}/v1"
key = "none"
"""
_PRICE = """
[models."{name}"]
price = {{ input = 0.2, output = 0.4 }}
"""


class Setting(msgspec.Struct, frozen=True):
    """How much is measured, and where files may lie.

    ``rounds`` is how often each path is run; ``quick`` asks for a handful of requests, to see that
    all runs; ``profile`` for the profile of each path of ours.
    """

    folder: Path
    rounds: int = 7
    quick: bool = False
    profile: bool = False

    def count(self, full: int) -> int:
        """How many requests a round has."""
        return max(full // 100, 8) if self.quick else full


def write_config(setting: Setting, url: str, streams: tuple[int, ...] = ()) -> Path:
    """Write the configuration of all benchmarks against the mock provider at ``url``.

    ``streams`` adds a ladder ``stream-N`` for each N, whose answers have N pieces.
    """
    ladders = "".join(f'stream-{n} = ["stream{n}/stream"]\n' for n in streams)
    text = _CONFIG.replace("\n[rungs]", f"{ladders}\n[rungs]", 1)
    paths = {"mock": "", "low": "/low"} | {f"stream{n}": f"/stream/{n}" for n in streams}
    text += "".join(_PROVIDER.format(name=n, url=url, path=path) for n, path in paths.items())
    models = ["mock/small", "mock/strong", "low/low", "low/lower", "low/top"]
    models += [f"stream{n}/stream" for n in streams]
    text += "".join(_PRICE.format(name=name) for name in models)
    path = setting.folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def mock() -> Child:
    """Start the mock provider."""
    return Child("-m", "benchmarks.mock")


def bare(what: str, argument: str) -> Child:
    """Start a bare ASGI application."""
    return Child("-m", "benchmarks.bare", what, argument)


def loader() -> Child:
    """Start the process that makes the load."""
    return Child("-m", "benchmarks.load")


def serve(setting: Setting, config: Path, name: str, profile: Path | None = None) -> Child:
    """Start ``cascade serve`` with data in a folder of that name; ``profile`` takes its profile."""
    profiled = () if profile is None else ("-m", "cProfile", "-o", str(profile))
    return Child(
        *(*profiled, "-m", "cascade", "serve", "--config", str(config), "--port", "0"),
        env={"CASCADE_DATA": str(setting.folder / name)},
    )

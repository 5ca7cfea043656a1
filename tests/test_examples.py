"""Everything in ``examples/`` runs, against the emulator and the recording that lies there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cascade.emulator import Emulator
from cascade.learning.trace import read_trace
from tests.serving import running

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    recording = read_trace(EXAMPLES / "recording" / "demo.jsonl")
    with running(Emulator(recording, speed=0)) as url:
        yield url


@pytest.fixture
def environment(provider: str, tmp_path: Path) -> dict[str, str]:
    config = (EXAMPLES / "recording" / "config.toml").read_text()
    path = tmp_path / "config.toml"
    path.write_text(config.replace("http://127.0.0.1:8791", provider))
    return {
        **os.environ,
        "CASCADE_CONFIG": str(path),
        "CASCADE_DATA": str(tmp_path / "data"),
        "PYTHONPATH": str(ROOT),
    }


def run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_library_example_answers_streams_and_maps(environment: dict[str, str]) -> None:
    out = run(environment, "examples/library.py")
    assert "The capital of France is Paris" in out
    assert "Koblenz" in out
    assert "William Shakespeare wrote Romeo and Juliet" in out
    assert "spent $" in out


def test_the_warm_up_example_fills_the_cache_and_pays_once(environment: dict[str, str]) -> None:
    first = run(environment, "examples/nightly_warmup.py", "examples/most_asked.txt")
    second = run(environment, "examples/nightly_warmup.py", "examples/most_asked.txt")
    assert first.startswith("4 of 4 answered, 4 of them anew, for $")
    assert second == "4 of 4 answered, 0 of them anew, for $0.000000\n"


def test_the_rule_example_runs_and_keeps_the_laws(environment: dict[str, str]) -> None:
    assert "it cost $" in run(environment, "examples/own_rule.py")
    run(environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/test_own_rule.py")


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[str]:
    """`cascade serve` in a process of its own; gives its URL."""
    server = subprocess.Popen(
        [sys.executable, "-m", "cascade", "serve", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield json.loads(server.stdout.readline())["url"]
    finally:
        server.terminate()
        server.wait(timeout=30)
        server.stdout.close()


def test_the_anthropic_client_example_talks_to_the_server(environment: dict[str, str]) -> None:
    with serving(environment) as url:
        client = {**environment, "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none"}
        out = run(client, "examples/anthropic_client.py")
    assert "The capital of France is Paris" in out
    assert "Michelangelo" in out


def test_the_openai_client_example_talks_to_the_server(environment: dict[str, str]) -> None:
    with serving(environment) as url:
        client = {**environment, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "none"}
        out = run(client, "examples/openai_client.py")
    assert "The capital of France is Paris" in out
    assert "answered by demo/" in out
    assert "Michelangelo" in out

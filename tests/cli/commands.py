"""The real command in a process of its own, against a provider that is one too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

PATIENCE = 60  # seconds: a machine that does other work too

COMMAND = [sys.executable, "-m", "cascade"]
ROOT = Path(__file__).resolve().parents[2]

CAPITAL = "What is the capital of France?"
COMPARE = "Compare TCP and UDP in one sentence, and explain why both are needed."
SLOW = "Wait for me."


def _answer(text: str, tokens: int, **more: Any) -> dict[str, Any]:
    return {"text": text, "input_tokens": 10, "output_tokens": tokens, **more}


RECORDING = [
    {
        "prompt": CAPITAL,
        "answers": {
            "cheap": _answer("Paris.", 2, mean_logprob=-0.01),
            "strong": _answer("Paris, of course.", 4),
        },
    },
    {
        "prompt": COMPARE,
        "answers": {
            "cheap": _answer("They differ.", 3, mean_logprob=-2.0),
            "strong": _answer("TCP is reliable, UDP is quick.", 8),
        },
    },
    {
        "prompt": SLOW,
        "answers": {
            "cheap": _answer("It took long.", 4, mean_logprob=-0.01, latency_s=60),
            "strong": _answer("It took long.", 4, latency_s=60),
        },
    },
    {"prompt": "Say OK.", "answers": {"cheap": _answer("OK", 1)}},
]


class Ran(msgspec.Struct):
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its standard output, which must be one JSON object on one line."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


Run = Callable[..., Ran]
"""Runs a command and tells what it did."""


class Place:
    """A directory to run commands in: its configuration, its data, and an empty environment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "CASCADE_DATA": str(path / "data"),
            "HOME": str(path),
        }

    def write(self, name: str, text: str) -> Path:
        """Write a file into it."""
        file = self.path / name
        file.write_text(text, encoding="utf-8")
        return file

    def configure(self, url: str, more: str = "") -> None:
        """Write the smallest configuration for an emulated provider."""
        self.write(
            "config.toml",
            f"""
[ladders]
default = ["x/cheap", "x/strong"]
[providers.x]
base_url = "{url}/v1"
[models."x/cheap"]
price = {{ input = 0.10, output = 0.40 }}
[models."x/strong"]
price = {{ input = 2.50, output = 10.00 }}
{more}""",
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.path,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, stdin: bytes = b"", **env: str) -> Ran:
        """Run a command to its end."""
        ran = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.path,
            env={**self.env, **env},
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        out, err = ran.stdout.decode(), ran.stderr.decode()
        assert "Traceback" not in err, err
        return Ran(ran.returncode, out, err)


class Provider:
    """An emulated provider that runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def delivered(self) -> dict[str, Any]:
        """What it has counted so far."""
        with urllib.request.urlopen(f"{self.url}/emulator/delivered") as response:
            counted: dict[str, Any] = json.load(response)
        return counted

    def wait_for(self, name: str, count: int) -> None:
        """Wait until it has counted so many."""
        limit = time.monotonic() + PATIENCE
        while (counted := self.delivered())[name] < count:
            assert time.monotonic() < limit, counted
            time.sleep(0.01)  # between two looks, not for luck


@contextmanager
def listening(place: Place, *arguments: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Run a command that serves; gives what it said when ready, and its process."""
    process = place.start(*arguments)
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            yield json.loads(line), process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)

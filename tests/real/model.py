"""The real model: its server in a process of its own, and what the server says of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.engine.setting import until

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "recording" / "model_server.py"
PYTHON = os.environ.get("CASCADE_MODEL_PYTHON", sys.executable)
"""The interpreter of the environment that holds the model; see the Makefile."""

SOON = 10.0
"""Seconds within which a server must have noticed that nobody waits any more."""


class Model:
    """A running server. ``url`` is without ``/v1``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=60)

    def busy(self) -> list[dict[str, Any]]:
        """The slots that are at work just now."""
        slots: list[dict[str, Any]] = self._http.get("/slots").json()
        return [slot for slot in slots if slot["is_processing"]]

    async def until(self, busy: bool) -> None:
        """Wait until it is at work, or is not."""
        await until(lambda: bool(self.busy()) is busy, SOON)

    def close(self) -> None:
        """Forget the connection."""
        self._http.close()


@contextmanager
def serving(
    log: Path, *, context: int, slots: int, template: Path | None = None
) -> Iterator[Model]:
    """Run a server while the block runs; what it says goes into ``log``."""
    command = [PYTHON, str(SCRIPT), "--context", str(context), "--slots", str(slots)]
    command += ["--template", str(template)] if template else []
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the model does not start (`make test-real`):\n{log.read_text()[-2000:]}"
        model = Model(json.loads(line)["url"])
        try:
            yield model
        finally:
            model.close()
            process.stdin.close()  # its end is the server's
            process.wait(SOON)

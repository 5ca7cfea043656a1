"""How long it takes to begin: the import, the command, the server; and what the server holds."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.children import ROOT, Child, environment
from benchmarks.figures import Figure
from benchmarks.rounds import Sample, run_turns, sample
from benchmarks.setting import Setting, bare, serve, write_config

IMPORT = 120.0  # ms
HELP = 200.0  # ms
READY = 600.0  # ms
MEMORY = 90.0  # MB


def measure(setting: Setting) -> list[Figure]:
    """Measure and return the figures. No server is asked anything, so no provider is needed."""
    config = write_config(setting, "http://127.0.0.1:9")
    ours, least = _Server(lambda: serve(setting, config, "start")), _Server(_least)
    samples = run_turns(
        1 if setting.quick else 2 * setting.rounds,
        {
            "python": lambda: _run("-c", "pass"),
            "import": lambda: _run("-c", "import cascade"),
            "used": lambda: _run("-c", "from cascade import AsyncCascade, Cascade"),
            "help": lambda: _run("-m", "cascade", "--help"),
            "serve": ours.start,
            "bare": least.start,
        },
    )
    taken = {name: each.p50 * 1e3 for name, each in samples.items()}
    python = taken["python"]
    of = "python that does nothing"
    return [
        Figure("import cascade", taken["import"], "ms", python, of, IMPORT, added=True),
        Figure("import both faces", taken["used"], "ms", python, of),
        Figure("cascade --help", taken["help"], "ms", python, of, HELP),
        Figure("server ready", taken["serve"], "ms", taken["bare"], "bare ASGI", READY),
        Figure("server, memory", ours.memory, "MB", least.memory, "bare ASGI", MEMORY),
    ]


def _run(*arguments: str) -> Sample:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return _once(time.perf_counter() - began)


def _once(seconds: float) -> Sample:
    return sample([seconds], seconds)


def _least() -> Child:
    return bare("hello", "100")


class _Server:
    """Starts a server again and again, and remembers how much memory it held when ready."""

    def __init__(self, begin: Callable[[], Child]) -> None:
        self._begin = begin
        self.memory: float | None = None

    def start(self) -> Sample:
        """Seconds from the start of the process to its readiness."""
        began = time.perf_counter()
        with self._begin() as server:
            seconds = time.perf_counter() - began
            self.memory = server.memory()
        return _once(seconds)

"""Processes of ours: started here, measured here, ended here."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0
"""Seconds after which a silent child counts as hanging."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class ChildError(Exception):
    """A child ended early or hangs; the message has what it wrote to standard error."""


def environment() -> dict[str, str]:
    """The environment of every child: ours, without settings of cascade's and without proxies."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CASCADE_") and name.lower() not in _PROXIES
    }
    return kept | {"PYTHONPATH": str(ROOT)}


def spare_proxies() -> None:
    """Loopback goes through no proxy, whatever this process's environment says."""
    for name in list(os.environ):
        if name.lower() in _PROXIES:
            del os.environ[name]


class Child:
    """A Python process that writes one line of JSON when it is ready.

    It hears of our end by the end of its standard input, or by SIGTERM. A context manager.
    ``told`` is what that first line said.

    Args:
        arguments: what comes after ``python``.
        env: what is put into its environment.

    Raises:
        ChildError: it ended before it was ready.
    """

    def __init__(self, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self._name = " ".join(arguments)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment() | dict(env or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        try:
            self.told = self.hear()
        except BaseException:
            self.end()
            raise

    @property
    def url(self) -> str:
        """Where it listens: scheme, host and port."""
        return str(self.told["url"])

    def ask(self, question: bytes) -> dict[str, Any]:
        """Send a line, and return the line of JSON that answers it."""
        stdin = self._process.stdin
        assert stdin is not None, "standard input is a pipe"
        stdin.write(question + b"\n")
        stdin.flush()
        return self.hear()

    def hear(self) -> dict[str, Any]:
        """Return the next line of JSON that it writes."""
        stdout = self._process.stdout
        assert stdout is not None, "standard output is a pipe"
        readable, _, _ = select.select([stdout], [], [], PATIENCE)
        line: bytes = stdout.readline() if readable else b""
        if not line:
            self._errors.seek(0)
            reason = "has ended" if readable else f"has said nothing for {PATIENCE:g} s"
            words = self._errors.read().decode(errors="replace").strip()
            raise ChildError(f"python {self._name}: it {reason}. {words}")
        heard: dict[str, Any] = msgspec.json.decode(line)
        return heard

    def cpu(self) -> float | None:
        """Seconds of CPU it has used, all threads together; None where the system tells not."""
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float | None:
        """Megabytes of memory it holds (resident); None where the system tells not."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return None
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024 / 1e6

    def end(self) -> None:
        """Ask it to end, wait, and insist."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

"""The emulator as a process of its own: what ``cascade emulate`` runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cascade.emulator.app import Emulator
from cascade.learning.trace import read_trace
from cascade.listen import serve


def emulate(
    path: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    speed: float = 1.0,
    on_ready: Callable[[str, tuple[str, ...]], None],
) -> None:
    """Serve a recording until SIGINT or SIGTERM, then return.

    ``on_ready`` gets the URL (without ``/v1``) and the models once requests are answered.

    Raises:
        EmulatorError: the recording cannot be read, or the speed makes no sense.
        CascadeError: the address cannot be had.
    """
    recording = read_trace(path)
    emulator = Emulator(recording, speed)
    serve(emulator, host, port, on_ready=lambda url: on_ready(url, recording.models))

"""The emulator as a process of its own: what ``cascade emulate`` runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cascade.emulator.app import Emulator
from cascade.emulator.prefix import PrefixCache
from cascade.learning.trace import read_trace
from cascade.listen import serve


def emulate(
    path: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    speed: float = 1.0,
    faults: str = "",
    prefix_cache: bool = False,
    on_ready: Callable[[str, tuple[str, ...]], None],
) -> None:
    """Serve a recording until SIGINT or SIGTERM, then return.

    ``faults`` and ``prefix_cache`` are the ``Emulator``'s. ``on_ready`` gets the URL (without
    ``/v1``) and the models once requests are answered.

    Raises:
        EmulatorError: the recording or the faults cannot be read, or the speed makes no sense.
        CascadeError: the address cannot be had.
    """
    recording = read_trace(path)
    prefixes = PrefixCache() if prefix_cache else None
    emulator = Emulator(recording, speed, faults=faults, prefix_cache=prefixes)
    serve(emulator, host, port, on_ready=lambda url: on_ready(url, recording.models))

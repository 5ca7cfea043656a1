"""Where the demo's recording lies: in the installed package, else in the source tree."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cascade.errors import EmulatorError
from cascade.learning.trace import Recording, Row, read_trace

_PACKAGE = Path(__file__).resolve().parents[1]
_PLACES = (_PACKAGE / "data" / "demo", _PACKAGE.parent / "examples" / "recording")


class Demo(msgspec.Struct, frozen=True):
    """The recording, a day's traffic as rows in order, and the configuration of its ladder."""

    recording: Recording
    traffic: tuple[Row, ...]
    config: Path


def load_demo() -> Demo:
    """Read the demo's recording.

    Raises:
        EmulatorError: it is in neither place, or is not what it should be.
    """
    place = next((each for each in _PLACES if (each / "demo.jsonl").is_file()), None)
    if place is None:
        raise EmulatorError("The demo's recording is not installed. Install the package again.")
    recording = read_trace(place / "demo.jsonl")
    rows = {row.id: row for row in recording.rows}
    order = (place / "order.txt").read_text(encoding="utf-8").split()
    if unknown := [name for name in order if name not in rows]:
        raise EmulatorError(f"{place / 'order.txt'}: the recording has no row {unknown[0]}.")
    return Demo(recording, tuple(rows[name] for name in order), place / "config.toml")

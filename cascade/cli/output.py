"""Where a command's words go: results to standard output, all else to standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


_WIDTH = 200  # columns of a table that goes into a file or a pipe
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "\ufffd") | {9: "\t", 10: "\n", 13: None}


def say(message: str) -> None:
    """Tell the person something, on standard error."""
    sys.stderr.write(f"{_harmless(message)}\n")
    sys.stderr.flush()


def print_json(value: Any) -> None:
    """Print one JSON object on a line of standard output, at once. Absent values are null."""
    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def print_text(text: str) -> None:
    """Print a piece of text on standard output, at once."""
    sys.stdout.write(_harmless(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def console(*, error: bool = False) -> Console:
    """A console for tables on standard output, or for progress on standard error."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    # Without a terminal nobody's window sets a width, and 80 columns would cut names short.
    width = None if stream.isatty() else _WIDTH
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


def usd(amount: float | None, digits: int = 6) -> str:
    """Write an amount of US dollars for a table; one that is not known says so."""
    return "unknown" if amount is None else f"${amount:,.{digits}f}"


def _harmless(message: str) -> str:
    """Providers write parts of it: nothing in it may drive the terminal."""
    return message.translate(_CONTROLS)

"""Where a command's words go: results to standard output, all else to standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


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
    sys.stdout.write(text)
    sys.stdout.flush()


def console(*, error: bool = False) -> Console:
    """A console for tables on standard output, or for progress on standard error."""
    from rich.console import Console

    return Console(stderr=error, highlight=False, soft_wrap=not error)


def usd(amount: float | None, digits: int = 6) -> str:
    """Write an amount of US dollars for a table; one that is not known says so."""
    return "unknown" if amount is None else f"${amount:,.{digits}f}"


def _harmless(message: str) -> str:
    """Providers write parts of messages: nothing in them may drive the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in message)

"""Progress on standard error: a bar where somebody watches, silence elsewhere."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from cascade.cli.output import console


class Progress(Protocol):
    """Shows how far it is."""

    def show(self, done: int, spent: str) -> None:
        """Tell how many requests are through and what was spent."""


class Silence:
    """In the place of a bar where nobody watches."""

    def show(self, done: int, spent: str) -> None:
        """Show nothing."""


def progress(total: int) -> AbstractContextManager[Progress]:
    """Show progress while the block runs; ``total`` is the number of requests."""
    if not sys.stderr.isatty():
        return nullcontext(Silence())
    from cascade.cli.bar import ProgressBar

    return ProgressBar(console(error=True), total)

"""A progress bar for a terminal, with the money spent so far."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class ProgressBar:
    """A bar that stands while the block runs. Messages to standard error appear above it."""

    def __init__(self, screen: Console, total: int) -> None:
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[spent]}"),
            TimeRemainingColumn(),
            console=screen,
        )
        self._task = self._progress.add_task("", total=total, spent="$0")

    def show(self, done: int, spent: str) -> None:
        """Tell how many requests are through and what was spent."""
        self._progress.update(self._task, completed=done, spent=spent)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

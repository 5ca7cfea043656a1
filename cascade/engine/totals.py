"""Running totals of one engine, in memory: what it did and what that cost."""

from __future__ import annotations

import threading
from collections import Counter

from cascade import money
from cascade.engine.loop import Ended
from cascade.types import Answer


class Totals:
    """Counts since the engine opened. ``spent`` and ``saved`` are money units and cover what is
    known: attempts without a known price are counted in ``unpriced``."""

    def __init__(self) -> None:
        self.by_outcome: Counter[str] = Counter()
        self.by_rung: Counter[str] = Counter()
        self.by_cache: Counter[str] = Counter()
        self.calls = 0
        self.estimated = 0
        self.unpriced = 0
        self.spent = 0
        self.saved = 0
        self._counting = threading.Lock()  # hits are handed out on any thread

    def settle(self, ended: Ended) -> None:
        """A run has ended: its calls and their bills, wanted or not."""
        self.by_outcome[ended.finish.outcome] += 1
        for attempt in ended.attempts:
            self.calls += 1
            self.estimated += attempt.estimated
            if attempt.cost is None:
                self.unpriced += 1
            else:
                self.spent += attempt.cost

    def count(self, answer: Answer) -> None:
        """An answer was handed out."""
        with self._counting:
            self.by_rung[answer.rung] += 1
            self.by_cache[answer.cache] += 1
            self.saved += answer.saved or 0

    @property
    def spent_usd(self) -> float:
        """US dollars settled so far, estimates included."""
        return money.to_usd(self.spent)

    @property
    def saved_usd(self) -> float:
        """US dollars saved so far against the reference, modelled."""
        return money.to_usd(self.saved)

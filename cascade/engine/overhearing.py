"""What goes wrong inside a user's rule, kept for the error that its user will read.

The machine takes a rule's exception, or a move that was not offered, for no choice. That is safe,
and it would be silent.
"""

from __future__ import annotations

from cascade.policy.model import Choice, Rule, View


class Overheard:
    """A rule, and the first thing that went wrong with it."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self.trouble: str | None = None

    def __call__(self, view: View, moves: tuple[Choice, ...]) -> Choice | None:
        """Ask the rule; note what the machine will not accept."""
        try:
            choice = self._rule(view, moves)
        except Exception as error:
            self.trouble = self.trouble or f"the rule raised {error!r}"
            raise
        if choice not in moves:
            self.trouble = self.trouble or f"the rule chose {choice!r}, which was not offered"
        return choice

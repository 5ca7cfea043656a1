"""What is raised when a law does not hold."""

from __future__ import annotations


class LawBroken(AssertionError):
    """A law does not hold; the message says which, and where."""


def require(condition: bool, law: str) -> None:
    """Raise ``LawBroken`` with the law's words unless the condition holds."""
    if not condition:
        raise LawBroken(law)

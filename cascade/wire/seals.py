"""Whose a thought's signature is.

A conversation may go from one provider to another, and each refuses the other's signatures. So
Google's are marked as Google's inside; any other is Anthropic's. Nobody is sent another's.
"""

from __future__ import annotations

__all__ = ["GOOGLES", "is_googles"]

GOOGLES = "gemini:"


def is_googles(signature: str | None) -> bool:
    """Whether Google made this signature."""
    return signature is not None and signature.startswith(GOOGLES)

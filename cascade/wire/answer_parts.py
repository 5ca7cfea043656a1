"""What the shapes of providers' answers are made of, in every protocol."""

from __future__ import annotations

import msgspec

__all__ = ["UNLIKELY", "Lenient", "likely"]

UNLIKELY = -9999.0
"""OpenAI's word for a token too unlikely to be listed; here it is everybody's."""


class Lenient(msgspec.Struct, gc=False):
    """Fields it does not list are skipped."""


def likely(logprob: float | None) -> float:
    """Read a log-probability; null and anything below the sentinel become the sentinel."""
    return logprob if logprob is not None and logprob >= UNLIKELY else UNLIKELY

"""What the generations of Google's models want written differently."""

from __future__ import annotations

import re

__all__ = ["is_older"]

_OLDER = re.compile(r"gemini-[12](?!\d)|gemma")


def is_older(model: str) -> bool:
    """Whether a model is of the generations before Gemini 3.

    These answer an error to a thinking level, and check no signatures. A name that does not tell
    (``gemini-flash-latest``) is a newer one's.
    """
    return _OLDER.search(model) is not None

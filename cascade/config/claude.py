"""What single Claude models refuse, read off their names. ``[models]`` overrides it."""

from __future__ import annotations

import re

from cascade.config.protocols import SAMPLING
from cascade.types.parameters import Lackable

# claude-opus-4-8, claude-sonnet-5, claude-haiku-4-5-20251001, anthropic.claude-opus-4-6-v1; and the
# elder order, claude-3-7-sonnet-latest
_NAME = re.compile(r"claude-(?P<family>[a-z]+)-(?P<major>\d)(?:-(?P<minor>\d)(?!\d))?")
_ELDER = re.compile(r"claude-(?P<major>[1-3])(?:-(?P<minor>\d)(?!\d))?-(?P<family>[a-z]+)")


def refused_by(model: str) -> frozenset[Lackable]:
    """Return what a model answers with an error; nothing is known of a name that is no Claude's.

    An effort is taken from Opus 4.5 and Sonnet 4.6 on, a system message between turns from 4.8 on;
    a budget of thoughts, and sampling, by those before 4.7.
    """
    found = _NAME.search(model) or _ELDER.search(model)
    if found is None:
        return frozenset()
    version = (int(found["major"]), int(found["minor"] or 0))
    first_with_effort = (4, 6)  # which takes adaptive thinking with it
    refused: set[Lackable] = set()
    if version < first_with_effort:
        refused.add("reasoning_effort")
    if version < (4, 8):
        refused.add("system_turns")
    if version >= (4, 7):
        refused |= {"reasoning_budget", *SAMPLING}
    return frozenset(refused)

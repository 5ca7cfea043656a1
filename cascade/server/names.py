"""The names that may stand in a request's ``model``, and what each of them means."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from cascade.errors import RequestError
from cascade.types import Request, Tables

AUTO = "auto"
"""The default ladder, or the one that the request's ``cascade.ladder`` names."""


class UnknownModelError(Exception):
    """No ladder, rung or alias has this name."""


class Meaning(msgspec.Struct, frozen=True):
    """What a name stands for: a ladder, a pinned rung, or neither, which is ``auto``."""

    kind: Literal["auto", "ladder", "rung"]
    name: str


class Names:
    """All names of a configuration. An alias goes before a ladder or rung of the same name."""

    def __init__(self, tables: Tables) -> None:
        known = {AUTO: Meaning("auto", AUTO)}
        known |= {name: Meaning("rung", name) for name in tables.rungs}
        known |= {name: Meaning("ladder", name) for name in tables.ladders}
        aliases = {name: known[target] for name, target in tables.server.aliases.items()}
        self._meanings = known | aliases

    def aim(self, request: Request, model: str) -> Request:
        """Return the request with the ladder or the rung that the model's name stands for.

        Raises:
            UnknownModelError: the name stands for nothing; it lists what there is.
            RequestError: the name is a ladder's, and ``cascade.ladder`` names another one.
        """
        meaning = self._meanings.get(model)
        if meaning is None:
            raise self.unknown(model)
        if meaning.kind == "auto":
            return request
        if meaning.kind == "rung":
            return replace(request, rung=meaning.name)
        if request.ladder not in (None, meaning.name):
            raise RequestError(
                "cascade.ladder",
                request.ladder,
                f"the model names the ladder {meaning.name}",
                'Name the ladder once, and send "auto" as the model otherwise.',
            )
        return replace(request, ladder=meaning.name)

    def unknown(self, model: str) -> UnknownModelError:
        """Return the error that says what there is instead."""
        from difflib import get_close_matches

        shown = model if len(model) <= 80 else model[:79] + "…"
        close = get_close_matches(model, self._meanings, 1)
        mean = f" Did you mean {close[0]}?" if close else ""
        there = ", ".join(self._meanings)
        return UnknownModelError(f"there is no model {shown!r}; there are {there}.{mean}")

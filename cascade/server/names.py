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
        models = _models(tables)
        self.listing = msgspec.json.encode({"object": "list", "data": models})
        self._models = {model["id"]: msgspec.json.encode(model) for model in models}

    def aim(self, request: Request, model: str) -> Request:
        """Return the request with the ladder or the rung that the model's name stands for.

        Raises:
            UnknownModelError: the name stands for nothing; it lists what there is.
            RequestError: the name is a ladder's, and ``cascade.ladder`` names another one.
        """
        meaning = self._meanings.get(model)
        if meaning is None:
            raise UnknownModelError(self._unknown(model))
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

    def model(self, name: str) -> bytes:
        """Return the body of ``GET /v1/models/NAME``.

        Raises:
            UnknownModelError: the name stands for nothing; it lists what there is.
        """
        body = self._models.get(name)
        if body is None:
            raise UnknownModelError(self._unknown(name))
        return body

    def _unknown(self, model: str) -> str:
        from difflib import get_close_matches

        shown = model if len(model) <= 80 else model[:79] + "…"
        close = get_close_matches(model, self._meanings, 1)
        mean = f" Did you mean {close[0]}?" if close else ""
        return f"there is no model {shown!r}; there are {', '.join(self._meanings)}.{mean}"


def _models(tables: Tables) -> list[dict[str, object]]:
    """All that ``GET /v1/models`` lists, aliases last: they go before others of their name."""
    default = tables.ladders.get("default")
    strongest = default.rungs[-1].name if default is not None else None
    models = [_model(AUTO, {"kind": "auto", "ladder": "default", "reference": strongest})]
    for ladder in tables.ladders.values():
        rungs = [rung.name for rung in ladder.rungs]
        models.append(_model(ladder.name, {"kind": "ladder", "rungs": rungs}))
    for rung in tables.rungs.values():
        endpoints = [endpoint.name for endpoint in rung.endpoints]
        models.append(_model(rung.name, {"kind": "rung", "endpoints": endpoints}))
    for alias, target in tables.server.aliases.items():
        models.append(_model(alias, {"kind": "alias", "of": target}))
    return models


def _model(name: str, about: dict[str, object]) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "cascade", "cascade": about}

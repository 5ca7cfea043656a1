"""The models that a server offers, as each protocol lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cascade.server.names import AUTO
from cascade.types import ProtocolName, Tables

_Model = dict[str, Any]


class Listing(msgspec.Struct, frozen=True):
    """All models in one protocol: the list, and each of them by its name."""

    whole: bytes
    models: dict[str, bytes]


def listings(tables: Tables) -> dict[ProtocolName, Listing]:
    """Return what there is, in every protocol."""
    offered = _offered(tables)
    return {protocol: _listing(protocol, offered) for protocol in _MODEL}


def _listing(protocol: ProtocolName, offered: dict[str, _Model]) -> Listing:
    models = {name: _MODEL[protocol](name, about) for name, about in offered.items()}
    whole = _WHOLE[protocol](list(models.values()))
    each = {name: msgspec.json.encode(model) for name, model in models.items()}
    return Listing(msgspec.json.encode(whole), each)


def _offered(tables: Tables) -> dict[str, _Model]:
    """All names, and what each of them means. Aliases are last: they go before others of their
    name."""
    default = tables.ladders.get("default")
    strongest = default.rungs[-1].name if default is not None else None
    offered: dict[str, _Model] = {
        AUTO: {"kind": "auto", "ladder": "default", "reference": strongest}
    }
    for ladder in tables.ladders.values():
        rungs = [rung.name for rung in ladder.rungs]
        offered[ladder.name] = {"kind": "ladder", "rungs": rungs}
    for rung in tables.rungs.values():
        endpoints = [endpoint.name for endpoint in rung.endpoints]
        offered[rung.name] = {"kind": "rung", "endpoints": endpoints}
    for alias, target in tables.server.aliases.items():
        offered[alias] = {"kind": "alias", "of": target}
    return offered


def _openai(name: str, about: _Model) -> _Model:
    return {"id": name, "object": "model", "created": 0, "owned_by": "cascade", "cascade": about}


def _anthropic(name: str, about: _Model) -> _Model:
    return {
        "id": name,
        "type": "model",
        "display_name": name,
        "created_at": "1970-01-01T00:00:00Z",  # Anthropic's word for a date that is not known
        "lifecycle": "active",
        "capabilities": None,
        "max_input_tokens": None,
        "max_tokens": None,
        "cascade": about,
    }


def _gemini(name: str, about: _Model) -> _Model:
    return {
        "name": f"models/{name}",
        "displayName": name,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
        "cascade": about,
    }


def _anthropic_list(models: list[_Model]) -> _Model:
    first, last = models[0]["id"], models[-1]["id"]
    return {"data": models, "has_more": False, "first_id": first, "last_id": last}


_MODEL: dict[ProtocolName, Callable[[str, _Model], _Model]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
_WHOLE: dict[ProtocolName, Callable[[list[_Model]], _Model]] = {
    "openai": lambda models: {"object": "list", "data": models},
    "anthropic": _anthropic_list,
    "gemini": lambda models: {"models": models},
}

"""A list of models page by page, as Anthropic's and Gemini's clients ask for it."""

from __future__ import annotations

from urllib.parse import parse_qsl

import msgspec

from cascade.errors import RequestError
from cascade.types import ProtocolName

__all__ = ["Page", "page_of"]

_MOST = 1000
_USUAL = {"anthropic": 20, "gemini": 50}


class Page(msgspec.Struct, frozen=True):
    """Some of the models; ``more`` says that others follow in the direction that was asked for."""

    models: tuple[str, ...]
    more: bool


def page_of(protocol: ProtocolName, models: tuple[str, ...], query: bytes) -> Page:
    """Return the page that a query string asks for: of Anthropic's list or of Gemini's.

    Raises:
        RequestError: the page's size is no number that the protocol allows, or there is no model
            to go on from.
    """
    asked = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    if protocol == "gemini":
        size = _size(protocol, "pageSize", asked.get("pageSize"), least=0)
        return _after(models, _place(models, "pageToken", asked.get("pageToken")) + 1, size)
    size = _size(protocol, "limit", asked.get("limit"), least=1)
    if "before_id" in asked:
        end = _place(models, "before_id", asked["before_id"])
        end = len(models) if end < 0 else end
        begin = max(0, end - size)
        return Page(models[begin:end], begin > 0)
    return _after(models, _place(models, "after_id", asked.get("after_id")) + 1, size)


def _after(models: tuple[str, ...], begin: int, size: int) -> Page:
    end = begin + size
    return Page(models[begin:end], end < len(models))


def _size(protocol: ProtocolName, name: str, said: str | None, least: int) -> int:
    if not said:
        return _USUAL[protocol]
    mend = f"Send a whole number from {least} to {_MOST}"
    try:
        size = int(said)
    except ValueError:
        raise RequestError(name, said, "it is no whole number", mend) from None
    if size < least or (size > _MOST and protocol == "anthropic"):  # Gemini gives what it can
        raise RequestError(name, said, "it is not that many", mend)
    return min(size, _MOST) or _USUAL[protocol]


def _place(models: tuple[str, ...], name: str, said: str | None) -> int:
    """Where the model stands that an earlier page ended with; -1 where none is named."""
    if not said:
        return -1
    if said not in models:
        raise RequestError(name, said, "no model has this name", "Send it as a page gave it")
    return models.index(said)

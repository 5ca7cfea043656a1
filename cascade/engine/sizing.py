"""How long a request's input is: known for free on the event loop, counted on a thread only."""

from __future__ import annotations

from typing import NoReturn

from cascade import tokens
from cascade.policy.openness import Size
from cascade.types import Request


class UncountedError(Exception):
    """What was asked needs the tokens counted, and here nothing may take that long."""


def uncounted(request: Request) -> Size:
    """The request's size as far as it is known for free. To count raises ``UncountedError``."""
    return Size(tokens.input_bound(request), _refuse)


def counted(request: Request) -> Size:
    """The request's size with its tokens counted, once. On a long text it takes long."""
    count = tokens.count_request(request)
    return Size(tokens.input_bound(request), lambda: count)


def _refuse() -> NoReturn:
    raise UncountedError

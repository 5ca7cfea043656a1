"""What the shapes of clients' requests are made of, in every protocol.

Three classes of parameters: typed ones become part of ``Request``; ``Ignored`` ones are
bookkeeping that changes no answer, accepted, dropped and told of; ``Refused`` ones would change
the answer in a way that cascade cannot keep, so anything but null is an error that names them.
Whatever a shape does not list is unknown, and an error too.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

__all__ = [
    "FORMAT_NAME",
    "NOTHING",
    "Amount",
    "Filled",
    "Fraction",
    "Ignored",
    "Penalty",
    "Positive",
    "Refused",
    "Rivals",
    "Seconds",
    "Shape",
    "Temperature",
    "ignored",
]

FORMAT_NAME = "answer"
"""What a response format is called where a protocol has no name for it: others need one."""

Ignored: TypeAlias = msgspec.Raw
Refused: TypeAlias = None
NOTHING = msgspec.Raw(b"null")

Positive = Annotated[int, Meta(ge=1)]
Filled = Annotated[str, Meta(min_length=1)]
Amount = Annotated[float, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Rivals = Annotated[int, Meta(ge=0, le=20)]  # of a token, with their log-probabilities
Temperature = Annotated[float, Meta(ge=0, le=2)]


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    """Strict: a key that is not listed is an error."""


def ignored(read: Shape) -> tuple[str, ...]:
    """Return which of a shape's own ``Ignored`` fields were given and not null, as spelled on the
    wire. What is nested in other fields is not looked at."""
    return tuple(
        [
            spelled
            for name, spelled in _ignorable(type(read))
            if (value := getattr(read, name)) is not NOTHING and value != NOTHING
        ]
    )


@cache
def _ignorable(shape: type[Shape]) -> tuple[tuple[str, str], ...]:
    """The ``Ignored`` fields of a shape: their names here and on the wire."""
    fields = msgspec.structs.fields(shape)
    return tuple((f.name, f.encode_name) for f in fields if f.default is NOTHING)

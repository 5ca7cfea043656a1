"""Which requests may share an answer: the exact key.

A key is a keyed hash over everything that can change what a right answer is. Every field of a
``Request`` has its place in ``PLACES``; one that was forgotten there counts as part of the key.
"""

from __future__ import annotations

import hashlib
from operator import attrgetter
from typing import Any, Final, Literal

import msgspec

from cascade.cache.rules.entry import FORMAT
from cascade.errors import RequestError
from cascade.types import Request

Place = Literal["keyed", "number", "pairs", "user", "decides"]

PLACES: Final[dict[str, Place]] = {
    "messages": "keyed",
    "tools": "keyed",
    "tool_choice": "keyed",
    "parallel_tool_calls": "keyed",
    "response_format": "keyed",
    "max_tokens": "keyed",
    "temperature": "number",
    "top_p": "number",
    "top_k": "keyed",
    "seed": "keyed",
    "stop": "keyed",
    "presence_penalty": "number",
    "frequency_penalty": "number",
    "logit_bias": "pairs",
    "logprobs": "keyed",
    "top_logprobs": "keyed",
    "reasoning_effort": "keyed",
    "reasoning_budget": "keyed",
    "user": "user",
    "ladder": "decides",
    "rung": "keyed",
    "quality": "decides",
    "max_cost": "decides",
    "deadline": "decides",
    "cache": "decides",
    "max_age": "decides",
    "delivery": "decides",
    "tags": "decides",
    "session": "decides",
    "ignored": "decides",
}
"""What each field of a request is to its key.

``keyed``: part of it. ``number``: part of it, 1 and 1.0 being the same. ``pairs``: part of it in
any order. ``user``: part of it where answers are kept per user. ``decides``: it chooses who
answers, when and at what cost, not what is right; whether a stored answer would do is asked of
the entry (``shelf.takes``). The ladder's name is one of these: its rungs come in as a fingerprint.
"""


def _in_place(place: Place) -> tuple[str, ...]:
    """Return the fields of a request in this place, in alphabetical order."""
    fields = sorted(Request.__struct_fields__)
    return tuple(name for name in fields if PLACES.get(name, "keyed") == place)


_keyed = attrgetter(*_in_place("keyed"))
_numbers = attrgetter(*_in_place("number"))
_pairs = attrgetter(*_in_place("pairs"))
_encoder = msgspec.msgpack.Encoder(order="sorted")


class KeyMaker:
    """Makes keys for one tenant.

    ``secret`` is the data directory's own key: without it nobody can compute where an answer
    lies. ``per_user`` keeps the answers of each ``user`` of the request apart.
    """

    def __init__(self, secret: bytes, tenant: str = "local", *, per_user: bool = False) -> None:
        own = hashlib.blake2b(tenant.encode(), key=secret, person=b"cascade tenant")
        self._hash = hashlib.blake2b(
            FORMAT.to_bytes(2, "big"), key=own.digest(), digest_size=16, person=b"cascade key"
        )
        self._per_user = per_user

    def key(self, request: Request, fingerprint: bytes) -> str:
        """Return the request's key: 32 hexadecimal digits, the same in every process.

        ``fingerprint`` stands for the ladder's rungs and their models. The hashed text is
        MessagePack, which writes each part's kind and length before it: no two requests run
        together into one text.

        Raises:
            RequestError: a text holds half a surrogate pair, or a number has more than 64 bits:
                no encoding can carry them.
        """
        try:
            text = _encoder.encode(self._parts(request, fingerprint))
        except UnicodeEncodeError as error:
            raise RequestError(
                "messages", error.object[error.start : error.end], "is half of a surrogate pair",
                "Send text that can be encoded as UTF-8.",
            ) from error  # fmt: skip
        except OverflowError as error:
            raise RequestError(
                *_too_large(request), "has more than 64 bits", "Give a smaller number."
            ) from error
        digest = self._hash.copy()
        digest.update(text)
        return digest.hexdigest()

    def _parts(self, request: Request, fingerprint: bytes) -> tuple[Any, ...]:
        pairs = _pairs(request)
        return (
            fingerprint,
            _keyed(request),
            [None if value is None else value + 0.0 for value in _numbers(request)],
            sorted((token, bias + 0.0) for token, bias in pairs) if pairs else None,
            request.user if self._per_user else None,
        )


def _too_large(request: Request) -> tuple[str, object]:
    """The name and value of the number that cannot be encoded."""
    for name in Request.__struct_fields__:
        value = getattr(request, name)
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            return name, value
    return "the request", None

"""What every protocol's codec offers: both directions, whole and streamed.

A codec is a module. Towards a provider it writes requests and reads answers; towards a client it
reads requests and writes answers. Provider, server and emulator use the same one.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from cascade.types import Delta, Request, Response, Usage
from cascade.types.parameters import Advisory

__all__ = ["Asking", "Codec", "Incoming", "Reader", "Writer", "canonical"]


def canonical(value: object) -> bytes:
    """Write JSON with sorted keys, so that equal values are equal bytes."""
    return msgspec.json.encode(value, order="deterministic")


class Asking(msgspec.Struct, frozen=True):
    """How a request is to be written for a provider.

    ``max_tokens`` is the machine's own limit and takes the place of the request's; ``max_output``
    is the most the model can write, for protocols that must name a limit. ``logprobs`` asks for
    log-probabilities, with the rivals that a margin needs, even where the caller did not.
    ``lacks`` names parameters that the model does not take: they are left out.
    """

    model: str
    stream: bool = False
    max_tokens: int | None = None
    max_output: int | None = None
    logprobs: bool = False
    lacks: frozenset[str] = frozenset()
    limit_parameter: str = "max_tokens"


class Incoming(msgspec.Struct, frozen=True):
    """A client's request: what it asks, of which model, and how it wants the answer sent.

    ``events`` says that it wants to hear of decisions too.
    """

    request: Request
    model: str
    stream: bool = False
    include_usage: bool = False
    events: bool = False


class Reader(Protocol):
    """Reads a stream's events one by one and keeps what they add up to."""

    @property
    def done(self) -> bool:
        """Whether the protocol's last word was seen; what follows it is skipped."""

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end. A stream that stops before that was broken,
        however clean its connection closed."""

    def feed(self, data: bytes) -> Delta | None:
        """Take one event's data; return what it adds, None where it adds nothing.

        Raises:
            Malformed: it is not what the protocol allows.
            CallFailure: it is an error, or says that the answer was broken off.
        """

    def response(self) -> Response:
        """Return the whole answer.

        Raises:
            CallFailure: the stream ended before the answer did.
        """

    def partial(self) -> Response:
        """Return what came so far, its finish reason ``unknown`` while there is none."""


class Writer(Protocol):
    """Writes one answer as server-sent events: ``start``, any number of ``write``, ``end``."""

    def start(self, usage: Usage | None = None) -> bytes:
        """Write what opens the stream. ``usage`` is what is known of it already: some protocols
        tell the input at once."""

    def write(self, delta: Delta) -> bytes:
        """Write a delta; nothing where it carries nothing for the client."""

    def end(self, usage: Usage | None, extra: dict[str, Any] | None = None) -> bytes:
        """Write the usage, ``extra`` (cost, rung, …) where it has a place, and the clean end."""


class Codec(Protocol):
    """One protocol, both ways."""

    def address(self, base_url: str, model: str, stream: bool) -> str:
        """Return the URL where a provider takes this call."""

    def encode_request(self, request: Request, asking: Asking) -> bytes:
        """Write a request for a provider. What decides (caps, deadlines, ladders) stays here.

        Raises:
            RequestError: a value that the protocol cannot carry.
        """

    def left_out(self, request: Request, asking: Asking) -> tuple[Advisory, ...]:
        """Return the advisory parameters that ``encode_request`` leaves out or changes for this
        request, though the model does not lack them. (What the protocol has no place for is
        among what its models lack.)

        Raises:
            RequestError: as ``encode_request`` does.
        """

    def decode_response(self, body: bytes) -> Response:
        """Read a provider's whole answer.

        Raises:
            Malformed: it is not what the protocol allows.
            CallFailure: it is an error inside a 200, or says that it was broken off.
        """

    def reader(self) -> Reader:
        """Return a reader for one streamed answer."""

    def decode_request(self, body: bytes, path: str = "") -> Incoming:
        """Read a client's request. ``path`` is the URL's, for protocols that name the model there.

        Raises:
            UnsupportedParameter: a parameter that cascade does not know or cannot keep.
            RequestError: anything else that is wrong; both name place, value and mend.
        """

    def encode_response(
        self, response: Response, *, model: str | None = None, extra: dict[str, Any] | None = None
    ) -> bytes:
        """Write an answer for a client. ``model`` takes the place of the answer's own; ``extra``
        goes under ``cascade``."""

    def writer(self, id: str, created: int, model: str, include_usage: bool) -> Writer:  # noqa: A002
        """Return a writer for one streamed answer; ``created`` is in Unix seconds."""

    def encode_error(
        self,
        message: str,
        *,
        status: int,
        type: str,  # noqa: A002 - the protocols' word
        code: str | None = None,
        param: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> bytes:
        """Write an error body. ``type`` and ``code`` are OpenAI's words; a protocol with words of
        its own finds them by the ``status``."""

    def encode_error_event(self, body: bytes) -> bytes:
        """Write an error body as the event that ends a broken stream."""

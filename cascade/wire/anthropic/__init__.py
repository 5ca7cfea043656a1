"""Anthropic's Messages API, both ways, whole and streamed."""

from cascade.wire.anthropic.asking import encode_request, left_out
from cascade.wire.anthropic.errors import encode_error, encode_error_event
from cascade.wire.anthropic.request import decode_request
from cascade.wire.anthropic.response import decode_response, encode_response
from cascade.wire.anthropic.stream import StreamReader
from cascade.wire.anthropic.stream_writer import StreamWriter

__all__ = [
    "address",
    "decode_request",
    "decode_response",
    "encode_error",
    "encode_error_event",
    "encode_request",
    "encode_response",
    "left_out",
    "reader",
    "writer",
]

reader = StreamReader
writer = StreamWriter


def address(base_url: str, model: str, stream: bool) -> str:
    """Return the URL where a provider takes a call; model and stream stand in the body."""
    return base_url.rstrip("/") + "/messages"

"""Google's Gemini ``generateContent`` (v1beta), both ways, whole and streamed."""

from urllib.parse import quote

from cascade.wire.gemini.asking import encode_request, left_out
from cascade.wire.gemini.faults import encode_error, encode_error_event
from cascade.wire.gemini.request import decode_request
from cascade.wire.gemini.response import decode_response, encode_response
from cascade.wire.gemini.stream import StreamReader
from cascade.wire.gemini.stream_writer import StreamWriter

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

_COLLECTIONS = ("models/", "tunedModels/", "publishers/")


def address(base_url: str, model: str, stream: bool) -> str:
    """Return the URL where a provider takes a call; model and stream stand in it."""
    name = model if model.startswith(_COLLECTIONS) else f"models/{model}"
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"{base_url.rstrip('/')}/{quote(name)}:{method}"

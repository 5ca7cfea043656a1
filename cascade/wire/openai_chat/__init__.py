"""OpenAI's chat completions, both ways, whole and streamed."""

from cascade.wire.openai_chat.asking import encode_request
from cascade.wire.openai_chat.request import Incoming, canonical, decode_request
from cascade.wire.openai_chat.response import decode_response, encode_error, encode_response
from cascade.wire.openai_chat.stream import StreamReader
from cascade.wire.openai_chat.stream_writer import StreamWriter

__all__ = [
    "Incoming",
    "StreamReader",
    "StreamWriter",
    "canonical",
    "decode_request",
    "decode_response",
    "encode_error",
    "encode_request",
    "encode_response",
]

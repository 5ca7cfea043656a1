"""The protocols by name."""

from __future__ import annotations

from cascade.types import ProtocolName
from cascade.wire import anthropic, gemini, openai_chat
from cascade.wire.codec import Codec

__all__ = ["CODECS"]

CODECS: dict[ProtocolName, Codec] = {
    "openai": openai_chat,
    "anthropic": anthropic,
    "gemini": gemini,
}

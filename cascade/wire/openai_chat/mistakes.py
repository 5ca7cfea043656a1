"""What the errors about a chat completion request say."""

from __future__ import annotations

from typing import get_args

from cascade.types import Role
from cascade.wire.mistakes import Wording
from cascade.wire.openai_chat.request_shapes import REFUSED

__all__ = ["WORDING"]

WORDING = Wording(
    refused=REFUSED,
    allowed=(
        (r"content\[\d+\]\.type$", ("text", "image_url", "refusal")),
        (r"(?:^tools|tool_calls)\[\d+\]\.type$", ("function",)),
        (r"\]\.role$", get_args(Role)),
        (r"response_format\.type$", ("text", "json_object", "json_schema")),
        (r"tool_choice\.type$", ("function",)),
        (r"tool_choice$", ("auto", "none", "required")),
        (r"\.detail$", ("auto", "low", "high")),
    ),
)

"""What the errors about a Messages request say."""

from __future__ import annotations

from cascade.wire.anthropic.request_shapes import KINDS, REFUSED
from cascade.wire.mistakes import Wording

__all__ = ["WORDING"]

WORDING = Wording(
    refused=REFUSED,
    allowed=(
        (r"^messages\[\d+\]\.content\[\d+\]\.content\[\d+\]\.type$", ("text", "image")),
        (
            r"^messages\[\d+\]\.content\[\d+\]\.type$",
            ("text", "image", "tool_use", "tool_result", "thinking", "redacted_thinking"),
        ),
        (r"^system\[\d+\]\.type$", ("text",)),
        (r"^tools\[\d+\]\.type$", ("custom: a tool of your own",)),
        (r"\.role$", ("user", "assistant", "system")),
        (r"source\.type$", ("base64", "url")),
        (r"\.media_type$", ("image/jpeg", "image/png", "image/gif", "image/webp")),
        (r"caller\.type$", ("direct",)),
        (r"cache_control\.type$", ("ephemeral",)),
        (r"\.ttl$", ("5m", "1h")),
        (r"^tool_choice\.type$", ("auto", "any", "tool", "none")),
        (r"^thinking\.type$", ("adaptive", "enabled", "disabled")),
        (r"\.effort$", ("low", "medium", "high", "xhigh", "max")),
        (r"format\.type$", ("json_schema",)),
    ),
    kinds=KINDS,
)

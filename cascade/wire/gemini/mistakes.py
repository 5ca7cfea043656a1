"""What the errors about a ``generateContent`` request say."""

from __future__ import annotations

from cascade.wire.gemini.request_shapes import REFUSED
from cascade.wire.mistakes import Wording

__all__ = ["WORDING"]

WORDING = Wording(
    refused=REFUSED,
    allowed=(
        (r"^contents\[\d+\]\.role$", ("user", "model")),
        (r"functionCallingConfig\.mode$", ("AUTO", "ANY", "NONE")),
        (r"responseFormat\.text\.mimeType$", ("APPLICATION_JSON", "TEXT_PLAIN")),
    ),
)

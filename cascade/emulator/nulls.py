"""Where a provider takes no null for what is not there, as cascade's own readers do."""

from __future__ import annotations

import msgspec

from cascade.errors import RequestError
from cascade.types import ProtocolName

__all__ = ["refuse_nulls"]

_NEVER_NULL = frozenset(
    {
        "metadata",
        "output_config",
        "service_tier",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
"""Of Anthropic's parameters: OpenAI and Google take null for any that may be left out."""


def refuse_nulls(protocol: ProtocolName, body: bytes) -> None:
    """Refuse a request, which the protocol's codec has read, that says null where it may not.

    Raises:
        RequestError: there is such a null; it names the parameter.
    """
    if protocol != "anthropic" or b"null" not in body:
        return
    asked = msgspec.json.decode(body)
    for name in _NEVER_NULL & asked.keys():
        if asked[name] is None:
            raise RequestError(name, None, "it is null", "Send a value, or leave it out")

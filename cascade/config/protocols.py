"""The three protocols that providers speak, and what each can carry.

A request that needs what a protocol cannot carry goes elsewhere, or loses an advisory parameter
and says so; it is never half obeyed. What stands in ``lacks`` here holds for every model behind
the protocol, whatever the configuration says: the codec has no place to write it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cascade.types import KeyHeader, ProtocolName
from cascade.types.parameters import Lackable

VERSION_HEADER = "anthropic-version"
ANTHROPIC_VERSION = "2026-10-21"
"""What Anthropic's own client sends. From this version on the API answers 400 to sampling
parameters, at their defaults too; an older one, named under ``headers``, takes them."""

SAMPLING: frozenset[Lackable] = frozenset({"temperature", "top_p", "top_k"})


class Protocol(msgspec.Struct, frozen=True):
    """What all providers of a protocol have in common.

    ``key_header`` carries the key where a provider has no other; ``headers`` go with every call.
    """

    key_header: KeyHeader
    lacks: frozenset[Lackable]
    headers: tuple[tuple[str, str], ...] = ()


PROTOCOLS: dict[ProtocolName, Protocol] = {
    "openai": Protocol(
        "authorization",
        lacks=frozenset({"reasoning_budget", "cache_marks"}),
    ),
    "anthropic": Protocol(
        "x-api-key",
        lacks=frozenset(
            {
                "seed",
                "presence_penalty",
                "frequency_penalty",
                "logit_bias",
                "logprobs",
                "json_object",  # it keeps to a schema, and has no word for "any JSON"
            }
        ),
        headers=((VERSION_HEADER, ANTHROPIC_VERSION),),
    ),
    "gemini": Protocol(
        "x-goog-api-key",
        lacks=frozenset({"logit_bias", "parallel_tool_calls", "user", "cache_marks"}),
    ),
}


def refused(protocol: ProtocolName, headers: Mapping[str, str]) -> frozenset[Lackable]:
    """Return what models refuse under the protocol's version in ``headers`` (names in lower
    case), unless the configuration knows a model better."""
    if protocol != "anthropic" or headers.get(VERSION_HEADER, "") < ANTHROPIC_VERSION:
        return frozenset()
    return SAMPLING

"""Which parameters a model may lack, and what that means. Every list of them is made from here."""

from __future__ import annotations

from typing import Literal, get_args

Advisory = Literal[
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "reasoning_effort",
    "reasoning_budget",
    "parallel_tool_calls",
    "user",
    "cache_marks",
]
"""Dropped for a model that does not take them, and listed in ``Answer.dropped``."""

Binding = Literal["tools", "images", "response_format", "json_object", "stop", "logprobs"]
"""A model that does not take one of these is no option for a request that uses it. A model may
keep to a schema and not know ``json_object``, which asks for any JSON."""

Lackable = Literal[Binding, Advisory, "stream_options", "system_turns"]
"""What a model may lack: a parameter; ``stream_options``, without which a stream reports no usage;
``system_turns``, system messages between the others, which then go as a user's."""

ADVISORY: tuple[Advisory, ...] = get_args(Advisory)
BINDING: tuple[Binding, ...] = get_args(Binding)

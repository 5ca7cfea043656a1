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

Binding = Literal["tools", "images", "response_format", "stop", "logprobs"]
"""A model that does not take one of these is no option for a request that uses it."""

Lackable = Literal[Binding, Advisory, "stream_options"]
"""What a model may lack: a parameter, or ``stream_options``, without which a stream reports no
usage."""

ADVISORY: tuple[Advisory, ...] = get_args(Advisory)
BINDING: tuple[Binding, ...] = get_args(Binding)

"""Advisory parameters that a codec leaves out or changes are named, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from cascade.types import Message, ProtocolName, Request, Tool, ToolChoice
from cascade.wire import anthropic, gemini, openai_chat
from cascade.wire.codec import Asking
from cascade.wire.codecs import CODECS
from tests.wire.anthropic import strategies as of_anthropic
from tests.wire.gemini import strategies as of_gemini
from tests.wire.strategies import requests

HI = (Message("user", "hi"),)
SAMPLING = ("temperature", "top_p", "top_k")
FORCED: dict[str, Any] = {"tools": (Tool("f"),), "tool_choice": ToolChoice("required")}
BOTH = {"reasoning_effort": "high", "reasoning_budget": 500}
NEWER, OLDER = "gemini-3.5-flash-lite", "gemini-2.5-flash"


@pytest.mark.parametrize("protocol", CODECS)
def test_an_ordinary_request_goes_out_whole(protocol: ProtocolName) -> None:
    codec = CODECS[protocol]
    for request in (Request(HI), Request(HI, temperature=0.5, max_tokens=5, **FORCED)):
        assert codec.left_out(request, Asking("m")) == ()


@pytest.mark.parametrize(
    ("fields", "lost"),
    [
        ({"temperature": 1.7}, ("temperature",)),
        ({"temperature": 1.0, "top_p": 1.0, "top_k": 5}, ()),
        ({"temperature": 0.5, "reasoning_effort": "low"}, ("temperature",)),
        ({"top_p": 0.5, "top_k": 5, "reasoning_budget": 2000}, ("top_p", "top_k")),
        ({"temperature": 0.5, "reasoning_effort": "none"}, ()),
        ({"reasoning_effort": "max"}, ()),
        ({"reasoning_effort": "minimal"}, ("reasoning_effort",)),
        ({"reasoning_budget": 2000}, ()),
        ({"reasoning_budget": -1}, ()),
        ({"reasoning_budget": 0, "reasoning_effort": "low"}, ()),
        ({"reasoning_budget": 10}, ("reasoning_budget",)),
        ({"reasoning_budget": 2000, "max_tokens": 1500}, ("reasoning_budget",)),
        ({"reasoning_budget": 2000, "max_tokens": 1000}, ("reasoning_budget",)),
        ({"reasoning_budget": 2000, **FORCED}, ("reasoning_budget",)),
        ({"reasoning_budget": 2000, "reasoning_effort": "none"}, ("reasoning_budget",)),
    ],
)
def test_anthropics_codec_names_what_it_cannot_say_as_it_was_asked(
    fields: dict[str, Any], lost: tuple[str, ...]
) -> None:
    request = Request(HI, **fields)
    assert anthropic.left_out(request, Asking("m")) == lost
    assert anthropic.left_out(request, Asking("m", lacks=frozenset(lost))) == ()


@pytest.mark.parametrize(
    ("model", "fields", "lost"),
    [
        (NEWER, BOTH, ("reasoning_budget",)),
        (OLDER, BOTH, ("reasoning_effort",)),
        (NEWER, {"reasoning_effort": "high"}, ()),
        (OLDER, {"reasoning_effort": "high"}, ()),
        (NEWER, {"reasoning_budget": 500}, ()),
        (NEWER, {"reasoning_effort": "none", "reasoning_budget": 0}, ()),
        (NEWER, {"reasoning_effort": "max"}, ("reasoning_effort",)),
        (NEWER, {"temperature": 1.7, "seed": 2**40}, ()),
    ],
)
def test_geminis_codec_names_which_of_effort_and_budget_it_does_not_send(
    model: str, fields: dict[str, Any], lost: tuple[str, ...]
) -> None:
    request = Request(HI, **fields)
    assert gemini.left_out(request, Asking(model)) == lost
    assert gemini.left_out(request, Asking(model, lacks=frozenset(lost))) == ()


@given(requests())
def test_openais_codec_leaves_nothing_out(request: Request) -> None:
    asking = Asking("m")
    assert openai_chat.left_out(request, asking) == ()
    body = json.loads(openai_chat.encode_request(request, asking))
    for name in (*SAMPLING, "seed", "reasoning_effort", "user", "parallel_tool_calls"):
        assert body.get(name) == getattr(request, name)


@given(of_anthropic.requests())
def test_what_the_messages_api_can_carry_is_left_out_of_no_request(request: Request) -> None:
    assert anthropic.left_out(request, Asking("m")) == ()


@given(of_gemini.requests())
def test_what_gemini_can_carry_is_left_out_of_no_request(request: Request) -> None:
    assert gemini.left_out(request, Asking("m")) == ()


@pytest.mark.parametrize("protocol", CODECS)
def test_without_tools_nothing_is_said_of_their_choice(protocol: ProtocolName) -> None:
    encode = CODECS[protocol].encode_request
    for mode in ("auto", "none", "required"):
        choosing = Request(HI, tool_choice=ToolChoice(mode), parallel_tool_calls=False)
        assert encode(choosing, Asking("m")) == encode(Request(HI), Asking("m"))

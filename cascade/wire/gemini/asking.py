"""A ``Request`` as a ``generateContent`` request for Google."""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.errors import RequestError
from cascade.types import Request, ResponseFormat, Tool, ToolChoice
from cascade.types.parameters import Advisory
from cascade.wire.codec import Asking
from cascade.wire.gemini.thinking import thinking_of
from cascade.wire.gemini.turns import conversation
from cascade.wire.numbers import finite

__all__ = ["encode_request", "left_out"]

_encode = msgspec.json.Encoder().encode
_SAMPLING: tuple[tuple[Advisory, str], ...] = (
    ("temperature", "temperature"),
    ("top_p", "topP"),
    ("top_k", "topK"),
    ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"),
)
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "function": "ANY"}
_SEEDS = 2**31


def encode_request(request: Request, asking: Asking) -> bytes:
    """Write a request for a provider; model and stream stand in the address.

    What decides (caps, deadlines, ladders) stays here. Of what the model ``lacks``, sampling and
    its like are left out and ``logprobs`` is not asked for our own sake. What the protocol has no
    place for is left out too: a user's or a schema's name, ``strict``, ``user``, ``logit_bias``,
    ``parallel_tool_calls``, an image's detail, marks.

    Raises:
        RequestError: a number is not finite, a text is not Unicode, or a call, a result, an image
            or an effort is one that Gemini cannot take.
    """
    instruction, contents = conversation(request.messages, asking.model)
    body: dict[str, Any] = {"contents": contents}
    if instruction is not None:
        body["systemInstruction"] = instruction
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_tool(tool) for tool in request.tools]}]
        if request.tool_choice is not None:
            body["toolConfig"] = {"functionCallingConfig": _choice(request.tool_choice)}
    config = _config(request, asking)
    if config:
        body["generationConfig"] = config
    try:
        return _encode(body)
    except UnicodeEncodeError:
        problem = "a text holds half of a surrogate pair"
        raise RequestError("messages", None, problem, "Send valid Unicode") from None


def left_out(request: Request, asking: Asking) -> tuple[Advisory, ...]:
    """Return the advisory parameters that the model takes and this request still goes without, or
    with another value: of effort and budget the one that the other stands for, and an effort
    beyond Google's highest level.

    Raises:
        RequestError: an effort that Google has no level for.
    """
    return thinking_of(request, asking).left_out


def _config(request: Request, asking: Asking) -> dict[str, Any]:
    config: dict[str, Any] = {}
    limit = request.max_tokens if asking.max_tokens is None else asking.max_tokens
    if limit is not None:
        config["maxOutputTokens"] = limit
    for name, theirs in _SAMPLING:
        value = getattr(request, name)
        if value is not None and name not in asking.lacks:
            config[theirs] = finite(name, value)
    if request.seed is not None and "seed" not in asking.lacks:
        # Theirs has 32 bits. Any number that is the same each time does what a seed is for.
        fits = -_SEEDS <= request.seed < _SEEDS
        config["seed"] = request.seed if fits else request.seed % _SEEDS
    if request.stop:
        config["stopSequences"] = request.stop
    if request.response_format is not None:
        config |= _format(request.response_format)
    if (thinking := thinking_of(request, asking).config) is not None:
        config["thinkingConfig"] = thinking
    return config | _logprobs(request, own=asking.logprobs and "logprobs" not in asking.lacks)


def _logprobs(request: Request, *, own: bool) -> dict[str, Any]:
    if own:
        return {"responseLogprobs": True, "logprobs": max(2, request.top_logprobs or 0)}
    if not request.logprobs:
        return {}
    rivals = request.top_logprobs
    return {"responseLogprobs": True} | ({} if rivals is None else {"logprobs": rivals})


def _tool(tool: Tool) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        declared["description"] = tool.description
    if tool.parameters is not None:
        declared["parametersJsonSchema"] = msgspec.Raw(tool.parameters)
    return declared


def _choice(choice: ToolChoice) -> dict[str, Any]:
    named = {"allowedFunctionNames": [choice.name]} if choice.mode == "function" else {}
    return {"mode": _MODES[choice.mode], **named}


def _format(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.kind == "text":
        return {"responseMimeType": "text/plain"}
    schema = {} if wanted.schema is None else {"responseJsonSchema": msgspec.Raw(wanted.schema)}
    return {"responseMimeType": "application/json", **schema}

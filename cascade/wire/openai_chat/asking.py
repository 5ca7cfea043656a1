"""A ``Request`` as a provider's chat completion request."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from cascade.errors import RequestError
from cascade.types import (
    Image,
    Message,
    Request,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
)
from cascade.types.parameters import ADVISORY, Advisory
from cascade.wire.codec import Asking
from cascade.wire.numbers import finite

__all__ = ["called", "encode_request", "left_out"]

_encode = msgspec.json.Encoder().encode

# Left out where a model lacks them. A model that lacks anything else is no option for the request;
# leaving it out would change what was asked.
_NOT_PLAIN = {"logit_bias", "parallel_tool_calls", "reasoning_budget", "cache_marks"}
_PLAIN = tuple(name for name in ADVISORY if name not in _NOT_PLAIN)


def encode_request(request: Request, asking: Asking) -> bytes:
    """Write a request for a provider. What decides (caps, deadlines, ladders) stays here.

    Of what the model ``lacks``, sampling and its like are left out, ``logprobs`` is not asked for
    our own sake, ``stream_options`` is not sent.

    Raises:
        RequestError: a number is not finite, or a text is not Unicode.
    """
    lacks = asking.lacks
    body: dict[str, Any] = {"model": asking.model, "messages": _turns(request.messages)}
    _add_tools(body, request, lacks)
    if request.response_format is not None:
        body["response_format"] = _format(request.response_format)
    limit = request.max_tokens if asking.max_tokens is None else asking.max_tokens
    if limit is not None:
        body[asking.limit_parameter] = limit
    for name in _PLAIN:
        value = getattr(request, name)
        if value is not None and name not in lacks:
            body[name] = value if isinstance(value, str) else finite(name, value)
    if request.logit_bias and "logit_bias" not in lacks:
        body["logit_bias"] = {
            token: finite("logit_bias", bias) for token, bias in request.logit_bias
        }
    if request.stop:
        body["stop"] = request.stop
    _add_logprobs(body, request, own=asking.logprobs and "logprobs" not in lacks)
    if asking.stream:
        body["stream"] = True
        if "stream_options" not in lacks:
            body["stream_options"] = {"include_usage": True}
    try:
        return _encode(body)
    except UnicodeEncodeError:
        problem = "a text holds half of a surrogate pair"
        raise RequestError("messages", None, problem, "Send valid Unicode") from None


def left_out(request: Request, asking: Asking) -> tuple[Advisory, ...]:
    """Return nothing: each advisory parameter of this protocol is sent as it is, or lacking."""
    return ()


def _add_logprobs(body: dict[str, Any], request: Request, *, own: bool) -> None:
    if own:
        body["logprobs"] = True
        body["top_logprobs"] = max(2, request.top_logprobs or 0)
    elif request.logprobs:
        body["logprobs"] = True
        if request.top_logprobs is not None:
            body["top_logprobs"] = request.top_logprobs


def _add_tools(body: dict[str, Any], request: Request, lacks: frozenset[str]) -> None:
    """Write the tools and how they may be called; without tools there is nothing to call."""
    if not request.tools:
        return
    body["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        body["tool_choice"] = _choice(request.tool_choice)
    if request.parallel_tool_calls is not None and "parallel_tool_calls" not in lacks:
        body["parallel_tool_calls"] = request.parallel_tool_calls


def _turns(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Write the conversation. Images in a tool's result have no place there: they follow as the
    user's, once all results of the step have been told."""
    turns: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = []
    for message in messages:
        if message.role != "tool" and shown:
            turns.append({"role": "user", "content": shown})
            shown = []
        if message.role == "tool" and message.images:
            shown += [_part(image) for image in message.images]
            message = replace(message, content=message.text or _SHOWN_BELOW)
        turns.append(_turn(message))
    if shown:
        turns.append({"role": "user", "content": shown})
    return turns


_SHOWN_BELOW = "(an image, which follows)"


def _turn(message: Message) -> dict[str, Any]:
    content = message.content
    turn: dict[str, Any] = {
        "role": message.role,
        # null is written out: several providers want the key beside tool calls
        "content": content if not isinstance(content, tuple) else [_part(p) for p in content],
    }
    if message.tool_calls:
        turn["tool_calls"] = [called(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        turn["name"] = message.name
    if message.refusal is not None:
        turn["refusal"] = message.refusal
    return turn


def _part(part: Text | Image) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    url = {"url": part.url}
    if part.detail is not None:
        url["detail"] = part.detail
    return {"type": "image_url", "image_url": url}


def called(call: ToolCall) -> dict[str, Any]:
    """Write a tool call as it stands in a message."""
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parameters"] = msgspec.Raw(tool.parameters)
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "function":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _format(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.kind != "json_schema":
        return {"type": wanted.kind}
    schema: dict[str, Any] = {"name": wanted.name}
    if wanted.description is not None:
        schema["description"] = wanted.description
    if wanted.schema is not None:
        schema["schema"] = msgspec.Raw(wanted.schema)
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": schema}

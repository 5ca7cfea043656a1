"""A ``Request`` as a provider's Messages request."""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.errors import RequestError, UnsupportedParameter
from cascade.types import Request, ResponseFormat, Tool
from cascade.wire.anthropic.blocks import Blocks
from cascade.wire.anthropic.effort import effort_of, thinking_of
from cascade.wire.anthropic.turns import conversation
from cascade.wire.codec import Asking
from cascade.wire.numbers import finite

__all__ = ["USUAL_LIMIT", "encode_request"]

USUAL_LIMIT = 8192
"""The output limit in tokens where nobody names one; the protocol wants one always."""

_encode = msgspec.json.Encoder().encode

_NO_SCHEMA = b'{"type":"object"}'
_CHOICES = {"auto": "auto", "required": "any", "function": "tool", "none": "none"}


def encode_request(request: Request, asking: Asking) -> bytes:
    """Write a request for a provider. What decides (caps, deadlines, ladders) stays here.

    Of what the model ``lacks``, advisory parameters are left out; so are those that the protocol
    does not have (seed, penalties, biases). A temperature above 1 is sent as 1, its most.

    Raises:
        UnsupportedParameter: log-probabilities, or a response format without a schema.
        RequestError: a value that the protocol cannot carry.
    """
    _refuse(request)
    lacks = asking.lacks
    blocks = Blocks(marks="cache_marks" not in lacks)
    limits = (asking.max_tokens, request.max_tokens, asking.max_output, USUAL_LIMIT)
    limit = next(each for each in limits if each is not None)
    body: dict[str, Any] = {"model": asking.model, "max_tokens": limit}
    system, turns = conversation(request.messages, blocks, system_turns="system_turns" not in lacks)
    if system is not None:
        body["system"] = system
    body["messages"] = turns
    _add_tools(body, request, blocks, lacks)
    thinking = thinking_of(request, lacks, limit)
    if thinking is not None:
        body["thinking"] = thinking
    if config := _output_config(request, lacks):
        body["output_config"] = config
    if request.stop:
        body["stop_sequences"] = request.stop
    # A model that thinks answers 400 to sampling of any other kind than its own.
    if thinking is None or thinking["type"] == "disabled":
        _add_sampling(body, request, lacks)
    if request.user is not None and "user" not in lacks:
        body["metadata"] = {"user_id": request.user}
    if asking.stream:
        body["stream"] = True
    try:
        return _encode(body)
    except UnicodeEncodeError:
        problem = "a text holds half of a surrogate pair"
        raise RequestError("messages", None, problem, "Send valid Unicode") from None


def _refuse(request: Request) -> None:
    """Refuse what binds and has no form in this protocol."""
    if request.logprobs:
        mend = "Leave it out, or use a model that gives log-probabilities"
        raise UnsupportedParameter("logprobs", True, "Anthropic gives none", mend)
    wanted = request.response_format
    if wanted is not None and wanted.kind != "text" and wanted.schema is None:
        problem = "Anthropic keeps to a schema only"
        mend = "Send a json_schema, or ask for JSON in the prompt"
        raise UnsupportedParameter("response_format.type", wanted.kind, problem, mend)


def _add_sampling(body: dict[str, Any], request: Request, lacks: frozenset[str]) -> None:
    if request.temperature is not None and "temperature" not in lacks:
        body["temperature"] = min(finite("temperature", request.temperature), 1)
    if request.top_p is not None and "top_p" not in lacks:
        body["top_p"] = finite("top_p", request.top_p)
    if request.top_k is not None and "top_k" not in lacks:
        body["top_k"] = request.top_k


def _add_tools(
    body: dict[str, Any], request: Request, blocks: Blocks, lacks: frozenset[str]
) -> None:
    """Write the tools and which of them may be called; without tools there is nothing to call."""
    if not request.tools:
        return
    body["tools"] = [blocks.marked(_tool(tool), tool.mark) for tool in request.tools]
    one_at_a_time = request.parallel_tool_calls is False and "parallel_tool_calls" not in lacks
    wanted = request.tool_choice
    if wanted is None and not one_at_a_time:
        return
    choice: dict[str, Any] = {"type": "auto" if wanted is None else _CHOICES[wanted.mode]}
    if wanted is not None and wanted.mode == "function":
        choice["name"] = wanted.name
    if one_at_a_time and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    body["tool_choice"] = choice


def _tool(tool: Tool) -> dict[str, Any]:
    written: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    written["input_schema"] = msgspec.Raw(_object_schema(tool.parameters or _NO_SCHEMA))
    if tool.strict is not None:
        written["strict"] = tool.strict
    return written


def _object_schema(schema: bytes) -> bytes:
    """Say ``"type": "object"``, which this protocol wants and others leave out."""
    found = msgspec.json.decode(schema, type=dict[str, msgspec.Raw])
    if "type" in found:
        return schema
    return _encode({"type": "object", **found})


def _output_config(request: Request, lacks: frozenset[str]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if (effort := effort_of(request, lacks)) is not None:
        config["effort"] = effort
    if (wanted := _schema(request.response_format)) is not None:
        config["format"] = {"type": "json_schema", "schema": wanted}
    return config


def _schema(wanted: ResponseFormat | None) -> msgspec.Raw | None:
    return None if wanted is None or wanted.schema is None else msgspec.Raw(wanted.schema)

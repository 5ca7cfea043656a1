"""A ``Request`` as a provider's Messages request."""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.errors import RequestError, UnsupportedParameter
from cascade.types import Request, ResponseFormat, Tool
from cascade.types.parameters import Advisory
from cascade.wire.anthropic.blocks import Blocks
from cascade.wire.anthropic.effort import Effort, effort_of
from cascade.wire.anthropic.turns import conversation
from cascade.wire.codec import Asking
from cascade.wire.numbers import finite

__all__ = ["USUAL_LIMIT", "encode_request", "left_out"]

USUAL_LIMIT = 8192
"""The output limit in tokens where nobody names one; the protocol wants one always."""

_encode = msgspec.json.Encoder().encode

_SAMPLING: tuple[Advisory, ...] = ("temperature", "top_p", "top_k")
_IN_DOUBT: tuple[Advisory, ...] = (*_SAMPLING, "reasoning_effort", "reasoning_budget")
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
    body: dict[str, Any] = {"model": asking.model, "max_tokens": _limit(request, asking)}
    system, turns = conversation(request.messages, blocks, system_turns="system_turns" not in lacks)
    if system is not None:
        body["system"] = system
    body["messages"] = turns
    _add_tools(body, request, blocks, lacks)
    effort = effort_of(request, lacks, body["max_tokens"])
    if effort.thinking is not None:
        body["thinking"] = effort.thinking
    if config := _output_config(request, effort):
        body["output_config"] = config
    if request.stop:
        body["stop_sequences"] = request.stop
    body |= _sampling(request, lacks, effort)
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


def left_out(request: Request, asking: Asking) -> tuple[Advisory, ...]:
    """Return the advisory parameters that the model takes and this request still goes without, or
    with another value: sampling beside thinking, a temperature above 1, an effort or a budget that
    has no form or no room here.

    Raises:
        RequestError: as ``encode_request`` does.
    """
    if all(getattr(request, name) is None for name in _IN_DOUBT):
        return ()
    effort = effort_of(request, asking.lacks, _limit(request, asking))
    sent = _sampling(request, asking.lacks, effort)
    wanted = [name for name in _SAMPLING if name not in asking.lacks]
    lost = [name for name in wanted if sent.get(name) != getattr(request, name)]
    return (*lost, *effort.left_out)


def _limit(request: Request, asking: Asking) -> int:
    limits = (asking.max_tokens, request.max_tokens, asking.max_output, USUAL_LIMIT)
    return next(each for each in limits if each is not None)


def _sampling(request: Request, lacks: frozenset[str], effort: Effort) -> dict[str, Any]:
    """Write how to sample. A model that thinks answers 400 to any other way than its own."""
    if effort.thinking is not None and effort.thinking["type"] != "disabled":
        return {}
    sent: dict[str, Any] = {
        name: finite(name, value)
        for name in _SAMPLING
        if (value := getattr(request, name)) is not None and name not in lacks
    }
    if "temperature" in sent:
        sent["temperature"] = min(sent["temperature"], 1)
    return sent


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


def _output_config(request: Request, effort: Effort) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if effort.effort is not None:
        config["effort"] = effort.effort
    if (wanted := _schema(request.response_format)) is not None:
        config["format"] = {"type": "json_schema", "schema": wanted}
    return config


def _schema(wanted: ResponseFormat | None) -> msgspec.Raw | None:
    return None if wanted is None or wanted.schema is None else msgspec.Raw(wanted.schema)

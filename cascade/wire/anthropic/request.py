"""Messages requests: from a client's bytes to a ``Request``."""

from __future__ import annotations

import msgspec

from cascade.errors import UnsupportedParameter
from cascade.types import Message, Request, ResponseFormat, Tool, ToolChoice
from cascade.wire.anthropic.mistakes import WORDING
from cascade.wire.anthropic.reading import mark_of, marked_at_the_end, messages_of, system_of
from cascade.wire.anthropic.request_shapes import (
    AnyChoice,
    AutoChoice,
    Body,
    Disabled,
    Enabled,
    NoChoice,
    OutputConfig,
    ToolChosen,
    ToolShape,
)
from cascade.wire.codec import Incoming, canonical
from cascade.wire.mistakes import explain
from cascade.wire.options import with_options
from cascade.wire.shapes import FORMAT_NAME, ignored

__all__ = ["USUAL_EFFORT", "decode_request"]

USUAL_EFFORT = "high"
"""The effort that the protocol means where none is named."""

_body = msgspec.json.Decoder(Body)
_NO_CONFIG = OutputConfig()


def decode_request(body: bytes, path: str = "") -> Incoming:
    """Read a Messages request.

    Raises:
        UnsupportedParameter: a parameter that cascade does not know or cannot keep.
        RequestError: anything else that is wrong; both name place, value and mend.
    """
    try:
        read = _body.decode(body)
        request = with_options(_request(read), read.cascade)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise explain(error, body, WORDING) from None
    events = bool(read.cascade and read.cascade.events)
    return Incoming(request, read.model, bool(read.stream), include_usage=True, events=events)


def _request(read: Body) -> Request:
    config = read.output_config or _NO_CONFIG
    effort, budget = _reasoning(read, config)
    return Request(
        messages=_messages(read),
        tools=tuple(_tool(number, tool) for number, tool in enumerate(read.tools or ())),
        tool_choice=_tool_choice(read.tool_choice),
        parallel_tool_calls=_parallel(read.tool_choice),
        response_format=None
        if config.format is None
        else ResponseFormat("json_schema", FORMAT_NAME, canonical(config.format.schema)),
        max_tokens=read.max_tokens,
        temperature=read.temperature,
        top_p=read.top_p,
        top_k=read.top_k,
        stop=tuple(read.stop_sequences or ()),
        reasoning_effort=effort,
        reasoning_budget=budget,
        user=None if read.metadata is None else read.metadata.user_id,
        ignored=ignored(read),
    )


def _messages(read: Body) -> tuple[Message, ...]:
    messages = [
        message
        for number, turn in enumerate(read.messages)
        for message in messages_of(number, turn)
    ]
    if (mark := mark_of(read.cache_control)) is not None:
        marked_at_the_end(messages, mark)
    return (*system_of(read.system), *messages)


def _reasoning(read: Body, config: OutputConfig) -> tuple[str | None, int | None]:
    """Return effort and budget. Thinking that is off beside an effort, which rules the rest of
    the answer too, is a budget of nothing."""
    thinking, effort = read.thinking, config.effort
    if isinstance(thinking, Enabled):
        return effort, thinking.budget_tokens
    if isinstance(thinking, Disabled):
        return ("none", None) if effort is None else (effort, 0)
    return (effort if thinking is None else effort or USUAL_EFFORT), None


def _tool(number: int, tool: ToolShape) -> Tool:
    if tool.defer_loading:
        mend = "Leave it out: every tool is shown to the model from the start"
        raise UnsupportedParameter(
            f"tools[{number}].defer_loading", True, "cascade does not support it", mend
        )
    return Tool(
        tool.name,
        tool.description,
        canonical(tool.input_schema),
        tool.strict,
        mark_of(tool.cache_control),
    )


def _tool_choice(
    choice: AutoChoice | AnyChoice | ToolChosen | NoChoice | None,
) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case AutoChoice():
            return ToolChoice("auto")
        case AnyChoice():
            return ToolChoice("required")
        case ToolChosen():
            return ToolChoice("function", choice.name)
        case NoChoice():
            return ToolChoice("none")


def _parallel(choice: AutoChoice | AnyChoice | ToolChosen | NoChoice | None) -> bool | None:
    if choice is None or isinstance(choice, NoChoice):
        return None
    return False if choice.disable_parallel_tool_use else None

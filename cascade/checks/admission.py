"""What a request must be before anything is done for it."""

from __future__ import annotations

import math

from cascade.checks.schema import check_schema
from cascade.errors import RequestError
from cascade.types import Request


def admit(request: Request) -> None:
    """Refuse what no model could answer.

    Raises:
        RequestError: naming the place, the value and the mend.
    """
    _messages(request)
    check_limits(request)
    _tools(request)
    _schemas(request)


def _messages(request: Request) -> None:
    if not request.messages:
        raise RequestError("messages", [], "there is nothing to answer", "Add a user message.")
    for index, message in enumerate(request.messages):
        if message.text.strip() or message.images or message.tool_calls or message.refusal:
            continue
        if message.role == "tool":
            continue  # a tool may return nothing
        raise RequestError(
            f"messages[{index}].content",
            message.text,
            f"the {message.role} message is empty",
            "Write something or leave the message out.",
        )


def check_limits(request: Request) -> None:
    """Refuse amounts that are none. It costs nothing, and needs doing before the cache is asked.

    Raises:
        RequestError: naming the place, the value and the mend.
    """
    for name in ("max_cost", "deadline", "max_age"):
        value: float | None = getattr(request, name)
        if value is None:
            continue
        if not math.isfinite(value) or value < 0 or (name == "deadline" and value == 0):
            unit = "US dollars" if name == "max_cost" else "seconds"
            raise RequestError(name, value, f"not an amount of {unit}", "Give a positive number.")
    if request.max_tokens is not None and request.max_tokens < 1:
        raise RequestError(
            "max_tokens", request.max_tokens, "no room for an answer", "Give at least 1."
        )


def _tools(request: Request) -> None:
    choice = request.tool_choice
    if choice is None or choice.mode in ("auto", "none"):
        return
    names = [tool.name for tool in request.tools]
    if not names:
        raise RequestError("tool_choice", choice.mode, "there are no tools", "Add tools.")
    if choice.mode == "function" and choice.name not in names:
        raise RequestError(
            "tool_choice", choice.name, "there is no such tool", f"Name one of {', '.join(names)}."
        )


def _schemas(request: Request) -> None:
    wanted = request.response_format
    if wanted is not None and wanted.kind == "json_schema":
        if wanted.schema is None:
            raise RequestError(
                "response_format.json_schema.schema", None, "the schema is missing", "Give one."
            )
        _schema("response_format.json_schema.schema", wanted.schema)
    for index, tool in enumerate(request.tools):
        if tool.parameters is not None:
            _schema(f"tools[{index}].function.parameters", tool.parameters)


def _schema(place: str, schema: bytes) -> None:
    problem = check_schema(schema)
    if problem is not None:
        raise RequestError(place, None, problem, "Give a valid JSON schema.")

"""What is wrong with an answer, whoever wrote it: the checks that cost nothing.

A refutation is proof that the answer is broken or is not what was asked for. What cannot be
checked within bounds is not refuted; it is not stored either.
"""

from __future__ import annotations

import json

import msgspec

from cascade.checks import schema as schemas
from cascade.checks.repetition import repeats
from cascade.types import Request, Response, ToolCall

_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_SLACK = 16  # tokens, and a share of the limit: providers count the last ones in their own ways
_FORMATS = frozenset({"json_object", "json_schema"})


class Verdict(msgspec.Struct, frozen=True):
    """What the structure of an answer says.

    ``refuted`` says in words why the answer must not leave. ``declined`` is a refusal, a content
    filter, or an answer that the model's own limit cut off: short, never refuted. ``complete``
    answers ended by themselves and were checked in full: they may be stored. ``unchecked`` says
    what could not be checked. ``reserved`` marks a refuted answer that calls a tool which only the
    strongest rung may call.
    """

    refuted: str | None = None
    declined: bool = False
    complete: bool = False
    unchecked: str | None = None
    reserved: bool = False


class _Unchecked(Exception):
    """A check cannot decide."""


def inspect(
    response: Response,
    request: Request,
    *,
    pattern: str | None,
    own_limit: bool,
    reserved: frozenset[str] = frozenset(),
) -> Verdict:
    """Judge an answer by its structure.

    An answer cut off at a limit that we shrank (``own_limit``) is refuted; one cut off at the
    caller's own limit is judged as it stands and is not complete; one that its model cut off,
    though that limit was not reached, is short, and so is one that ended for a reason nobody
    knows. ``pattern`` must occur in the answer's text; an answer made of tool calls has none to
    look at. ``reserved`` are tools that this rung may not call.
    """
    for call in response.message.tool_calls:
        if call.name in reserved:
            problem = f"calls {call.name}, which is reserved for the ladder's last rung"
            return Verdict(refuted=problem, reserved=True)
    if own_limit and response.finish_reason == "length":
        return Verdict(refuted="cut off at a limit that was shrunk to keep the cost cap")
    if response.message.refusal or response.finish_reason == "content_filter":
        return Verdict(declined=True)
    ended = response.finish_reason in ("stop", "tool_calls")
    try:
        refuted = _broken(response, request, pattern)
    except _Unchecked as unchecked:
        return Verdict(unchecked=str(unchecked))
    if refuted is not None and response.finish_reason == "length":
        refuted += " (cut off at its output limit)"
    unfinished = response.finish_reason == "unknown" or _is_cut_by_model(response, request)
    return Verdict(
        refuted=refuted,
        declined=refuted is None and unfinished,
        complete=ended and refuted is None,
    )


def _is_cut_by_model(response: Response, request: Request) -> bool:
    """Whether an answer was cut off though the caller's own limit, if there is one, was not
    reached: at a limit of the model, or at the end of its context window."""
    if response.finish_reason != "length":
        return False
    if request.max_tokens is None:
        return True
    usage = response.usage
    least = request.max_tokens - max(_SLACK, request.max_tokens // _SLACK)
    return usage is not None and usage.output_tokens < least


def _broken(response: Response, request: Request, pattern: str | None) -> str | None:
    message = response.message
    if message.tool_calls:
        return (
            _wrong_choice(message.tool_calls, request)
            or _wrong_calls(message.tool_calls, request)
            or _cut_call(message.tool_calls[-1], response)
        )
    if _is_blank(message.text):
        return "empty answer"
    if response.finish_reason == "tool_calls":
        return "says that it calls a tool, and calls none"
    return _missing_call(request) or _wrong_text(message.text, request, pattern)


def _is_blank(text: str) -> bool:
    return not text.strip() or not text.translate(dict.fromkeys(map(ord, _INVISIBLE))).strip()


# Text


def _wrong_text(text: str, request: Request, pattern: str | None) -> str | None:
    form = request.response_format
    structured = form is not None and form.kind in _FORMATS
    wrong = _not_json(text, request) if structured else _looping(text, request)
    if wrong is not None or pattern is None:
        return wrong
    found = schemas.matches(pattern, text)
    if found is None:
        raise _Unchecked(f"the pattern {pattern!r} cannot be used")
    return None if found else f"does not match the required pattern {pattern!r}"


def _looping(text: str, request: Request) -> str | None:
    asked = next((turn.text for turn in reversed(request.messages) if turn.role == "user"), "")
    # Who asks for repetition gets it.
    return None if "repeat" in asked.lower() else repeats(text)


def _not_json(text: str, request: Request) -> str | None:
    form = request.response_format
    assert form is not None
    try:
        value = _decode(text)
    except ValueError as error:
        fenced = text.lstrip().startswith("```")
        return f"not JSON: {'wrapped in a Markdown fence' if fenced else error}"
    if form.kind == "json_object":
        return None if isinstance(value, dict) else f"not a JSON object but {_called(value)}"
    return None if form.schema is None else _misfit(form.schema, value, "its JSON schema")


def _decode(text: str) -> object:
    """Read JSON. Raises ValueError in words."""
    try:
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError):
            # The standard library says where, and reads a few lawful oddities more.
            return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _misfit(schema: bytes, value: object, whose: str) -> str | None:
    compiled = schemas.compiled(schema)
    if compiled.validator is None:
        raise _Unchecked(f"{whose} {compiled.unchecked or compiled.problem}")
    try:
        wrong = schemas.mismatch(compiled, value)
    except ValueError as error:  # a number or a text that the validator cannot hold
        raise _Unchecked(f"{whose}: {error}") from error
    return None if wrong is None else f"does not match {whose}: {wrong}"


def _called(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


# Tool calls


def _missing_call(request: Request) -> str | None:
    choice = request.tool_choice
    if choice is None or choice.mode in ("auto", "none"):
        return None
    if choice.mode == "function":
        return f"does not call {choice.name}, which is required"
    return "calls no tool, though one is required"


def _wrong_choice(calls: tuple[ToolCall, ...], request: Request) -> str | None:
    choice = request.tool_choice
    if choice is not None and choice.mode == "none":
        return "calls a tool, though none may be called"
    if choice is not None and choice.mode == "function":
        other = next((call.name for call in calls if call.name != choice.name), None)
        if other is not None:
            return f"calls {other!r}, though {choice.name} is required"
    if request.parallel_tool_calls is False and len(calls) > 1:
        return f"calls {len(calls)} tools at once, though only one may be called"
    return None


def _wrong_calls(calls: tuple[ToolCall, ...], request: Request) -> str | None:
    tools = {tool.name: tool for tool in request.tools}
    for call in calls:
        tool = tools.get(call.name)
        if tool is None:
            return f"calls {call.name!r}, which was not offered"
        wrong = _wrong_arguments(call, tool.parameters)
        if wrong is not None:
            return wrong
    return None


def _cut_call(last: ToolCall, response: Response) -> str | None:
    """Some servers write unfinished arguments as none, and then nothing tells them from those of a
    call that needs none."""
    if response.finish_reason == "length" and last.arguments.strip() in ("", "{}"):
        return f"the arguments of {last.name} are missing"
    return None


def _wrong_arguments(call: ToolCall, parameters: bytes | None) -> str | None:
    try:
        # Several providers send nothing at all for a tool without parameters.
        value = _decode(call.arguments) if call.arguments.strip() else {}
    except ValueError as error:
        return f"the arguments of {call.name} are not JSON: {error}"
    if not isinstance(value, dict):
        return f"the arguments of {call.name} are not a JSON object but {_called(value)}"
    return None if parameters is None else _misfit(parameters, value, f"the schema of {call.name}")

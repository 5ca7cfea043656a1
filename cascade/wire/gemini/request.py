"""``generateContent`` requests: from a client's bytes to a ``Request``."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import msgspec

from cascade.errors import RequestError, UnsupportedParameter
from cascade.types import Message, Request, ResponseFormat, Tool, ToolChoice
from cascade.wire.codec import Incoming, canonical
from cascade.wire.gemini.contents import messages_of, texts_of
from cascade.wire.gemini.mistakes import WORDING
from cascade.wire.gemini.request_shapes import Body, Declaration, GenerationConfig, ToolConfig
from cascade.wire.gemini.schema import json_schema
from cascade.wire.gemini.spelling import in_camel_case
from cascade.wire.gemini.thinking import read_thinking
from cascade.wire.mistakes import explain
from cascade.wire.options import with_options
from cascade.wire.shapes import FORMAT_NAME, ignored

__all__ = ["decode_request"]

_body = msgspec.json.Decoder(Body)
_NO_CONFIG = GenerationConfig()
_PATH = re.compile(r"(?:^|/)v1(?:beta|alpha)?/(?P<model>.+):(?P<method>[^:/?]+)(?:\?.*)?$")
_FLAT_KINDS = {"APPLICATION_JSON": "application/json", "TEXT_PLAIN": "text/plain"}
_CONFIG = "generationConfig"
_CALLING = "toolConfig.functionCallingConfig"


def decode_request(body: bytes, path: str = "") -> Incoming:
    """Read a ``generateContent`` request; model and method stand in its path, in either of the
    API's versions. Without a path the body has to name the model.

    Raises:
        UnsupportedParameter: a parameter that cascade does not know or cannot keep.
        RequestError: anything else that is wrong; both name place, value and mend.
    """
    read = _read(body)
    named, stream = _target(path) if path else (read.model or "", False)
    model = named.removeprefix("models/")
    if not model:
        raise RequestError("model", read.model, "no model is named", "Name one in the path")
    request = with_options(_request(read), read.cascade)
    events = bool(read.cascade and read.cascade.events)
    return Incoming(request, model, stream, include_usage=stream, events=events)


def _read(body: bytes) -> Body:
    try:
        return _body.decode(body)
    except (ValueError, RecursionError) as error:  # all that the decoder raises on bad input
        respelled = in_camel_case(body) if isinstance(error, msgspec.ValidationError) else body
        if respelled == body:
            raise explain(error, body, WORDING) from None
    try:
        return _body.decode(respelled)
    except (ValueError, RecursionError) as error:
        raise explain(error, respelled, WORDING) from None


def _target(path: str) -> tuple[str, bool]:
    """Return the model that a path names, and whether it asks for a stream."""
    found = _PATH.search(path)
    if found is None or found["method"] not in ("generateContent", "streamGenerateContent"):
        mend = "Send it to /v1beta/models/NAME:generateContent or :streamGenerateContent"
        raise RequestError("path", path, "it names no model and method", mend)
    return unquote(found["model"]), found["method"] == "streamGenerateContent"


def _request(read: Body) -> Request:
    config = read.generation_config or _NO_CONFIG
    thinking = config.thinking_config
    level, tokens = (
        (thinking.thinking_level, thinking.thinking_budget) if thinking else (None, None)
    )
    effort, budget = read_thinking(f"{_CONFIG}.thinkingConfig", level, tokens)
    return Request(
        messages=_messages(read),
        tools=_tools(read),
        tool_choice=None if read.tool_config is None else _choice(read.tool_config),
        response_format=_format(config),
        max_tokens=config.max_output_tokens,
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=_whole(config.top_k),
        seed=config.seed,
        stop=tuple(config.stop_sequences or ()),
        presence_penalty=config.presence_penalty,
        frequency_penalty=config.frequency_penalty,
        logprobs=bool(config.response_logprobs),
        top_logprobs=_rivals(config),
        reasoning_effort=effort,
        reasoning_budget=budget,
        ignored=_ignored(read, config),
    )


def _ignored(read: Body, config: GenerationConfig) -> tuple[str, ...]:
    """Return what nobody is sent. Of safety settings only those that ask for no filter get here;
    the provider's own usual ones stay in force."""
    safety = ("safetySettings",) if read.safety_settings else ()
    return (*safety, *ignored(read), *ignored(config))


def _messages(read: Body) -> tuple[Message, ...]:
    messages = messages_of(read.contents)
    if (instruction := read.system_instruction) is not None:
        messages.insert(0, Message("system", texts_of("systemInstruction", instruction.parts)))
    return tuple(messages)


def _whole(top_k: float | None) -> int | None:
    if top_k is None:
        return None
    if not top_k.is_integer():
        raise RequestError(f"{_CONFIG}.topK", top_k, "it is not whole", "Send a whole number")
    return int(top_k)


def _rivals(config: GenerationConfig) -> int | None:
    if config.logprobs is not None and not config.response_logprobs:
        mend = "Send responseLogprobs: true too"
        raise RequestError(
            f"{_CONFIG}.logprobs", config.logprobs, "it needs log-probabilities", mend
        )
    return config.logprobs


def _tools(read: Body) -> tuple[Tool, ...]:
    return tuple(
        _tool(f"tools[{number}].functionDeclarations[{index}]", declared)
        for number, tool in enumerate(read.tools or ())
        for index, declared in enumerate(tool.function_declarations or ())
    )


def _tool(place: str, declared: Declaration) -> Tool:
    schema = _one_schema(
        f"{place}.parameters", declared.parameters, declared.parameters_json_schema
    )
    return Tool(declared.name, declared.description, schema)


def _choice(read: ToolConfig) -> ToolChoice | None:
    calling = read.function_calling_config
    if calling is None:
        return None
    names, mode = calling.allowed_function_names or [], calling.mode or "AUTO"
    place = f"{_CALLING}.allowedFunctionNames"
    if names and mode not in ("ANY", "VALIDATED"):
        raise RequestError(place, names, "it goes with the mode ANY", "Leave it out, or send ANY")
    if len(names) > 1 or (names and mode == "VALIDATED"):
        mend = "Send one name with the mode ANY, or declare only the functions that are allowed"
        raise UnsupportedParameter(place, names, "cascade can single out one function", mend)
    if names:
        return ToolChoice("function", names[0])
    if mode == "ANY":
        return ToolChoice("required")
    return ToolChoice("none" if mode == "NONE" else "auto")


def _format(config: GenerationConfig) -> ResponseFormat | None:
    """Read the form of the answer, in whichever of the protocol's two ways it is given."""
    mime: str | None = config.response_mime_type
    native = config.response_json_schema or config.internal_json_schema
    schema = _one_schema(f"{_CONFIG}.responseSchema", config.response_schema, native)
    if config.response_format is None or config.response_format.text is None:
        return _format_of(f"{_CONFIG}.responseMimeType", mime, schema)
    place = f"{_CONFIG}.responseFormat.text.mimeType"
    if mime or schema is not None:
        problem = "responseMimeType or a schema says it too"
        raise RequestError(place, None, problem, "Send one of the two")
    flat = config.response_format.text
    schema = None if flat.schema is None else canonical(flat.schema)
    return _format_of(place, _FLAT_KINDS.get(flat.mime_type or ""), schema)


def _format_of(place: str, mime: str | None, schema: bytes | None) -> ResponseFormat | None:
    if schema is not None:
        if mime != "application/json":
            mend = "Ask for JSON too, or leave the schema out"
            raise RequestError(place, mime, "a schema needs JSON", mend)
        return ResponseFormat("json_schema", FORMAT_NAME, schema)
    if not mime:
        return None
    return ResponseFormat("json_object" if mime == "application/json" else "text")


def _one_schema(
    place: str, dialect: dict[str, Any] | None, native: dict[str, Any] | None
) -> bytes | None:
    """Return the one schema there is, as canonical JSON Schema."""
    if dialect is not None and native is not None:
        raise RequestError(place, None, "there is a JSON schema too", "Send one of the two")
    if dialect is not None:
        native = json_schema(dialect)
    return None if native is None else canonical(native)

"""Chat completion requests: from a client's bytes to a ``Request``, and to a provider's bytes."""

from __future__ import annotations

import msgspec

from cascade.errors import RequestError, UnsupportedParameter
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
from cascade.wire.codec import Incoming, canonical
from cascade.wire.mistakes import explain
from cascade.wire.openai_chat.mistakes import WORDING
from cascade.wire.openai_chat.request_shapes import (
    REFUSED,
    Body,
    Called,
    Chosen,
    ImagePart,
    ObjectFormat,
    RefusalPart,
    SchemaFormat,
    TextFormat,
    TextPart,
    ThinkingPart,
    ToolShape,
    Turn,
)
from cascade.wire.options import with_options
from cascade.wire.shapes import ignored

__all__ = ["decode_request"]

_body = msgspec.json.Decoder(Body)


def decode_request(body: bytes, path: str = "") -> Incoming:
    """Read a chat completion request.

    Raises:
        UnsupportedParameter: a parameter that cascade does not know or cannot keep.
        RequestError: anything else that is wrong; both name place, value and mend.
    """
    try:
        read = _body.decode(body)
    except (ValueError, RecursionError) as error:  # all that the decoder raises on bad input
        raise explain(error, body, WORDING) from None
    stream_options = read.stream_options
    options = read.cascade
    return Incoming(
        with_options(_request(read), options),
        read.model,
        bool(read.stream),
        bool(stream_options and stream_options.include_usage),
        bool(options and options.events),
    )


def _request(read: Body) -> Request:
    if read.top_logprobs is not None and not read.logprobs:
        problem = "it needs log-probabilities"
        raise RequestError("top_logprobs", read.top_logprobs, problem, "Send `logprobs`: true too")
    if read.safe_prompt:
        raise _unsupported("safe_prompt")
    return Request(
        messages=tuple(_message(number, turn) for number, turn in enumerate(read.messages)),
        tools=tuple(map(_tool, read.tools)) if read.tools else (),
        tool_choice=None if read.tool_choice is None else _tool_choice(read.tool_choice),
        parallel_tool_calls=read.parallel_tool_calls,
        response_format=None if read.response_format is None else _format(read.response_format),
        max_tokens=_limit(read),
        temperature=read.temperature,
        top_p=read.top_p,
        top_k=read.top_k,
        seed=read.random_seed if read.seed is None else read.seed,
        stop=_stop(read.stop),
        presence_penalty=read.presence_penalty,
        frequency_penalty=read.frequency_penalty,
        logit_bias=tuple(sorted(read.logit_bias.items())) if read.logit_bias else (),
        logprobs=bool(read.logprobs),
        top_logprobs=read.top_logprobs,
        reasoning_effort=read.reasoning_effort,
        user=read.user,
        ignored=ignored(read),
    )


def _limit(read: Body) -> int | None:
    if read.max_completion_tokens is None:
        return read.max_tokens
    if read.max_tokens not in (None, read.max_completion_tokens):
        problem = f"max_completion_tokens says {read.max_completion_tokens}"
        raise RequestError("max_tokens", read.max_tokens, problem, "Send one of the two")
    return read.max_completion_tokens


def _unsupported(name: str, place: str = "") -> UnsupportedParameter:
    """What is asked for with true is refused; false asks for nothing."""
    return UnsupportedParameter(
        f"{place}{name}", True, "cascade does not support it", REFUSED[name]
    )


def _stop(stop: str | list[str] | None) -> tuple[str, ...]:
    if stop is None:
        return ()
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _message(number: int, turn: Turn) -> Message:
    role, content = turn.role, turn.content
    place = f"messages[{number}]"
    refusal = turn.refusal
    parts: str | tuple[Text | Image, ...] | None
    if isinstance(content, list):
        parts, refused = _parts(place, content)
        refusal = refusal if refused is None else refused
    else:
        parts = content
    calls = turn.tool_calls
    if turn.prefix:
        raise _unsupported("prefix", f"{place}.")
    if role == "assistant":
        if parts is None and refusal is None and not calls:
            problem = "an assistant's message needs content, tool calls or a refusal"
            raise RequestError(f"{place}.content", content, problem, "Send a text")
    else:
        _check_turn(place, turn, refusal)
        if parts is None:
            problem = f"a message of the role {role} needs content"
            raise RequestError(
                f"{place}.content", content, problem, "Send a text or a list of parts"
            )
    return Message(
        role=role,
        content=parts,
        tool_calls=tuple(map(_call, calls)) if calls else (),
        tool_call_id=turn.tool_call_id,
        name=turn.name,
        refusal=refusal,
    )


def _call(called: Called) -> ToolCall:
    function, arguments = called.function, called.function.arguments
    if isinstance(arguments, dict):  # Mistral's client sends what it has read
        arguments = canonical(arguments).decode()
    return ToolCall(called.id, function.name, arguments)


def _check_turn(place: str, turn: Turn, refusal: str | None) -> None:
    """Refuse what only an assistant's message or only a tool's message may carry."""
    if turn.tool_calls:
        problem = f"a message of the role {turn.role} makes no calls"
        raise RequestError(
            f"{place}.tool_calls", None, problem, "Send it as an assistant's message"
        )
    if refusal is not None:
        problem = f"a message of the role {turn.role} refuses nothing"
        raise RequestError(
            f"{place}.refusal", refusal, problem, "Send it as an assistant's message"
        )
    if turn.role == "tool" and turn.tool_call_id is None:
        problem = "a tool's result must say which call it answers"
        raise RequestError(f"{place}.tool_call_id", None, problem, "Send the call's id")


def _parts(
    place: str, content: list[TextPart | ImagePart | RefusalPart | ThinkingPart]
) -> tuple[tuple[Text | Image, ...] | None, str | None]:
    """Return the parts, and the refusal that stands among them."""
    if not content:
        mend = "Send a text or at least one part"
        raise RequestError(f"{place}.content", [], "it is an empty list", mend)
    parts: list[Text | Image] = []
    refused: list[str] = []
    for number, part in enumerate(content):
        if isinstance(part, TextPart):
            parts.append(Text(part.text))
        elif isinstance(part, ImagePart):
            parts.append(_image(f"{place}.content[{number}].image_url", part))
        elif isinstance(part, RefusalPart):
            refused.append(part.refusal)
    return tuple(parts) or None, "".join(refused) if refused else None


def _image(place: str, part: ImagePart) -> Image:
    if isinstance(part.image_url, str):
        image = Image(part.image_url)
    else:
        place += ".url"
        image = Image(part.image_url.url, part.image_url.detail)
    if not image.url[:11].lower().startswith(("https://", "http://", "data:image/")):
        mend = "Send an https: URL, or the image itself as data:image/…;base64,…"
        raise RequestError(place, image.url, "it is no address of an image", mend)
    return image


def _tool(tool: ToolShape) -> Tool:
    function = tool.function
    schema = None if function.parameters is None else canonical(function.parameters)
    return Tool(function.name, function.description, schema, function.strict)


def _tool_choice(choice: str | Chosen) -> ToolChoice:
    if isinstance(choice, Chosen):
        return ToolChoice("function", choice.function.name)
    return _CHOICES[choice]


_CHOICES = {
    "auto": ToolChoice("auto"),
    "none": ToolChoice("none"),
    "required": ToolChoice("required"),
    "any": ToolChoice("required"),  # Mistral's word
}


def _format(wanted: TextFormat | ObjectFormat | SchemaFormat) -> ResponseFormat:
    if isinstance(wanted, TextFormat):
        return ResponseFormat("text")
    if isinstance(wanted, ObjectFormat):
        return ResponseFormat("json_object")
    given = wanted.json_schema
    schema = None if given.schema is None else canonical(given.schema)
    return ResponseFormat("json_schema", given.name, schema, given.strict, given.description)

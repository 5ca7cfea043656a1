"""Whole chat completion answers: from a provider's bytes, and to a client's."""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.types import (
    FinishReason,
    Kind,
    Message,
    Response,
    TokenLogprob,
    ToolCall,
    TopLogprob,
    Usage,
)
from cascade.wire.failures import CutOff, Malformed, failure_of
from cascade.wire.openai_chat.answer_shapes import (
    CalledShape,
    Choice,
    Completion,
    MessageShape,
    arguments_of,
    broken_off,
    finish_of,
    logprobs_of,
    text_and_thought,
    usage_of,
)
from cascade.wire.openai_chat.asking import called

__all__ = [
    "decode_response",
    "encode_error",
    "encode_error_event",
    "encode_response",
    "finish_word",
    "logprobs_body",
    "usage_body",
]

_completion = msgspec.json.Decoder(Completion)
_encode = msgspec.json.Encoder().encode


def decode_response(body: bytes) -> Response:
    """Read a provider's whole answer.

    Raises:
        Malformed: it is not what the protocol allows.
        CallFailure: it is an error inside a 200, or says that it was broken off.
    """
    try:
        read = _completion.decode(body)
    except (ValueError, RecursionError) as error:  # all that the decoder raises on bad input
        raise Malformed(f"the answer is no chat completion: {error}") from None
    if read.error is not None:
        response = _response(read, Choice(), MessageShape())
        raise failure_of(body, Kind.MALFORMED, response if response.usage else None)
    if not read.choices:
        raise Malformed("the answer holds no choices")
    choice = read.choices[0]
    if len(read.choices) > 1 or choice.index:
        raise Malformed("the answer holds other choices than the one that was asked for")
    if choice.message is None:
        raise Malformed("the answer's choice holds no message")
    response = _response(read, choice, choice.message)
    if not choice.finish_reason:
        raise CutOff(response)
    if (failure := broken_off(choice.finish_reason, response)) is not None:
        raise failure
    return response


def _response(read: Completion, choice: Choice, message: MessageShape) -> Response:
    text, thought = text_and_thought(message)
    tokens = choice.logprobs.content if choice.logprobs else None
    return Response(
        message=Message(
            role="assistant",
            content=text,
            tool_calls=tuple(map(_call, message.tool_calls)) if message.tool_calls else (),
            refusal=message.refusal,
        ),
        finish_reason=finish_of(choice.finish_reason or ""),
        model=read.model or "",
        id=read.id or "",
        created=int(read.created or 0),
        usage=None if read.usage is None else usage_of(read.usage),
        logprobs=None if tokens is None else logprobs_of(tokens),
        reasoning=thought,
    )


def _call(read: CalledShape) -> ToolCall:
    if read.function is None or not read.function.name:
        raise Malformed("the answer holds a tool call without a function's name")
    return ToolCall(read.id or "", read.function.name, arguments_of(read.function))


def encode_response(
    response: Response,
    *,
    model: str | None = None,
    extra: dict[str, Any] | None = None,
) -> bytes:
    """Write an answer for a client.

    ``model`` takes the place of the answer's own; ``extra`` (cost, rung, …) goes under ``cascade``,
    and under ``usage.cascade`` for clients that keep unknown keys of the usage only.
    """
    message = response.message
    written: dict[str, Any] = {"role": "assistant", "content": _content(message)}
    written["refusal"] = message.refusal
    if response.reasoning:
        written["reasoning_content"] = response.reasoning
    if message.tool_calls:
        written["tool_calls"] = [called(call) for call in message.tool_calls]
    tokens = response.logprobs
    body: dict[str, Any] = {
        "id": response.id,
        "object": "chat.completion",
        "created": response.created,
        "model": response.model if model is None else model,
        "choices": [
            {
                "index": 0,
                "message": written,
                "logprobs": None if tokens is None else logprobs_body(tokens),
                "finish_reason": finish_word(response.finish_reason),
            }
        ],
    }
    if response.usage is not None:
        body["usage"] = usage_body(response.usage, extra)
    if extra is not None:
        body["cascade"] = extra
    return _encode(body)


def finish_word(finish: FinishReason) -> str:
    """Write a finish reason in OpenAI's words. It has none for an end that is not understood: the
    answer may not be whole, and that is what ``length`` tells a client."""
    return "length" if finish == "unknown" else finish


def _content(message: Message) -> str | None:
    return message.text if isinstance(message.content, tuple) else message.content


def usage_body(usage: Usage, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write a usage as OpenAI has it, with ``extra`` beside it under ``cascade``."""
    body: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
    if extra is not None:
        body["cascade"] = extra
    return body


def logprobs_body(tokens: tuple[TokenLogprob, ...]) -> dict[str, Any]:
    """Write log-probabilities as they stand in a choice."""
    content = [
        _logprob(each) | {"top_logprobs": [_logprob(rival) for rival in each.top]}
        for each in tokens
    ]
    return {"content": content, "refusal": None}


def _logprob(token: TokenLogprob | TopLogprob) -> dict[str, Any]:
    # A token that is half a letter has other bytes than its text, and these are not known here.
    return {"token": token.token, "logprob": token.logprob, "bytes": None}


def encode_error(
    message: str,
    *,
    status: int = 400,
    type: str,  # noqa: A002  the protocol's word
    code: str | None = None,
    param: str | None = None,
    extra: dict[str, Any] | None = None,
) -> bytes:
    """Write an error body; ``extra`` (attempts, the cheapest cap, …) goes under ``cascade``. The
    ``status`` is not part of it."""
    body: dict[str, Any] = {
        "error": {"message": message, "type": type, "param": param, "code": code}
    }
    if extra is not None:
        body["cascade"] = extra
    return _encode(body)


def encode_error_event(body: bytes) -> bytes:
    """Write an error body as the event that ends a broken stream."""
    return b"data: " + body + b"\n\n"

"""Whole answers: from a provider's bytes, and to a client's."""

from __future__ import annotations

from typing import Any

import msgspec

from cascade.types import FinishReason, Kind, Response, TokenLogprob, Usage
from cascade.wire.failures import CutOff, Malformed
from cascade.wire.gemini.answer_shapes import AnswerShape
from cascade.wire.gemini.parts import Part, call_part, model_parts
from cascade.wire.gemini.seals import for_client
from cascade.wire.gemini.stream import StreamReader

__all__ = [
    "decode_response",
    "encode_response",
    "finish_body",
    "logprobs_body",
    "tail_body",
]

_answer = msgspec.json.Decoder(AnswerShape)
_encode = msgspec.json.Encoder().encode
_FINISH: dict[FinishReason, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "unknown": "OTHER",
}


def decode_response(body: bytes) -> Response:
    """Read a provider's whole answer: a stream of one chunk.

    Raises:
        Malformed: it is not what the protocol allows.
        CallFailure: it is an error inside a 200, or says that the prompt was blocked.
    """
    try:
        read = _answer.decode(body)
    except (ValueError, RecursionError) as error:  # all that the decoder raises on bad input
        raise Malformed(f"the answer is none of generateContent: {error}") from None
    reader = StreamReader()
    reader.take(read, body, Kind.MALFORMED)
    if not read.candidates:
        raise Malformed("the answer holds no candidates")
    response = reader.partial()
    if not read.candidates[0].finish_reason:
        raise CutOff(response)
    return response


def encode_response(
    response: Response, *, model: str | None = None, extra: dict[str, Any] | None = None
) -> bytes:
    """Write an answer for a client.

    ``model`` takes the place of the answer's own; ``extra`` (cost, rung, …) goes under ``cascade``,
    which Google's own client passes over. A refusal is a text here. The time of the answer has no
    place.
    """
    parts = model_parts(response.message, for_client, response.reasoning)
    calls = [call_part(call, for_client) for call in response.message.tool_calls]
    parts += [call for call in calls if call is not None]
    candidate: dict[str, Any] = {
        "content": {"role": "model"} | ({"parts": parts} if parts else {}),
        **finish_body(response.finish_reason, calls),
        "index": 0,
    }
    if response.logprobs is not None:
        candidate["logprobsResult"] = logprobs_body(response.logprobs)
    name = response.model if model is None else model
    body = {"candidates": [candidate], **tail_body(name, response.id, response.usage, extra)}
    return _encode(body)


def finish_body(reason: FinishReason, calls: list[Part | None]) -> dict[str, str]:
    """Write why the answer ended; calls that are none (arguments that are no object) are left out
    of it, and the protocol has a reason of its own for that."""
    if None in calls:
        said = "The arguments of a function call are no JSON object."
        return {"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": said}
    return {"finishReason": _FINISH[reason]}


def tail_body(
    model: str,
    identity: str,
    usage: Usage | None = None,
    extra: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write what stands beside the candidates."""
    body: dict[str, Any] = {}
    if usage is not None:
        body["usageMetadata"] = _usage_body(usage)
    if model:
        body["modelVersion"] = model
    if identity:
        body["responseId"] = identity
    if extra is not None:
        body["cascade"] = extra
    return body


def _usage_body(usage: Usage) -> dict[str, int]:
    body = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
        "totalTokenCount": usage.input_tokens + usage.output_tokens,
    }
    if usage.cached_tokens:
        body["cachedContentTokenCount"] = usage.cached_tokens
    if usage.reasoning_tokens:
        body["thoughtsTokenCount"] = usage.reasoning_tokens
    return body


def logprobs_body(tokens: tuple[TokenLogprob, ...]) -> dict[str, Any]:
    """Write log-probabilities as they stand in a candidate."""
    return {
        "chosenCandidates": [
            {"token": each.token, "logProbability": each.logprob} for each in tokens
        ],
        "topCandidates": [
            {
                "candidates": [
                    {"token": rival.token, "logProbability": rival.logprob} for rival in each.top
                ]
            }
            for each in tokens
        ],
    }

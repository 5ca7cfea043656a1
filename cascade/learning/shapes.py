"""A line of a recording as it stands in the file, and the row that it means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cascade.errors import Mistake
from cascade.learning.functions import calls_of, tools_of
from cascade.learning.rows import (
    Count,
    Dollars,
    RecordedAnswer,
    Row,
    Sample,
    Score,
    Seconds,
)
from cascade.learning.tokens import logprobs_of
from cascade.types import FinishReason, Message, Request
from cascade.wire.codec import canonical
from cascade.wire.openai_chat import decode_request

__all__ = ["RowShape", "row_of"]

_FINISHES: dict[str, FinishReason] = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "unknown": "unknown",
}
_ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "function": "tool"}
_KEPT = ("content", "tool_call_id", "name", "refusal")
_PLAIN = (
    "score",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "latency_s",
    "mean_logprob",
    "p_true_logprob",
    "p_true_cost_usd",
    "reasoning_tokens",
)


class SampleShape(msgspec.Struct):
    """A further answer in a line."""

    text: str | None = None
    final: Any = None


class AnswerShape(msgspec.Struct):
    """An answer in a line."""

    text: str | None = None
    final: Any = None
    score: Score | bool | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cost_usd: Dollars | None = None
    latency_s: Seconds | None = None
    mean_logprob: float | None = None
    p_true_logprob: float | None = None
    p_true_cost_usd: Dollars | None = None
    finish_reason: str | None = None
    samples: list[SampleShape] | None = None
    tool_calls: Any = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    thinking: str | None = None
    reasoning_tokens: Count | None = None
    logprobs: Any = None
    tokens: Any = None


class RowShape(msgspec.Struct):
    """A line."""

    answers: dict[str, AnswerShape]
    prompt: Any = None
    messages: Any = None
    tools: Any = None
    functions: Any = None
    function: Any = None
    id: str | int | None = None
    dataset: str | None = None
    system: str | None = None
    gold: Any = None


def row_of(shape: RowShape) -> Row:
    """Return the row that a line means.

    Raises:
        Mistake: a value cannot be used; it names place, value and mend.
        ValueError: neither a prompt nor messages, or an answer without anything in it.
    """
    if shape.messages is None and shape.prompt is None:
        raise ValueError("Object missing required field `prompt`, or `messages` in its place")
    if not isinstance(shape.prompt, str | None):
        kind = type(shape.prompt).__name__
        raise ValueError(f"Expected `str`, got `{kind}` - at `$.prompt`")
    answers = {name: _answer(f"answers.{name}", each) for name, each in shape.answers.items()}
    tools = _offered(shape)
    messages: tuple[Message, ...] = ()
    prompt: str = shape.prompt or ""
    if shape.messages is not None or tools:
        read = _request(shape, tools)
        messages, offers = (() if shape.messages is None else read.messages), read.tools
        asked = [message.text for message in read.messages if message.role == "user"]
        prompt = asked[-1] if asked else prompt
    else:
        offers = ()
    return Row(
        prompt=prompt,
        answers=answers,
        id="" if shape.id is None else str(shape.id),
        dataset=shape.dataset or "",
        system=shape.system,
        gold=_text(shape.gold),
        messages=messages,
        tools=offers,
    )


def _offered(shape: RowShape) -> list[dict[str, Any]]:
    for name in ("tools", "functions", "function"):
        if (offered := getattr(shape, name)) is not None:
            return tools_of(name, offered)
    return []


def _request(shape: RowShape, tools: list[dict[str, Any]]) -> Request:
    """Read messages and tools as the wire reads them, so that they are found by it too."""
    turns = list(_turns(shape.messages))
    if shape.system and not any(turn.get("role") in ("system", "developer") for turn in turns):
        turns.insert(0, {"role": "system", "content": shape.system})
    if shape.prompt is not None and (not turns or turns[-1]["role"] not in ("user", "tool")):
        turns.append({"role": "user", "content": shape.prompt})
    body = {"model": "recorded", "messages": turns, "tools": tools}
    return decode_request(canonical(body)).request


def _turns(messages: Any) -> Iterator[dict[str, Any]]:
    """Return the messages in OpenAI's shape: without what it does not know, calls with ids."""
    if messages is None:
        return
    mend = 'Write a list of {"role", "content"}'
    if not isinstance(messages, list):
        raise Mistake("messages", messages, "it is no list", mend)
    if len(messages) == 1 and isinstance(messages[0], list):
        messages = messages[0]  # BFCL's: a list of turns, each a list of messages
    made: list[str] = []
    for number, message in enumerate(messages):
        place = f"messages[{number}]"
        if not (isinstance(message, dict) and isinstance(message.get("role"), str)):
            raise Mistake(place, message, "it is no message with a role", mend)
        turn = {name: message[name] for name in _KEPT if message.get(name) is not None}
        turn["role"] = _ROLES.get(message["role"], message["role"])
        calls = message.get("tool_calls") or message.get("function_call")
        if turn["role"] == "assistant" and calls:
            turn["tool_calls"] = [
                {
                    "id": call.id or f"call_{number}_{at}",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for at, call in enumerate(calls_of(f"{place}.tool_calls", calls))
            ]
            made += [call["id"] for call in turn["tool_calls"]]
        if turn["role"] == "tool":
            turn.setdefault("tool_call_id", made[0] if made else "call")
            if made:
                made.pop(0)
            if not isinstance(turn.get("content"), str | list):
                turn["content"] = _text(turn.get("content")) or ""
        yield turn


def _answer(place: str, shape: AnswerShape) -> RecordedAnswer:
    calls = () if shape.tool_calls is None else calls_of(f"{place}.tool_calls", shape.tool_calls)
    reasoning = shape.reasoning or shape.reasoning_content or shape.thinking
    if shape.text is None and not (calls or reasoning):
        raise ValueError(f"Object missing required field `text` - at `$.{place}`")
    thought, tokens = shape.reasoning_tokens, shape.output_tokens
    if thought is not None and tokens is not None and thought > tokens:
        problem = f"they are a part of output_tokens, which are {tokens}"
        raise Mistake(f"{place}.reasoning_tokens", thought, problem, "Count both in output_tokens")
    text = shape.text or ""
    plain = {name: getattr(shape, name) for name in _PLAIN}
    if isinstance(shape.score, bool):
        plain["score"] = float(shape.score)
    return RecordedAnswer(
        text=text,
        final=_text(shape.final),
        finish_reason=_finish(place, shape.finish_reason),
        samples=tuple(Sample(each.text or "", _text(each.final)) for each in shape.samples or ()),
        tool_calls=calls,
        reasoning=reasoning,
        logprobs=logprobs_of(f"{place}.logprobs", shape.logprobs, shape.tokens, text),
        **plain,
    )


def _finish(place: str, said: str | None) -> FinishReason | None:
    if said is None:
        return None
    finish = _FINISHES.get(said.lower())
    if finish is None:
        mend = f"Write one of {', '.join(dict.fromkeys(_FINISHES.values()))}"
        raise Mistake(f"{place}.finish_reason", said, "it is none of the values known", mend)
    return finish


def _text(value: object) -> str | None:
    """Return a text as it is, anything else as the JSON that stood there."""
    return value if isinstance(value, str | None) else msgspec.json.encode(value).decode()

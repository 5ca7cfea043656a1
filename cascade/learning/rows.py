"""What a recording holds: prompts, and what models answered to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeAlias

import msgspec

from cascade.types import FinishReason, Message, TokenLogprob, Tool, ToolCall

__all__ = ["Conversation", "RecordedAnswer", "Row", "Sample", "conversation"]

Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Dollars = Annotated[float, msgspec.Meta(ge=0)]
Score = Annotated[float, msgspec.Meta(ge=0, le=1)]

_WRAPPERS = ("output", "result", "error")

Conversation: TypeAlias = tuple[tuple[str, ...], ...]
"""What was said, in the form in which two conversations are compared."""


# gc=False: these never form cycles, and a recording has tens of thousands of them.
class Sample(msgspec.Struct, frozen=True, gc=False):
    """A further answer, drawn at a temperature above 0."""

    text: str
    final: str | None = None


class RecordedAnswer(msgspec.Struct, frozen=True, gc=False):
    """What one model answered, and what was measured then.

    ``final`` is the answer extracted from ``text``; ``score`` (0 to 1) is how the source graded
    it; ``finish_reason`` is there where it was not the usual one. Tokens, ``cost_usd`` (US
    dollars) and ``latency_s`` (seconds) are of the answering call; ``reasoning_tokens`` are a part
    of ``output_tokens``. ``mean_logprob`` is the mean log-probability of the answer's tokens,
    ``p_true_logprob`` that of "true" in a second call that asked the model about its own answer;
    natural logarithms. ``logprobs`` are those of the single tokens of ``text``. A tool call whose
    ``id`` is empty was recorded without one.
    """

    text: str
    final: str | None = None
    score: Score | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cost_usd: Dollars | None = None
    latency_s: Seconds | None = None
    mean_logprob: float | None = None
    p_true_logprob: float | None = None
    p_true_cost_usd: Dollars | None = None
    finish_reason: FinishReason | None = None
    samples: tuple[Sample, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str | None = None
    reasoning_tokens: Count | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None


class Row(msgspec.Struct, frozen=True, gc=False):
    """One request with the answers to it, by model. ``gold`` is the source's own answer.

    ``messages`` is the whole conversation where it is more than a system prompt and one user
    turn; ``prompt`` is then its last user turn. ``tools`` are those that were offered.
    """

    prompt: str
    answers: dict[str, RecordedAnswer]
    id: str = ""
    dataset: str = ""
    system: str | None = None
    gold: str | None = None
    messages: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()

    @property
    def turns(self) -> tuple[Message, ...]:
        """The whole conversation, the system prompt first."""
        if self.messages:
            return self.messages
        user = Message("user", self.prompt)
        return (Message("system", self.system), user) if self.system else (user,)


def conversation(messages: Iterable[Message]) -> Conversation:
    """Return what was said, without what protocols change on the way.

    Those are: where the system prompt stands, where one turn's text is cut into messages and
    parts, ids of tool calls, white space and order in their arguments, and the models' thoughts.
    """
    system: list[str] = []
    said: list[tuple[str, ...]] = []
    for message in messages:
        role = message.role
        if role in ("system", "developer"):
            system.append(message.text)
        elif role == "tool":
            said.append(("result", _result(message.text)))
        else:
            if (text := message.text or message.refusal) and said and said[-1][0] == role:
                said[-1] = (role, said[-1][1] + text)
            elif text:
                said.append((role, text))
            said += (("image", image.url) for image in message.images)
            said += (("call", call.name, _plain(call.arguments)) for call in message.tool_calls)
    return (("system", "".join(system)), *said)


def _result(text: str) -> str:
    """Return what a tool said, out of the object in which Gemini's clients must wrap it."""
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError):  # most results are plain texts
        return text
    if isinstance(value, dict) and len(value) == 1:
        key, inner = next(iter(value.items()))
        if key in _WRAPPERS and isinstance(inner, str):
            return inner
    return msgspec.json.encode(value, order="deterministic").decode()


def _plain(arguments: str) -> str:
    try:
        value = msgspec.json.decode(arguments)
    except (ValueError, RecursionError):  # the model's own mistakes are compared as they stand
        return arguments
    return msgspec.json.encode(value, order="deterministic").decode()

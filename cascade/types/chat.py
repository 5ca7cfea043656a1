"""What is asked and what is answered, in no provider's dialect."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["system", "developer", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "unknown"]


Mark = Literal["5m", "1h"]
"""How long a provider shall keep all up to here in its prompt cache."""


class Text(msgspec.Struct, frozen=True, tag="text", omit_defaults=True):
    """A piece of text in a message. ``mark`` ends a prefix for the provider's prompt cache."""

    text: str
    mark: Mark | None = None


class Image(msgspec.Struct, frozen=True, tag="image", omit_defaults=True):
    """An image by ``https:`` URL or as a ``data:`` URL. A URL is passed on, never fetched."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None
    mark: Mark | None = None


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call the model wants made. ``arguments`` is the JSON text as the model wrote it;
    ``signature`` is what its provider wants back with the call in the next turn."""

    id: str
    name: str
    arguments: str
    signature: str | None = None
    mark: Mark | None = None


class Thought(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of a model's reasoning, as its provider wants it back in the next turn.

    ``signature`` is the provider's seal. ``redacted`` is reasoning that it does not show: opaque
    data in place of the text.
    """

    text: str = ""
    signature: str | None = None
    redacted: str | None = None


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn of a conversation.

    ``thoughts`` go before the content. Of a tool's result, ``is_error`` says that the tool failed
    and ``mark`` is as a text's.
    """

    role: Role
    content: str | tuple[Text | Image, ...] | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None
    thoughts: tuple[Thought, ...] = ()
    is_error: bool = False
    mark: Mark | None = None

    @property
    def text(self) -> str:
        """The message's text, its parts joined, images left out."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content or () if isinstance(part, Text))

    @property
    def images(self) -> tuple[Image, ...]:
        """The message's images."""
        if isinstance(self.content, str):
            return ()
        return tuple(part for part in self.content or () if isinstance(part, Image))


class Tool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A function the model may call. ``parameters`` is its JSON schema as canonical bytes."""

    name: str
    description: str | None = None
    parameters: bytes | None = None
    strict: bool | None = None
    mark: Mark | None = None


class ToolChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether tools may, must or must not be called. ``name`` goes with ``function``."""

    mode: Literal["auto", "none", "required", "function"]
    name: str | None = None


class ResponseFormat(msgspec.Struct, frozen=True, omit_defaults=True):
    """The form the answer must have. ``schema`` is a JSON schema as canonical bytes."""

    kind: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: bytes | None = None
    strict: bool | None = None
    description: str | None = None


Quality = Literal["auto", "best", "cheapest"]
CacheUse = Literal["use", "refresh", "off", "only"]
Delivery = Literal["verified", "live"]


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request: what is asked, how to sample, and how to decide.

    The first block goes to the provider; the second stays here. ``reasoning_budget`` is in
    tokens. ``max_cost`` is in US dollars and covers everything done for the request; ``deadline``
    and ``max_age`` are seconds from now. ``session`` names the conversation that the request goes
    on with; without one its first turns tell. ``ignored`` is what the client sent that nobody is
    sent, by the names of its protocol.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: tuple[tuple[str, float], ...] = ()
    logprobs: bool = False
    top_logprobs: int | None = None
    reasoning_effort: str | None = None
    reasoning_budget: int | None = None
    user: str | None = None

    ladder: str | None = None
    rung: str | None = None
    quality: Quality = "auto"
    max_cost: float | None = None
    deadline: float | None = None
    cache: CacheUse = "use"
    max_age: float | None = None
    delivery: Delivery | None = None
    tags: tuple[str, ...] = ()
    session: str | None = None
    ignored: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """How many images the messages carry."""
        return sum(len(message.images) for message in self.messages)

    @property
    def marked(self) -> bool:
        """Whether anything in it carries a mark for the provider's prompt cache."""
        return any(tool.mark for tool in self.tools) or any(map(_is_marked, self.messages))


def _is_marked(message: Message) -> bool:
    parts = () if isinstance(message.content, str) else message.content or ()
    return bool(
        message.mark
        or any(part.mark for part in parts)
        or any(call.mark for call in message.tool_calls)
    )


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens of one call. Input counts cached and cache-writing tokens too; output counts
    reasoning tokens too. ``cache_write_1h_tokens`` are those of the cache-writing ones that are
    kept for an hour, where that has a price of its own."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_1h_tokens: int = 0


class TopLogprob(msgspec.Struct, frozen=True):
    """An alternative token and its log-probability (natural logarithm)."""

    token: str
    logprob: float


class TokenLogprob(msgspec.Struct, frozen=True, omit_defaults=True):
    """One token of an answer, its log-probability (natural logarithm) and its rivals."""

    token: str
    logprob: float
    top: tuple[TopLogprob, ...] = ()


class Response(msgspec.Struct, frozen=True, omit_defaults=True):
    """A provider's whole answer. ``usage`` and ``logprobs`` are absent where it sent none;
    ``stop_sequence`` is the one that ended it, where the provider says so. ``reasoning`` is the
    text of the model's thoughts, ``message.thoughts`` what has to be sent back of them."""

    message: Message
    finish_reason: FinishReason
    model: str
    id: str = ""
    created: int = 0
    usage: Usage | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    reasoning: str = ""
    stop_sequence: str | None = None


class ToolCallDelta(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of a tool call in a stream; pieces with one ``index`` belong together."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    signature: str | None = None


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of a streamed answer. What a piece does not carry is empty or None.

    ``thought`` is one that is whole now: its text came as ``reasoning`` before, unless it is
    redacted.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    model: str | None = None
    id: str | None = None
    thought: Thought | None = None
    stop_sequence: str | None = None

    @property
    def has_content(self) -> bool:
        """Whether it carries a part of the answer proper: text or a piece of a tool call."""
        return bool(self.text or self.tool_calls)


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What becomes of a request before its answer, for those who want to watch: an answer of this
    rung is being checked, or the ladder is climbed to this rung. ``why`` is in words."""

    event: Literal["checking", "climbing"]
    rung: str
    why: str | None = None

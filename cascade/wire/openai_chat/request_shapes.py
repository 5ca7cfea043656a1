"""A chat completion request as it stands on the wire, and what of it cascade does not take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from cascade.types import Role
from cascade.wire.options import Options
from cascade.wire.shapes import (
    NOTHING,
    Filled,
    Fraction,
    Ignored,
    Penalty,
    Positive,
    Refused,
    Rivals,
    Shape,
    Temperature,
)


class TextPart(Shape, tag="text", tag_field="type"):
    text: str
    prompt_cache_breakpoint: Ignored = NOTHING
    cache_control: Ignored = NOTHING


class RefusalPart(Shape, tag="refusal", tag_field="type"):
    refusal: str


class ImageUrl(Shape):
    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Shape, tag="image_url", tag_field="type"):
    image_url: ImageUrl | str
    prompt_cache_breakpoint: Ignored = NOTHING
    cache_control: Ignored = NOTHING


class ThinkingPart(Shape, tag="thinking", tag_field="type"):
    """What a Mistral model thought, sent back."""

    thinking: Ignored
    closed: Ignored = NOTHING
    signature: Ignored = NOTHING


class CalledFunction(Shape):
    name: Filled
    arguments: str | dict[str, Any]
    parsed_arguments: Ignored = NOTHING


class Called(Shape):
    function: CalledFunction
    id: str
    type: Literal["function"] = "function"
    index: Ignored = NOTHING


class Turn(Shape):
    """A message. What clients copy from an answer into the next request is ignored."""

    role: Role
    content: str | list[TextPart | ImagePart | RefusalPart | ThinkingPart] | None = None
    tool_calls: list[Called] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None
    annotations: Ignored = NOTHING
    reasoning_content: Ignored = NOTHING
    reasoning: Ignored = NOTHING
    reasoning_details: Ignored = NOTHING
    parsed: Ignored = NOTHING
    prefix: bool | None = None
    audio: Refused = None
    function_call: Refused = None


class Function(Shape):
    name: Filled
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolShape(Shape):
    function: Function
    type: Literal["function"]
    cache_control: Ignored = NOTHING


class ChosenName(Shape):
    name: Filled


class Chosen(Shape):
    function: ChosenName
    type: Literal["function"]


class TextFormat(Shape, tag="text", tag_field="type"):
    pass


class ObjectFormat(Shape, tag="json_object", tag_field="type"):
    pass


class Schema(Shape):
    name: str
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class SchemaFormat(Shape, tag="json_schema", tag_field="type"):
    json_schema: Schema


class StreamOptions(Shape):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Body(Shape):
    """A whole request."""

    model: Filled
    messages: Annotated[list[Turn], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[ToolShape] | None = None
    tool_choice: Literal["auto", "none", "required", "any"] | Chosen | None = None
    parallel_tool_calls: bool | None = None
    response_format: TextFormat | ObjectFormat | SchemaFormat | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    temperature: Temperature | None = None
    top_p: Fraction | None = None
    top_k: Positive | None = None
    seed: int | None = None
    random_seed: int | None = None
    stop: str | list[str] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: Rivals | None = None
    reasoning_effort: str | None = None
    user: str | None = None
    cascade: Options | None = None

    metadata: Ignored = NOTHING
    store: Ignored = NOTHING
    service_tier: Ignored = NOTHING
    prompt_cache_key: Ignored = NOTHING
    prompt_cache_options: Ignored = NOTHING
    prompt_cache_retention: Ignored = NOTHING
    safety_identifier: Ignored = NOTHING

    n: Literal[1] | None = None
    audio: Refused = None
    modalities: Annotated[list[Literal["text"]], Meta(max_length=1)] | None = None
    functions: Refused = None
    function_call: Refused = None
    moderation: Refused = None
    prediction: Refused = None
    verbosity: Refused = None
    web_search_options: Refused = None
    prompt_mode: Refused = None
    safe_prompt: bool | None = None


# Why each refused parameter is refused, and what to do instead.
REFUSED: dict[str, str] = {
    "n": "cascade gives one answer per request. Leave it out, or send the request n times",
    "audio": "cascade handles text and images. Leave it out",
    "modalities": 'cascade handles text answers. Leave it out, or send ["text"]',
    "functions": "It is the older form of tools. Send `tools`",
    "function_call": "It is the older form of tool choice. Send `tool_choice` and `tool_calls`",
    "moderation": "cascade does not pass it on. Leave it out",
    "prediction": "cascade does not pass it on. Leave it out",
    "verbosity": "cascade does not pass it on. Leave it out, or ask for brevity in the prompt",
    "web_search_options": "cascade answers from models only. Leave it out",
    "prefix": "cascade begins every answer anew. Leave it out, or send the beginning in the prompt",
    "prompt_mode": "Send `reasoning_effort`",
    "safe_prompt": "cascade adds nothing to a prompt. Leave it out, or say it in a system message",
}

__all__ = [
    "REFUSED",
    "Body",
    "Called",
    "ImagePart",
    "RefusalPart",
    "TextPart",
    "ThinkingPart",
    "Turn",
]

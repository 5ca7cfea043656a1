"""A Messages request as it stands on the wire, and what of it cascade does not take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from cascade.wire.options import Options
from cascade.wire.shapes import NOTHING, Filled, Fraction, Ignored, Positive, Refused, Shape

Empty = Annotated[list[Any], Meta(max_length=0)]


class CacheControl(Shape):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class TextBlock(Shape, tag="text", tag_field="type"):
    text: str
    cache_control: CacheControl | None = None
    citations: Empty | None = None


class Base64Source(Shape, tag="base64", tag_field="type"):
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: str


class UrlSource(Shape, tag="url", tag_field="type"):
    url: str


class ImageBlock(Shape, tag="image", tag_field="type"):
    source: Base64Source | UrlSource
    cache_control: CacheControl | None = None
    transformations: Refused = None


class DirectCaller(Shape):
    type: Literal["direct"]


class ToolUseBlock(Shape, tag="tool_use", tag_field="type"):
    id: Filled
    name: Filled
    input: msgspec.Raw
    cache_control: CacheControl | None = None
    caller: DirectCaller | None = None
    toolset_name: Refused = None


class ToolResultBlock(Shape, tag="tool_result", tag_field="type"):
    tool_use_id: Filled
    content: str | list[TextBlock | ImageBlock] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None
    toolset_name: Refused = None


class ThinkingBlock(Shape, tag="thinking", tag_field="type"):
    thinking: str
    signature: str = ""


class RedactedBlock(Shape, tag="redacted_thinking", tag_field="type"):
    data: str


Block = TextBlock | ImageBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedBlock


class Turn(Shape):
    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class ToolShape(Shape):
    name: Filled
    input_schema: dict[str, Any]
    type: Literal["custom"] | None = None
    description: str | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None
    allowed_callers: list[Literal["direct"]] | None = None
    defer_loading: bool | None = None
    input_examples: Empty | None = None
    eager_input_streaming: Ignored = NOTHING


class AutoChoice(Shape, tag="auto", tag_field="type"):
    disable_parallel_tool_use: bool | None = None


class AnyChoice(Shape, tag="any", tag_field="type"):
    disable_parallel_tool_use: bool | None = None


class ToolChosen(Shape, tag="tool", tag_field="type"):
    name: Filled
    disable_parallel_tool_use: bool | None = None


class NoChoice(Shape, tag="none", tag_field="type"):
    pass


class Enabled(Shape, tag="enabled", tag_field="type"):
    budget_tokens: Annotated[int, Meta(ge=1024)]
    display: Literal["summarized", "omitted"] | None = None


class Adaptive(Shape, tag="adaptive", tag_field="type"):
    display: Literal["summarized", "omitted"] | None = None


class Disabled(Shape, tag="disabled", tag_field="type"):
    pass


class SchemaFormat(Shape, tag="json_schema", tag_field="type"):
    schema: dict[str, Any]


class OutputConfig(Shape):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: SchemaFormat | None = None


class Metadata(Shape):
    user_id: str | None = None


class Body(Shape):
    """A whole request. ``context_management`` says what the server may forget of a long
    conversation: without it nothing is forgotten."""

    model: Filled
    messages: Annotated[list[Turn], Meta(min_length=1)]
    max_tokens: Positive
    system: str | list[TextBlock] | None = None
    stream: bool | None = None
    tools: list[ToolShape] | None = None
    tool_choice: AutoChoice | AnyChoice | ToolChosen | NoChoice | None = None
    thinking: Enabled | Adaptive | Disabled | None = None
    output_config: OutputConfig | None = None
    stop_sequences: list[str] | None = None
    temperature: Fraction | None = None
    top_p: Fraction | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    metadata: Metadata | None = None
    cache_control: CacheControl | None = None
    cascade: Options | None = None

    service_tier: Ignored = NOTHING
    speed: Ignored = NOTHING
    diagnostics: Ignored = NOTHING
    context_management: Ignored = NOTHING

    container: Refused = None
    inference_geo: Refused = None
    mcp_servers: Empty | None = None
    user_profile_id: Refused = None
    workspace_id: Refused = None


# Why each refused parameter is refused, and what to do instead.
REFUSED: dict[str, str] = {
    "citations": "cascade does not pass them on. Leave them out",
    "transformations": "cascade passes images on as they are. Leave it out",
    "toolset_name": "cascade takes tools of your own only. Leave it out",
    "allowed_callers": 'Only the model itself calls tools. Leave it out, or send ["direct"]',
    "input_examples": "cascade does not pass them on. Put them into the tool's description",
    "container": "cascade answers from models only. Leave it out",
    "inference_geo": "The operator's configuration says where models run. Leave it out",
    "mcp_servers": "cascade answers from models only. Call the servers yourself, as `tools`",
    "user_profile_id": "cascade does not pass it on. Leave it out, or send `metadata.user_id`",
    "workspace_id": "The operator's key decides it. Leave it out",
}

_OWN_TOOLS = "cascade answers from models only. Send tools of your own"
_AS_TEXT = "cascade handles text and images. Send it as text"

# Kinds of blocks, sources and thinking that the protocol knows and cascade does not take.
KINDS: dict[str, str] = {
    "document": _AS_TEXT,
    "search_result": _AS_TEXT,
    "tool_reference": _AS_TEXT,
    "browser_state": _AS_TEXT,
    "container_upload": "cascade handles text and images. Leave it out",
    "file": "cascade holds no files. Send the image itself as base64, or its https: URL",
    "mid_conv_system": 'Send it as a message of its own, with the role "system"',
    "server_tool_use": _OWN_TOOLS,
    "web_search_tool_result": _OWN_TOOLS,
    "web_fetch_tool_result": _OWN_TOOLS,
    "code_execution_tool_result": _OWN_TOOLS,
    "bash_code_execution_tool_result": _OWN_TOOLS,
    "text_editor_code_execution_tool_result": _OWN_TOOLS,
    "tool_search_tool_result": _OWN_TOOLS,
    "between_tools": 'Send one of "adaptive", "enabled" and "disabled"',
}

__all__ = ["KINDS", "REFUSED", "Body"]

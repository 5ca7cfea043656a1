"""A ``generateContent`` request as it stands on the wire, and what of it cascade does not take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

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

__all__ = [
    "REFUSED",
    "Body",
    "ContentShape",
    "Declaration",
    "GenerationConfig",
    "PartShape",
    "ResultShape",
    "ToolConfig",
]


class CamelShape(Shape, rename="camel"):
    """Strict, and in this protocol's spelling."""


class InlineShape(CamelShape):
    mime_type: Filled
    data: str
    display_name: Ignored = NOTHING


class FileShape(CamelShape):
    file_uri: Filled
    mime_type: str | None = None
    display_name: Ignored = NOTHING


class CallShape(CamelShape):
    name: Filled
    args: dict[str, Any] | None = None
    id: str | None = None
    partial_args: Refused = None
    will_continue: Refused = None


class ResultPart(CamelShape):
    inline_data: InlineShape


class ResultShape(CamelShape):
    name: Filled
    response: dict[str, Any]
    id: str | None = None
    parts: list[ResultPart] | None = None
    will_continue: Refused = None
    scheduling: Refused = None


class PartShape(CamelShape):
    """A piece of a turn: one of the first five."""

    text: str | None = None
    inline_data: InlineShape | None = None
    file_data: FileShape | None = None
    function_call: CallShape | None = None
    function_response: ResultShape | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    part_metadata: Ignored = NOTHING
    media_resolution: Ignored = NOTHING
    executable_code: Refused = None
    code_execution_result: Refused = None
    tool_call: Refused = None
    tool_response: Refused = None
    video_metadata: Refused = None
    audio_transcription: Refused = None
    media_processing: Refused = None


class ContentShape(CamelShape):
    parts: list[PartShape] | None = None
    role: Literal["user", "model", "function"] | None = None


class Instruction(CamelShape):
    parts: Annotated[list[PartShape], Meta(min_length=1)]
    role: Ignored = NOTHING


class Declaration(CamelShape):
    name: Filled
    description: str | None = None
    parameters: dict[str, Any] | None = None
    parameters_json_schema: dict[str, Any] | None = None
    response: Ignored = NOTHING
    response_json_schema: Ignored = NOTHING
    behavior: Literal["UNSPECIFIED", "BLOCKING"] | None = None


class ToolShape(CamelShape):
    function_declarations: list[Declaration] | None = None
    google_search_retrieval: Refused = None
    google_search: Refused = None
    google_maps: Refused = None
    code_execution: Refused = None
    computer_use: Refused = None
    url_context: Refused = None
    file_search: Refused = None
    mcp_servers: Refused = None


class CallingConfig(CamelShape):
    mode: Literal["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"] | None = None
    allowed_function_names: list[Filled] | None = None


class ToolConfig(CamelShape):
    function_calling_config: CallingConfig | None = None
    retrieval_config: Refused = None
    include_server_side_tool_invocations: Refused = None


class ThinkingConfig(CamelShape):
    include_thoughts: Ignored = NOTHING
    thinking_budget: int | None = None
    thinking_level: str | None = None


class TextFormat(CamelShape):
    mime_type: Literal["MIME_TYPE_UNSPECIFIED", "APPLICATION_JSON", "TEXT_PLAIN"] | None = None
    schema: dict[str, Any] | None = None


class FormatConfig(CamelShape):
    text: TextFormat | None = None
    audio: Refused = None
    image: Refused = None


class GenerationConfig(CamelShape):
    candidate_count: Literal[1] | None = None
    stop_sequences: list[str] | None = None
    max_output_tokens: Positive | None = None
    temperature: Temperature | None = None
    top_p: Fraction | None = None
    top_k: Annotated[float, Meta(ge=1)] | None = None  # Google's own client sends 40.0
    seed: int | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    response_logprobs: bool | None = None
    logprobs: Rivals | None = None
    response_mime_type: Literal["", "text/plain", "application/json"] | None = None
    response_schema: dict[str, Any] | None = None
    response_json_schema: dict[str, Any] | None = None
    internal_json_schema: dict[str, Any] | None = msgspec.field(
        default=None, name="_responseJsonSchema"
    )
    response_format: FormatConfig | None = None
    thinking_config: ThinkingConfig | None = None
    media_resolution: Ignored = NOTHING
    response_modalities: (
        Annotated[list[Literal["TEXT", "Text", "text"]], Meta(max_length=1)] | None
    ) = None
    speech_config: Refused = None
    image_config: Refused = None
    audio_transcription_config: Refused = None
    enable_enhanced_civic_answers: Refused = None


class SafetySetting(CamelShape):
    """Thresholds that ask for no filter are taken: nothing has to be done for them."""

    category: str
    threshold: Literal["HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_NONE", "OFF"] | None = None


class Body(CamelShape):
    """A whole request."""

    contents: Annotated[list[ContentShape], Meta(min_length=1)]
    model: str | None = None
    system_instruction: Instruction | None = None
    tools: list[ToolShape] | None = None
    tool_config: ToolConfig | None = None
    generation_config: GenerationConfig | None = None
    safety_settings: list[SafetySetting] | None = None
    cascade: Options | None = None

    labels: Ignored = NOTHING
    store: Ignored = NOTHING
    service_tier: Ignored = NOTHING

    cached_content: Refused = None
    continuation_token: Refused = None


_TEXT_ONLY = "cascade handles text and images. Leave it out"
_MODELS_ONLY = "cascade answers from models only. Leave it out, or declare a function for it"
_NO_SERVER_TOOLS = "cascade runs no tools at the provider. Leave it out"
_WHOLE_CALLS = "cascade takes whole calls and results. Leave it out"
_NOT_PASSED_ON = "cascade does not pass it on. Leave it out"

# Why each refused parameter is refused, and what to do instead.
REFUSED: dict[str, str] = {
    "candidateCount": "cascade gives one answer per request. Leave it out, or ask several times",
    "cachedContent": "It lives at one provider. Send the contents themselves",
    "continuationToken": _NOT_PASSED_ON,
    "googleSearch": _MODELS_ONLY,
    "googleSearchRetrieval": _MODELS_ONLY,
    "googleMaps": _MODELS_ONLY,
    "codeExecution": _MODELS_ONLY,
    "computerUse": _MODELS_ONLY,
    "urlContext": _MODELS_ONLY,
    "fileSearch": _MODELS_ONLY,
    "mcpServers": _MODELS_ONLY,
    "retrievalConfig": _NO_SERVER_TOOLS,
    "includeServerSideToolInvocations": _NO_SERVER_TOOLS,
    "executableCode": _NO_SERVER_TOOLS,
    "codeExecutionResult": _NO_SERVER_TOOLS,
    "toolCall": _NO_SERVER_TOOLS,
    "toolResponse": _NO_SERVER_TOOLS,
    "videoMetadata": _TEXT_ONLY,
    "audioTranscription": _TEXT_ONLY,
    "audioTranscriptionConfig": _TEXT_ONLY,
    "mediaProcessing": _TEXT_ONLY,
    "responseModalities": 'cascade handles text answers. Leave it out, or send ["TEXT"]',
    "speechConfig": "cascade handles text answers. Leave it out",
    "imageConfig": "cascade handles text answers. Leave it out",
    "audio": "cascade handles text answers. Leave it out",
    "image": "cascade handles text answers. Leave it out",
    "enableEnhancedCivicAnswers": _NOT_PASSED_ON,
    "threshold": "Not every provider can filter as asked. Send OFF or BLOCK_NONE, or leave it out",
    "partialArgs": _WHOLE_CALLS,
    "willContinue": _WHOLE_CALLS,
    "scheduling": _WHOLE_CALLS,
    "behavior": "cascade waits for results. Leave it out, or send BLOCKING",
    "responseMimeType": "cascade asks for text or JSON. Send text/plain or application/json",
}

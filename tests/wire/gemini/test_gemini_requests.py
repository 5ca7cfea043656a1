"""Which requests are taken, which are refused, and how a refusal reads."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.errors import RequestError, UnsupportedParameter
from cascade.types import (
    Image,
    Message,
    Request,
    ResponseFormat,
    Text,
    Thought,
    ToolCall,
    ToolChoice,
)
from cascade.wire.codec import canonical
from cascade.wire.gemini import decode_request

PATH = "/v1beta/models/auto:generateContent"
HI: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
CALL = {"functionCall": {"id": "c", "name": "f", "args": {}}}


def sent(**fields: Any) -> bytes:
    return json.dumps(HI | fields).encode()


def config(**fields: Any) -> bytes:
    return sent(generationConfig=fields)


def tool(**fields: Any) -> bytes:
    return sent(tools=[{"functionDeclarations": [{"name": "f", **fields}]}])


def calling(**fields: Any) -> bytes:
    return sent(toolConfig={"functionCallingConfig": fields})


def turns(*contents: dict[str, Any]) -> bytes:
    return json.dumps({"contents": contents}).encode()


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "parts": parts}


def model(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "model", "parts": parts}


def result(**fields: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": "f", "response": {"output": "x"}} | fields}


def read(body: bytes, path: str = PATH) -> Request:
    return decode_request(body, path).request


def refusal(body: bytes, path: str = PATH) -> RequestError:
    with pytest.raises(RequestError) as caught:
        decode_request(body, path)
    return caught.value


@pytest.mark.parametrize(
    ("path", "name", "stream"),
    [
        ("/v1beta/models/auto:generateContent", "auto", False),
        ("/v1/models/auto:generateContent", "auto", False),
        ("/v1beta/models/auto:streamGenerateContent", "auto", True),
        ("/v1beta/models/auto:streamGenerateContent?alt=sse", "auto", True),
        ("/proxy/v1beta/models/openai/gpt-5.6-luna:generateContent", "openai/gpt-5.6-luna", False),
        ("/v1beta/models/small%3Alatest:generateContent", "small:latest", False),
        ("/v1beta/tunedModels/mine:generateContent", "tunedModels/mine", False),
    ],
)
def test_the_path_names_model_and_method(path: str, name: str, stream: bool) -> None:
    incoming = decode_request(sent(), path)
    assert (incoming.model, incoming.stream) == (name, stream)


def test_without_a_path_the_body_names_the_model() -> None:
    assert decode_request(sent(model="models/auto")).model == "auto"
    assert refusal(sent(), "").place == "model"


@pytest.mark.parametrize(
    "path",
    ["/v1beta/models/auto", "/v1beta/models/auto:countTokens", "/models/auto:generateContent"],
)
def test_a_path_without_model_or_method_is_refused(path: str) -> None:
    assert refusal(sent(), path).place == "path"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (sent(cachedContent="cachedContents/1"), "cachedContent"),
        (sent(continuationToken="t"), "continuationToken"),
        (sent(tools=[{"googleSearch": {}}]), "tools[0].googleSearch"),
        (sent(tools=[{"codeExecution": {}}]), "tools[0].codeExecution"),
        (sent(tools=[{"urlContext": {}}]), "tools[0].urlContext"),
        (sent(tools=[{"mcpServers": []}]), "tools[0].mcpServers"),
        (sent(toolConfig={"retrievalConfig": {}}), "toolConfig.retrievalConfig"),
        (tool(behavior="NON_BLOCKING"), "tools[0].functionDeclarations[0].behavior"),
        (config(candidateCount=2), "generationConfig.candidateCount"),
        (config(responseModalities=["AUDIO"]), "generationConfig.responseModalities[0]"),
        (config(responseModalities=["TEXT", "TEXT"]), "generationConfig.responseModalities"),
        (config(speechConfig={}), "generationConfig.speechConfig"),
        (config(imageConfig={}), "generationConfig.imageConfig"),
        (config(responseMimeType="text/x.enum"), "generationConfig.responseMimeType"),
        (config(responseFormat={"audio": {}}), "generationConfig.responseFormat.audio"),
        (config(enableEnhancedCivicAnswers=True), "generationConfig.enableEnhancedCivicAnswers"),
        (turns(user({"executableCode": {}})), "contents[0].parts[0].executableCode"),
        (turns(user({"text": "a", "videoMetadata": {}})), "contents[0].parts[0].videoMetadata"),
        (
            turns(user({"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}})),
            "contents[0].parts[0].inlineData.mimeType",
        ),
        (
            turns(user({"fileData": {"mimeType": "application/pdf", "fileUri": "https://e.org"}})),
            "contents[0].parts[0].fileData.mimeType",
        ),
        (
            sent(safetySettings=[{"category": "C", "threshold": "BLOCK_LOW_AND_ABOVE"}]),
            "safetySettings[0].threshold",
        ),
        (calling(mode="ANY", allowedFunctionNames=["f", "g"]), "allowedFunctionNames"),
        (calling(mode="VALIDATED", allowedFunctionNames=["f"]), "allowedFunctionNames"),
        (sent(colour="red"), "colour"),
        (config(max_token=3), "generationConfig.maxToken"),
    ],
)
def test_what_cascade_does_not_know_or_cannot_keep_is_refused_by_name(
    body: bytes, place: str
) -> None:
    error = refusal(body)
    assert isinstance(error, UnsupportedParameter)
    assert error.place.endswith(place)
    assert error.mend


@pytest.mark.parametrize(
    "body",
    [
        sent(labels={"team": "a"}),
        sent(store=False),
        sent(serviceTier="flex"),
        sent(safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]),
        sent(safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]),
        sent(tools=[]),
        sent(tools=[{"googleSearch": None}]),
        sent(toolConfig={}),
        config(candidateCount=1),
        config(responseModalities=["TEXT"]),
        config(mediaResolution="MEDIA_RESOLUTION_LOW"),
        config(thinkingConfig={"includeThoughts": True}),
        config(thinkingConfig={"thinkingBudget": -1}),
        config(responseMimeType=""),
        sent(contents=[{"parts": [{"text": "hi", "partMetadata": {"a": 1}}]}]),
    ],
)
def test_what_changes_no_answer_is_taken_and_dropped(body: bytes) -> None:
    assert msgspec.structs.replace(read(body), ignored=()) == read(sent())


def test_what_nobody_is_sent_is_named() -> None:
    unfiltered = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]
    low = {"mediaResolution": "MEDIA_RESOLUTION_LOW"}
    given = {
        "safetySettings": unfiltered,
        "labels": {"team": "a"},
        "store": False,
        "serviceTier": "flex",
    }
    names = (*given, "mediaResolution")
    assert read(sent(**given, generationConfig=low)).ignored == names
    nulls = dict.fromkeys(given)
    assert read(sent(**nulls, generationConfig=dict.fromkeys(low))).ignored == ()
    assert read(sent(service_tier="flex")).ignored == ("serviceTier",)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b"hello", "body"),
        (b'{"model": "\xff"}', "body"),
        (b"[" * 100_000, "body"),
        (b'{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"topP":NaN}}', "topP"),
        (b"{}", "contents"),
        (sent(contents=[]), "contents"),
        (sent(contents="hi"), "contents"),
        (turns(user()), "contents[0].parts"),
        (turns(user({})), "contents[0].parts[0]"),
        (turns({"role": "assistant", "parts": [{"text": "a"}]}), "contents[0].role"),
        (turns(user({"text": 3})), "contents[0].parts[0].text"),
        (turns(user({"text": "a", **CALL})), "contents[0].parts[0]"),
        (turns(user(CALL)), "contents[0].parts[0].functionCall"),
        (turns(model(result())), "contents[0].parts[0].functionResponse"),
        (turns(user(result())), "contents[0].parts[0].functionResponse.name"),
        (turns(model(CALL), user(result(id="d"))), "contents[1].parts[0].functionResponse.id"),
        (turns(model(CALL), user(result(name="g"))), "contents[1].parts[0].functionResponse.name"),
        (
            turns(model(CALL), user({"functionResponse": {"name": "f"}})),
            "contents[1].parts[0].functionResponse.response",
        ),
        (
            turns(user({"fileData": {"fileUri": "gs://bucket/a.png"}})),
            "contents[0].parts[0].fileData.fileUri",
        ),
        (
            turns(
                user(
                    {
                        "fileData": {
                            "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"
                        }
                    }
                )
            ),
            "contents[0].parts[0].fileData.fileUri",
        ),
        (
            turns(user({"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}})),
            "contents[0].parts[0].fileData.fileUri",
        ),
        (
            sent(systemInstruction={"parts": [{"inlineData": {"mimeType": "a", "data": ""}}]}),
            "systemInstruction.parts[0]",
        ),
        (sent(systemInstruction={"parts": []}), "systemInstruction.parts"),
        (config(temperature=3), "generationConfig.temperature"),
        (config(topK=1.5), "generationConfig.topK"),
        (config(maxOutputTokens=0), "generationConfig.maxOutputTokens"),
        (config(logprobs=3), "generationConfig.logprobs"),
        (config(responseLogprobs=True, logprobs=21), "generationConfig.logprobs"),
        (config(responseSchema={"type": "STRING"}), "generationConfig.responseMimeType"),
        (
            config(responseSchema={}, responseJsonSchema={"a": 1}),
            "generationConfig.responseSchema",
        ),
        (
            config(responseMimeType="text/plain", responseFormat={"text": {}}),
            "generationConfig.responseFormat.text.mimeType",
        ),
        (
            config(responseFormat={"text": {"schema": {"type": "object"}}}),
            "generationConfig.responseFormat.text.mimeType",
        ),
        (
            config(thinkingConfig={"thinkingLevel": "LOW", "thinkingBudget": 1}),
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
        (
            config(thinkingConfig={"thinkingLevel": "WILD"}),
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
        (
            config(thinkingConfig={"thinkingBudget": -2}),
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        (
            tool(parameters={}, parametersJsonSchema={"a": 1}),
            "tools[0].functionDeclarations[0].parameters",
        ),
        (calling(mode="MAYBE"), "toolConfig.functionCallingConfig.mode"),
        (
            calling(mode="AUTO", allowedFunctionNames=["f"]),
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
        (sent(cascade={"max_cost": -1}), "cascade.max_cost"),
        (sent(cascade={"colour": "red"}), "cascade.colour"),
        (sent(generationConfig={}, generation_config={}), "generationConfig"),
    ],
)
def test_a_mistake_is_answered_with_its_place_and_its_mend(body: bytes, place: str) -> None:
    error = refusal(body)
    assert error.place == place
    assert error.problem
    assert error.mend


@given(st.binary() | st.text(st.sampled_from('{}[]",:contents_parts12.eNa')).map(str.encode))
def test_no_bytes_raise_anything_but_a_request_error(body: bytes) -> None:
    with pytest.raises(RequestError):
        decode_request(body, PATH)


def test_fields_may_be_in_snake_case_too_and_the_callers_own_names_stay() -> None:
    schema = {"type": "OBJECT", "properties": {"first_name": {"type": "STRING"}}}
    body = json.dumps(
        {
            "system_instruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                user({"inline_data": {"mime_type": "image/png", "data": "AAAA"}}),
                model({"function_call": {"name": "f", "args": {"first_name": "a"}}}),
                user({"function_response": {"name": "f", "response": {"last_name": "b"}}}),
            ],
            "tools": [{"function_declarations": [{"name": "f", "parameters": schema}]}],
            "tool_config": {"function_calling_config": {"mode": "ANY"}},
            "generation_config": {
                "max_output_tokens": 5,
                "stop_sequences": ["x"],
                "thinking_config": {"thinking_level": "low"},
            },
            "cascade": {"max_cost": 1},
        }
    ).encode()
    request = read(body)
    assert request.messages == (
        Message("system", "Be brief."),
        Message("user", (Image("data:image/png;base64,AAAA"),)),
        Message("assistant", tool_calls=(ToolCall("call_0", "f", '{"first_name":"a"}'),)),
        Message("tool", '{"last_name":"b"}', tool_call_id="call_0"),
    )
    assert request.tools[0].parameters == canonical(
        {"type": "object", "properties": {"first_name": {"type": "string"}}}
    )
    assert request.tool_choice == ToolChoice("required")
    assert (request.max_tokens, request.stop, request.max_cost) == (5, ("x",), 1.0)
    assert request.reasoning_effort == "low"


def test_googles_dialect_of_schemas_becomes_json_schema() -> None:
    dialect = {
        "type": "OBJECT",
        "properties": {
            "name": {"type": "STRING", "nullable": True, "maxLength": "9", "example": "a"},
            "kind": {"type": "STRING", "format": "enum", "enum": ["a", "b"], "nullable": True},
            "any": {"any_of": [{"type": "INTEGER"}, {"type": "STRING"}], "nullable": True},
            "list": {"type": "ARRAY", "items": {"type": "NUMBER"}, "min_items": "1"},
            "free": {"type": "TYPE_UNSPECIFIED", "description": "x"},
            "type": {"type": "BOOLEAN"},
        },
        "required": ["name"],
        "property_ordering": ["name", "kind"],
    }
    wanted = {
        "type": "object",
        "properties": {
            "name": {"type": ["string", "null"], "maxLength": 9, "examples": ["a"]},
            "kind": {"type": ["string", "null"], "format": "enum", "enum": ["a", "b", None]},
            "any": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
            "list": {"type": "array", "items": {"type": "number"}, "minItems": 1},
            "free": {"description": "x"},
            "type": {"type": "boolean"},
        },
        "required": ["name"],
        "propertyOrdering": ["name", "kind"],
    }
    asked = read(config(responseMimeType="application/json", responseSchema=dialect))
    assert asked.response_format == ResponseFormat("json_schema", "answer", canonical(wanted))
    assert read(tool(parameters=dialect)).tools[0].parameters == canonical(wanted)


def test_json_schema_is_taken_as_it_is_from_wherever_it_may_stand() -> None:
    schema = {"type": "object", "properties": {"a_b": {"type": ["string", "null"]}}}
    wanted = ResponseFormat("json_schema", "answer", canonical(schema))
    for name in ("responseJsonSchema", "_responseJsonSchema", "response_json_schema"):
        body = config(responseMimeType="application/json", **{name: schema})
        assert read(body).response_format == wanted
    flat = {"text": {"mimeType": "APPLICATION_JSON", "schema": schema}}
    assert read(config(responseFormat=flat)).response_format == wanted
    assert read(tool(parametersJsonSchema=schema)).tools[0].parameters == canonical(schema)
    plain = {"text": {"mimeType": "TEXT_PLAIN"}}
    assert read(config(responseFormat=plain)).response_format == ResponseFormat("text")


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, ToolChoice("auto")),
        ({"mode": "MODE_UNSPECIFIED"}, ToolChoice("auto")),
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "VALIDATED"}, ToolChoice("auto")),
        ({"mode": "NONE"}, ToolChoice("none")),
        ({"mode": "ANY"}, ToolChoice("required")),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice("function", "f")),
    ],
)
def test_the_calling_mode_is_a_tool_choice(fields: dict[str, Any], choice: ToolChoice) -> None:
    assert read(calling(**fields)).tool_choice == choice


def test_calls_without_ids_get_ids_and_results_find_them_by_name_in_order() -> None:
    def call(name: str, **fields: Any) -> dict[str, Any]:
        return {"functionCall": {"name": name, **fields}}

    body = turns(
        user({"text": "hi"}),
        model(call("f"), call("g"), call("f"), call("f", id="call_1")),
        user(result(name="g"), result(response={"error": "down"}), result(), result(id="call_1")),
        model(call("f")),
        user(result(), {"text": "Go on."}),
    )
    messages = read(body).messages
    assert [call.id for call in messages[1].tool_calls] == ["call_0", "call_2", "call_3", "call_1"]
    assert messages[2:6] == (
        Message("tool", "x", tool_call_id="call_2"),
        Message("tool", "down", tool_call_id="call_0", is_error=True),
        Message("tool", "x", tool_call_id="call_3"),
        Message("tool", "x", tool_call_id="call_1"),
    )
    assert [call.id for call in messages[6].tool_calls] == ["call_4"]
    assert messages[7:] == (Message("tool", "x", tool_call_id="call_4"), Message("user", "Go on."))


def test_what_is_said_between_results_is_a_message_of_its_own() -> None:
    body = turns(model(CALL), user({"text": "a"}, result(id="c"), {"text": "b"}, {"text": "c"}))
    assert read(body).messages[1:] == (
        Message("user", "a"),
        Message("tool", "x", tool_call_id="c"),
        Message("user", (Text("b"), Text("c"))),
    )


def test_images_of_a_result_are_kept() -> None:
    data = {"inlineData": {"mimeType": "image/png", "data": "-_8="}}
    image = Image("data:image/png;base64,+/8=")
    body = turns(model(CALL), user(result(id="c", parts=[data])))
    assert read(body).messages[1].content == (Text("x"), image)


def test_unsigned_thoughts_that_a_client_copies_from_an_answer_are_left_behind() -> None:
    body = turns(
        user({"text": "hi"}),
        model(
            {"text": "Hm.", "thought": True},
            {"text": "4", "thoughtSignature": "AAAA"},
        ),
        model({"text": "Hm.", "thought": True}),
    )
    assert read(body).messages[1:] == (
        Message("assistant", "4", thoughts=(Thought(signature="gemini:AAAA"),)),
        Message("assistant", ""),
    )


def test_the_text_of_a_signed_thought_is_all_that_was_thought_since_the_last() -> None:
    body = turns(
        model(
            {"text": "a", "thought": True},
            {"text": "b", "thought": True, "thoughtSignature": "AAAA"},
            {"text": "c", "thought": True},
            {"thoughtSignature": "BBBB"},
        )
    )
    assert read(body).messages[0].thoughts == (
        Thought("ab", "gemini:AAAA"),
        Thought(signature="gemini:BBBB"),
    )


def test_googles_word_for_an_unchecked_call_is_no_signature() -> None:
    for word in ("skip_thought_signature_validator", "skip/thought/signature/validator"):
        body = turns(model({**CALL, "thoughtSignature": word}))
        assert read(body).messages[0].tool_calls == (ToolCall("c", "f", "{}"),)


def test_the_cascade_object_is_read_into_the_deciding_half() -> None:
    options = {"max_cost": 0.01, "deadline": 20, "quality": "best", "cache": "refresh"}
    incoming = decode_request(sent(cascade=options | {"events": True}), PATH)
    request = incoming.request
    assert (request.max_cost, request.deadline) == (0.01, 20.0)
    assert (request.quality, request.cache) == ("best", "refresh")
    assert incoming.events

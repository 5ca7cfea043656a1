"""An OpenAI client's request answered by Google, and a Google client's by anyone else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given

from cascade.types import Request, Response, ToolCall
from cascade.wire import gemini, openai_chat
from cascade.wire.codec import Asking
from cascade.wire.replay import deltas_of
from cascade.wire.sse import SseReader
from tests.wire.gemini.strategies import requests, responses
from tests.wire.gemini.test_gemini_golden import golden

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
PATH = "/v1beta/models/auto:generateContent"


def test_an_openai_clients_request_reaches_google_with_all_that_it_means() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    format_ = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}
    sent = {
        "model": "auto",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Where?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                ],
            },
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": '{"a": 1}'},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        "tool_choice": "required",
        "response_format": format_,
        "reasoning_effort": "low",
        "max_completion_tokens": 50,
        "stop": "END",
    }
    request = openai_chat.decode_request(json.dumps(sent).encode()).request
    written = gemini.encode_request(request, Asking("gemini-3.8-flash"))
    assert json.loads(written) == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "Where?"},
                    {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {
                        "functionCall": {"id": "c", "name": "f", "args": {"x": 1}},
                        "thoughtSignature": "skip_thought_signature_validator",
                    }
                ],
            },
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": "c",
                            "name": "f",
                            "response": {"output": '{"a": 1}'},
                        }
                    }
                ],
            },
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "maxOutputTokens": 50,
            "stopSequences": ["END"],
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA,
            "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"},
        },
    }


def test_googles_answer_reaches_an_openai_client_whole_and_streamed() -> None:
    answer = gemini.decode_response(golden("answer-parallel-calls.json"))
    whole = json.loads(openai_chat.encode_response(answer))["choices"][0]
    assert whole["finish_reason"] == "tool_calls"
    assert whole["message"]["reasoning_content"].startswith("**Looking up")
    assert [call["id"] for call in whole["message"]["tool_calls"]] == ["call_0", "call_1", "call_2"]

    reader, again = gemini.reader(), openai_chat.reader()
    writer = openai_chat.writer("r", 1, "m", True)
    written = writer.start()
    for event in SseReader().feed(golden("stream-parallel-calls.sse")):
        if (delta := reader.feed(event.data)) is not None:
            written += writer.write(delta)
    written += writer.end(reader.partial().usage)
    for event in SseReader().feed(written):
        again.feed(event.data)
    calls = again.response().message.tool_calls
    assert [call.arguments for call in calls] == ['{"city":"Koblenz"}', '{"city":"Trier"}', "{}"]
    assert again.response().usage == reader.response().usage


def test_a_google_clients_request_reaches_an_openai_provider_with_all_that_it_means() -> None:
    dialect = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}
    sent: dict[str, Any] = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"parts": [{"inlineData": {"mimeType": "image/png", "data": "-_8="}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"x": 1}}}]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"name": "f", "response": {"a": 1}}}],
            },
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": dialect}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseSchema": dialect,
            "thinkingConfig": {"thinkingLevel": "LOW"},
        },
    }
    request = gemini.decode_request(json.dumps(sent).encode(), PATH).request
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,+/8="}}
    function = {"name": "f", "arguments": '{"x":1}'}
    format_ = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
    assert json.loads(openai_chat.encode_request(request, Asking("m"))) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [image]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_0", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": "call_0", "content": '{"a":1}'},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": format_,
        "reasoning_effort": "low",
    }


def test_an_openai_providers_refusal_and_reasoning_reach_a_google_client() -> None:
    message = {"role": "assistant", "refusal": "I will not.", "reasoning_content": "Hm."}
    choice = {"index": 0, "message": message, "finish_reason": "content_filter"}
    answer = openai_chat.decode_response(json.dumps({"choices": [choice]}).encode())
    candidate = json.loads(gemini.encode_response(answer))["candidates"][0]
    assert candidate["content"]["parts"] == [
        {"text": "Hm.", "thought": True},
        {"text": "I will not."},
    ]
    assert candidate["finishReason"] == "SAFETY"


@given(responses())
def test_what_an_openai_client_gets_of_googles_answer_is_the_answer(response: Response) -> None:
    again = openai_chat.decode_response(openai_chat.encode_response(response))
    reader, writer = openai_chat.reader(), openai_chat.writer("r", 1, "m", True)
    written = writer.start() + b"".join(map(writer.write, deltas_of(response)))
    for event in SseReader().feed(written + writer.end(response.usage)):
        reader.feed(event.data)
    for read in (again, reader.response()):
        assert (read.message.text, read.reasoning) == (response.message.text, response.reasoning)
        assert read.message.tool_calls == tuple(
            ToolCall(call.id, call.name, call.arguments) for call in response.message.tool_calls
        )
        finish = response.finish_reason
        expected = (response.usage, "length" if finish == "unknown" else finish)
        assert (read.usage, read.finish_reason) == expected


@given(requests())
def test_a_google_clients_request_passes_through_an_openai_provider_unharmed(
    request: Request,
) -> None:
    read = openai_chat.decode_request(openai_chat.encode_request(request, Asking("m"))).request
    assert [image for message in read.messages for image in message.images] == [
        image for message in request.messages for image in message.images
    ]
    if not any(turn.role == "tool" and turn.images for turn in request.messages):
        # A tool's images follow as the user's: OpenAI has no place for them in a result.
        assert [message.text for message in read.messages] == [
            message.text for message in request.messages
        ]
    assert (read.tools, read.tool_choice, read.response_format) == (
        request.tools,
        request.tool_choice,
        request.response_format,
    )

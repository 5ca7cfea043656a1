"""Google's own package agrees: its types take what we write, and we take what its client sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pydantic
import pytest
from google import genai
from google.genai import errors, types
from hypothesis import given

from cascade.types import (
    Image,
    Message,
    Request,
    Response,
    ResponseFormat,
    Text,
    Thought,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolChoice,
    TopLogprob,
    Usage,
)
from cascade.wire.codec import Asking, Incoming, canonical
from cascade.wire.gemini import (
    decode_request,
    encode_error,
    encode_error_event,
    encode_request,
    encode_response,
)
from cascade.wire.sse import SseReader
from tests.serving import running
from tests.wire.gemini.strategies import requests, responses
from tests.wire.gemini.streams import write_stream

SEAL = "gemini:CsoBAdHtim9x+Yk/Q2Q="
ANSWER = Response(
    message=Message(
        "assistant",
        "It rains.",
        tool_calls=(ToolCall("fc_1", "f", '{"x":1}', SEAL), ToolCall("fc_2", "f", '{"x":2}')),
    ),
    finish_reason="tool_calls",
    model="m",
    id="r1",
    usage=Usage(20, 9, 4, reasoning_tokens=3),
    logprobs=(
        TokenLogprob("It", -0.5, (TopLogprob("It", -0.5), TopLogprob("No", -1.5))),
        TokenLogprob(" rains.", -9999.0),
    ),
    reasoning="Look outside.",
)
Received = list[tuple[str, bytes]]


def validated(body: bytes) -> types.GenerateContentResponse:
    """Read an answer as the client does, except that no unknown field is passed over."""
    return types.GenerateContentResponse.model_validate(json.loads(body))


@given(responses())
def test_the_packages_type_takes_every_answer_we_write(response: Response) -> None:
    read = validated(encode_response(response))
    assert read.candidates is not None
    content = read.candidates[0].content
    assert content is not None
    texts = [part.text for part in content.parts or () if part.text and not part.thought]
    assert "".join(texts) == response.message.text
    calls = read.function_calls or []
    assert [call.name for call in calls] == [call.name for call in response.message.tool_calls]
    assert [canonical(call.args).decode() for call in calls] == [
        call.arguments for call in response.message.tool_calls
    ]


@given(responses())
def test_the_packages_type_takes_every_chunk_we_write(response: Response) -> None:
    chunks = [validated(event.data) for event in SseReader().feed(write_stream(response))]
    ends = [
        candidate.finish_reason
        for chunk in chunks
        for candidate in chunk.candidates or ()
        if candidate.finish_reason is not None
    ]
    assert len(ends) == 1
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason is ends[0]


@given(requests())
def test_the_packages_types_take_every_turn_we_write(request: Request) -> None:
    body = json.loads(encode_request(request, Asking("m")))
    for content in body["contents"]:
        types.Content.model_validate(content)
    for tool in body.get("tools", ()):
        types.Tool.model_validate(tool)
    if "toolConfig" in body:
        types.ToolConfig.model_validate(body["toolConfig"])
    types.GenerationConfig.model_validate(body.get("generationConfig", {}))


Application = Any


def answering(received: Received, fault: bytes | None = None) -> Application:
    """An application that keeps each request and gives the one answer, whole or streamed; with a
    ``fault`` it breaks off."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        received.append((scope["path"], body))
        streamed = decode_request(body, scope["path"]).stream
        kind = b"text/event-stream" if streamed else b"application/json"
        written = write_stream(ANSWER, rung="a") if streamed else encode_response(ANSWER, extra={})
        status = 200
        if fault is not None:
            status = 200 if streamed else 503
            written = written[: written.index(b"\n\n") + 2] if streamed else b""
            written += encode_error_event(fault) if streamed else fault
        headers = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": written})

    return app


@contextmanager
def serving(received: Received, fault: bytes | None = None) -> Iterator[genai.Client]:
    with running(answering(received, fault)) as url:
        options = types.HttpOptions(base_url=url, retry_options=types.HttpRetryOptions(attempts=1))
        client = genai.Client(api_key="k", vertexai=False, http_options=options)
        try:
            yield client
        finally:
            client.close()


class Place(pydantic.BaseModel):
    city: str
    river: str | None = None


def test_what_its_client_sends_is_read_as_the_request_it_means() -> None:
    received: Received = []
    with serving(received) as client:
        client.models.generate_content(
            model="auto",
            contents=[
                types.Content(
                    role="user",
                    parts=[
                        types.Part.from_text(text="Where is this?"),
                        types.Part.from_bytes(data=b"\xfb\xff\xfe", mime_type="image/png"),
                        types.Part.from_uri(file_uri="https://e.org/a.png", mime_type="image/png"),
                    ],
                ),
                types.Content(
                    role="model",
                    parts=[
                        types.Part(
                            function_call=types.FunctionCall(name="f", args={"x": 1}),
                            thought_signature=b"\xfb\xff\xfe",
                        )
                    ],
                ),
                types.Content(
                    role="user",
                    parts=[
                        types.Part.from_function_response(name="f", response={"output": "Koblenz"})
                    ],
                ),
            ],
            config=types.GenerateContentConfig(
                system_instruction="Be brief.",
                tools=[
                    types.Tool(
                        function_declarations=[
                            types.FunctionDeclaration(
                                name="f",
                                description="Looks.",
                                parameters=types.Schema(
                                    type=types.Type.OBJECT,
                                    properties={
                                        "x": types.Schema(type=types.Type.INTEGER, nullable=True)
                                    },
                                    required=["x"],
                                ),
                            )
                        ]
                    )
                ],
                tool_config=types.ToolConfig(
                    function_calling_config=types.FunctionCallingConfig(
                        mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["f"]
                    )
                ),
                automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
                response_mime_type="application/json",
                response_schema=Place,
                max_output_tokens=50,
                temperature=0.5,
                top_p=1,
                top_k=40,
                seed=7,
                stop_sequences=["END"],
                presence_penalty=0,
                response_logprobs=True,
                logprobs=3,
                thinking_config=types.ThinkingConfig(
                    thinking_level=types.ThinkingLevel.LOW, include_thoughts=True
                ),
                safety_settings=[
                    types.SafetySetting(
                        category=types.HarmCategory.HARM_CATEGORY_HARASSMENT,
                        threshold=types.HarmBlockThreshold.BLOCK_NONE,
                    )
                ],
                labels={"team": "a"},
                http_options=types.HttpOptions(
                    extra_body={"cascade": {"max_cost": 0.01, "ladder": "batch"}}
                ),
            ),
        )
    path, body = received[0]
    assert path == "/v1/models/auto:generateContent"
    parameters = {
        "type": "object",
        "properties": {"x": {"type": ["integer", "null"]}},
        "required": ["x"],
    }
    incoming = decode_request(body, path)
    wanted = incoming.request.response_format
    assert wanted is not None
    assert wanted.schema is not None
    assert json.loads(wanted.schema)["properties"]["river"]["type"] == ["string", "null"]
    assert incoming == Incoming(
        model="auto",
        request=Request(
            messages=(
                Message("system", "Be brief."),
                Message(
                    "user",
                    (
                        Text("Where is this?"),
                        Image("data:image/png;base64,+//+"),
                        Image("https://e.org/a.png"),
                    ),
                ),
                Message(
                    "assistant", tool_calls=(ToolCall("call_0", "f", '{"x":1}', "gemini:+//+"),)
                ),
                Message("tool", "Koblenz", tool_call_id="call_0"),
            ),
            tools=(Tool("f", "Looks.", canonical(parameters)),),
            tool_choice=ToolChoice("function", "f"),
            response_format=ResponseFormat("json_schema", "answer", wanted.schema),
            max_tokens=50,
            temperature=0.5,
            top_p=1.0,
            top_k=40,
            seed=7,
            stop=("END",),
            presence_penalty=0.0,
            logprobs=True,
            top_logprobs=3,
            reasoning_effort="low",
            ladder="batch",
            max_cost=0.01,
            ignored=("safetySettings", "labels"),
        ),
    )


def test_its_client_reads_a_whole_answer() -> None:
    with serving([]) as client:
        read = client.models.generate_content(model="auto", contents="hi")
    assert read.candidates is not None
    candidate = read.candidates[0]
    assert candidate.finish_reason is types.FinishReason.STOP
    assert candidate.content is not None
    parts = candidate.content.parts or []
    assert [part.text for part in parts[:2]] == ["Look outside.", "It rains."]
    assert parts[0].thought
    assert [(call.id, call.args) for call in read.function_calls or ()] == [
        ("fc_1", {"x": 1}),
        ("fc_2", {"x": 2}),
    ]
    assert candidate.logprobs_result is not None
    assert candidate.logprobs_result.top_candidates is not None
    assert candidate.logprobs_result.top_candidates[0].candidates is not None
    assert candidate.logprobs_result.top_candidates[0].candidates[1].token == "No"
    usage = read.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.cached_content_token_count) == (20, 4)
    assert (usage.candidates_token_count, usage.thoughts_token_count) == (6, 3)
    assert (read.model_version, read.response_id) == ("m", "r1")


def test_its_client_reads_our_stream_and_keeps_every_part() -> None:
    received: Received = []
    with serving(received) as client:
        chunks = list(client.models.generate_content_stream(model="auto", contents="hi"))
    path, body = received[0]
    assert path == "/v1/models/auto:streamGenerateContent"
    assert decode_request(body, path).stream
    parts = [
        part
        for chunk in chunks
        for candidate in chunk.candidates or ()
        for part in (candidate.content and candidate.content.parts) or ()
    ]
    assert "".join(part.text or "" for part in parts if part.thought) == "Look outside."
    assert "".join(part.text or "" for part in parts if not part.thought) == "It rains."
    calls = [part.function_call for part in parts if part.function_call]
    assert [call.args for call in calls] == [{"x": 1}, {"x": 2}]
    assert chunks[-1].usage_metadata is not None
    assert chunks[-1].usage_metadata.total_token_count == 29


def ask(client: genai.Client, streamed: bool) -> None:
    if streamed:
        list(client.models.generate_content_stream(model="auto", contents="hi"))
    else:
        client.models.generate_content(model="auto", contents="hi")


@pytest.mark.parametrize("streamed", [False, True])
def test_its_client_raises_our_errors_as_its_own(streamed: bool) -> None:
    fault = encode_error("No rung answered.", status=503, type="api_error", code="all_failed")
    with serving([], fault) as client, pytest.raises(errors.ServerError) as caught:
        ask(client, streamed)
    assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")
    assert caught.value.message == "No rung answered."


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_given_back_as_the_next_turn_is_taken(streamed: bool) -> None:
    received: Received = []
    with serving(received) as client:
        chat = client.chats.create(model="auto")
        if streamed:
            list(chat.send_message_stream("hi"))
        else:
            chat.send_message("hi")
        results = [
            types.Part.from_function_response(name="f", response={"output": each}) for each in "ab"
        ]
        chat.send_message(results)
    path, body = received[1]
    messages = decode_request(body, path).request.messages
    said = "".join(message.text for message in messages[1:-2])
    calls = [call for message in messages[1:-2] for call in message.tool_calls]
    assert messages[0] == Message("user", "hi")
    assert (said, tuple(calls)) == (ANSWER.message.content, ANSWER.message.tool_calls)
    assert messages[-2:] == (
        Message("tool", "a", tool_call_id="fc_1"),
        Message("tool", "b", tool_call_id="fc_2"),
    )


def test_another_providers_thought_comes_back_whole_from_its_client() -> None:
    thoughts = (Thought("Hm.", "EqQBCkYIAxgC+/=="), Thought(redacted="EmwKAhgB"))
    answer = Response(
        message=Message("assistant", "Hi.", thoughts=thoughts),
        finish_reason="stop",
        model="m",
        reasoning="Hm.",
    )
    for chunks in ([encode_response(answer)], _datas(write_stream(answer))):
        parts = [part for chunk in chunks for part in _parts(validated(chunk))]
        turn = types.Content(role="model", parts=parts)
        turns = [{"role": "user", "parts": [{"text": "a"}]}, turn.to_json_dict()]
        body = json.dumps({"model": "m", "contents": turns}).encode()
        assert decode_request(body).request.messages[1].thoughts == thoughts


def _datas(stream: bytes) -> list[bytes]:
    return [event.data for event in SseReader().feed(stream)]


def _parts(answer: types.GenerateContentResponse) -> list[types.Part]:
    assert answer.candidates is not None
    content = answer.candidates[0].content
    return list((content and content.parts) or ())

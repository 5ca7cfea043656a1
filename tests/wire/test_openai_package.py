"""The official package agrees: its types take what we write, and we take what its client sends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import openai
import pydantic
import pytest
from hypothesis import given
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from cascade.types import (
    Image,
    Message,
    Request,
    Response,
    ResponseFormat,
    Text,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolChoice,
    TopLogprob,
    Usage,
)
from cascade.wire.codec import Asking, Incoming, canonical
from cascade.wire.openai_chat import decode_request, encode_request, encode_response
from cascade.wire.openai_chat.stream_writer import StreamWriter
from cascade.wire.replay import deltas_of
from cascade.wire.sse import SseReader
from tests.wire.strategies import requests, responses

OURS = {"reasoning_content", "cascade", "cache_write_tokens"}
PARAMETERS: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(CompletionCreateParamsStreaming)
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
ANSWER = Response(
    message=Message("assistant", "It rains.", tool_calls=(ToolCall("call_1", "f", '{"x":1}'),)),
    finish_reason="tool_calls",
    model="m",
    id="chatcmpl-1",
    created=1_790_000_000,
    usage=Usage(20, 9, 4, 2, 3),
    logprobs=(
        TokenLogprob("It", -0.5, (TopLogprob("It", -0.5), TopLogprob("No", -1.5))),
        TokenLogprob(" rains.", -9999.0),
    ),
    reasoning="Look outside.",
)


def unknown_keys(value: object) -> set[str]:
    """The keys that the package's types do not know, at any depth."""
    if isinstance(value, list):
        return {key for each in value for key in unknown_keys(each)}
    if not isinstance(value, pydantic.BaseModel):
        return set()
    inner = [getattr(value, name) for name in type(value).model_fields]
    return set(value.model_extra or {}) | unknown_keys(inner)


def known(response: Response) -> Response:
    """The same answer with a finish reason that the protocol lists."""
    if response.finish_reason == "unknown":
        return msgspec.structs.replace(response, finish_reason="stop")
    return response


def stream_of(response: Response, *, include_usage: bool = True) -> bytes:
    writer = StreamWriter(response.id, response.created, response.model, include_usage)
    deltas = b"".join(map(writer.write, deltas_of(response)))
    return writer.start() + deltas + writer.end(response.usage, {"cost_usd": 0.25})


def consumed(value: Any) -> Any:
    """Walk what the package declares as iterables, which are checked only when walked."""
    if isinstance(value, dict):
        return {key: consumed(each) for key, each in value.items()}
    return [consumed(each) for each in value] if isinstance(value, Iterator | list) else value


@given(responses().map(known))
def test_the_packages_type_takes_every_answer_we_write(response: Response) -> None:
    body = encode_response(response, extra={"cost_usd": 0.25})
    read = ChatCompletion.model_validate_json(body, strict=True)
    assert unknown_keys(read) <= OURS
    assert read.choices[0].message.content == response.message.content


@given(responses(streamed=True).map(known))
def test_the_packages_type_takes_every_chunk_we_write_and_its_helper_adds_them_up(
    response: Response,
) -> None:
    state = ChatCompletionStreamState()
    for event in SseReader().feed(stream_of(response))[:-1]:
        chunk = ChatCompletionChunk.model_validate_json(event.data, strict=True)
        assert unknown_keys(chunk) <= OURS
        state.handle_chunk(chunk)
    total = state.current_completion_snapshot  # the helper's end raises on length and filters
    message = total.choices[0].message
    assert (message.content or None) == response.message.content
    assert message.refusal == response.message.refusal
    assert total.choices[0].finish_reason == response.finish_reason
    calls = [
        ToolCall(call.id, call.function.name, call.function.arguments)
        for call in message.tool_calls or []
    ]
    assert tuple(calls) == response.message.tool_calls


@given(requests())
def test_the_packages_parameters_take_every_request_we_write(request: Request) -> None:
    body = json.loads(encode_request(request, Asking("m", stream=True, lacks=frozenset({"top_k"}))))
    read = consumed(PARAMETERS.validate_python(body))
    assert read.keys() == body.keys()


Application = Any
Received = list[bytes]


def answering(received: Received) -> Application:
    """An application that keeps each body and gives the one answer, whole or streamed."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        received.append(body)
        streamed = decode_request(body).stream
        kind = b"text/event-stream" if streamed else b"application/json"
        headers = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        given_body = stream_of(ANSWER) if streamed else encode_response(ANSWER, extra={"rung": "a"})
        await send({"type": "http.response.body", "body": given_body})

    return app


@asynccontextmanager
async def serving(received: Received) -> AsyncIterator[openai.AsyncOpenAI]:
    from tests.serving import running

    with running(answering(received)) as url:
        client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)
        async with client:
            yield client


@pytest.mark.anyio
async def test_what_its_client_sends_is_read_as_the_request_it_means() -> None:
    received: Received = []
    async with serving(received) as client:
        await client.chat.completions.create(
            model="auto",
            messages=[
                {"role": "developer", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Where is this?"},
                        {
                            "type": "image_url",
                            "image_url": {"url": "https://e.org/a.png", "detail": "low"},
                        },
                    ],
                },
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": "call_0",
                            "type": "function",
                            "function": {"name": "f", "arguments": "{}"},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "call_0", "content": "Koblenz"},
            ],
            tools=[
                {
                    "type": "function",
                    "function": {"name": "f", "parameters": SCHEMA, "strict": True},
                }
            ],
            tool_choice={"type": "function", "function": {"name": "f"}},
            parallel_tool_calls=False,
            response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}},
            max_completion_tokens=50,
            temperature=0.5,
            top_p=1,
            seed=7,
            stop=["END"],
            presence_penalty=0,
            logit_bias={"50256": -100},
            logprobs=True,
            top_logprobs=3,
            reasoning_effort="low",
            user="u",
            metadata={"trace": "1"},
            store=False,
            n=1,
            extra_body={"cascade": {"max_cost": 0.01, "ladder": "batch"}},
        )
    assert decode_request(received[0]) == Incoming(
        model="auto",
        request=Request(
            messages=(
                Message("developer", "Be brief."),
                Message("user", (Text("Where is this?"), Image("https://e.org/a.png", "low"))),
                Message("assistant", tool_calls=(ToolCall("call_0", "f", "{}"),)),
                Message("tool", "Koblenz", tool_call_id="call_0"),
            ),
            tools=(Tool("f", parameters=canonical(SCHEMA), strict=True),),
            tool_choice=ToolChoice("function", "f"),
            parallel_tool_calls=False,
            response_format=ResponseFormat("json_schema", "s", canonical(SCHEMA)),
            max_tokens=50,
            temperature=0.5,
            top_p=1.0,
            seed=7,
            stop=("END",),
            presence_penalty=0.0,
            logit_bias=(("50256", -100.0),),
            logprobs=True,
            top_logprobs=3,
            reasoning_effort="low",
            user="u",
            ladder="batch",
            max_cost=0.01,
            ignored=("metadata", "store"),
        ),
    )


@pytest.mark.anyio
async def test_its_client_reads_a_whole_answer() -> None:
    async with serving([]) as client:
        read = await client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "hi"}]
        )
    choice = read.choices[0]
    assert choice.message.content == "It rains."
    assert choice.logprobs is not None
    assert choice.logprobs.content is not None
    assert choice.logprobs.content[0].top_logprobs[1].token == "No"
    assert read.usage is not None
    assert read.usage.total_tokens == 29
    assert read.usage.model_extra == {"cascade": {"rung": "a"}}
    assert read.model_extra == {"cascade": {"rung": "a"}}


@pytest.mark.anyio
async def test_its_streaming_helper_reads_our_stream_and_keeps_every_part() -> None:
    received: Received = []
    kinds: set[str] = set()
    async with serving(received) as client:
        asked = client.chat.completions.stream(
            model="auto",
            messages=[{"role": "user", "content": "hi"}],
            stream_options={"include_usage": True},
        )
        async with asked as stream:
            async for event in stream:
                kinds.add(event.type)
            total = await stream.get_final_completion()
    incoming = decode_request(received[0])
    assert (incoming.stream, incoming.include_usage) == (True, True)
    assert {
        "content.delta",
        "tool_calls.function.arguments.done",
        "logprobs.content.delta",
    } <= kinds
    message = total.choices[0].message
    assert message.content == "It rains."
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.arguments == '{"x":1}'
    assert total.usage is not None
    assert total.usage.prompt_tokens == 20


@pytest.mark.anyio
async def test_an_answer_given_back_as_the_next_turn_is_taken() -> None:
    received: Received = []
    async with serving(received) as client:
        first = await client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "hi"}]
        )
        turns: Any = [first.choices[0].message, first.choices[0].message.model_dump()]
        await client.chat.completions.create(model="auto", messages=turns)
    assert decode_request(received[1]).request.messages == (ANSWER.message, ANSWER.message)

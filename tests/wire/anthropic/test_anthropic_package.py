"""The official package agrees: its types take what we write, and we take what its client sends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, get_type_hints

import anthropic
import msgspec
import pydantic
import pytest
from anthropic.types import Message as PackageMessage
from anthropic.types import MessageCreateParams, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsBase
from hypothesis import given

from cascade.types import (
    Image,
    Message,
    Request,
    Response,
    ResponseFormat,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)
from cascade.wire.anthropic import (
    decode_request,
    encode_error,
    encode_error_event,
    encode_request,
    encode_response,
)
from cascade.wire.anthropic.request_shapes import Body
from cascade.wire.codec import Asking, Incoming, canonical
from cascade.wire.sse import SseReader
from tests.wire.anthropic.strategies import requests, responses
from tests.wire.anthropic.streams import write_stream

OURS = {"cascade"}
NOT_IN_THE_STREAM = {"cache_creation"}  # the package's delta leaves it out; the bill needs it
PARAMETERS: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(MessageCreateParams)
EVENTS: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(RawMessageStreamEvent)
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
ANSWER = Response(
    message=Message(
        "assistant",
        "It rains.",
        tool_calls=(ToolCall("toolu_1", "f", '{"x":1}'), ToolCall("toolu_2", "g", "{}")),
        thoughts=(Thought("Look outside.", "c2ln"), Thought(redacted="b3BhcXVl")),
    ),
    finish_reason="tool_calls",
    model="m",
    id="msg_1",
    usage=Usage(20, 9, 4, 3, 5, 2),
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


def consumed(value: Any) -> Any:
    """Walk what the package declares as iterables, which are checked only when walked."""
    if isinstance(value, dict):
        return {key: consumed(each) for key, each in value.items()}
    return [consumed(each) for each in value] if isinstance(value, Iterator | list) else value


@given(responses())
def test_the_packages_type_takes_every_answer_we_write(response: Response) -> None:
    body = encode_response(response, extra={"cost_usd": 0.25})
    read = PackageMessage.model_validate_json(body, strict=True)
    assert unknown_keys(read) <= OURS
    assert [block.name for block in read.content if block.type == "tool_use"] == [
        call.name for call in response.message.tool_calls
    ]


@given(responses())
def test_the_packages_types_take_every_event_we_write(response: Response) -> None:
    for event in SseReader().feed(write_stream(response)):
        read = EVENTS.validate_json(event.data, strict=True)
        assert read.type == event.event
        assert unknown_keys(read) <= OURS | NOT_IN_THE_STREAM


@given(requests())
def test_the_packages_parameters_take_every_request_we_write(request: Request) -> None:
    lacks = frozenset({"temperature", "top_p", "top_k"})
    body = json.loads(encode_request(request, Asking("m", stream=True, lacks=lacks)))
    read = consumed(PARAMETERS.validate_python(body))
    assert read.keys() == body.keys()


@pytest.mark.parametrize("field", sorted(get_type_hints(MessageCreateParamsBase)))
def test_every_parameter_of_the_package_is_known(field: str) -> None:
    assert field in {each.encode_name for each in msgspec.structs.fields(Body)}


Application = Any
Received = list[bytes]


def answering(received: Received, streamed: bytes, status: int) -> Application:
    """An application that keeps each body and gives the one answer, whole or streamed."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        received.append(body)
        stream = decode_request(body).stream and status == 200
        kind = b"text/event-stream" if stream else b"application/json"
        headers = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        whole = encode_response(ANSWER, extra={"rung": "a"})
        if status != 200:
            whole = encode_error("no more", status=status, type="t", code="budget_exceeded")
        await send({"type": "http.response.body", "body": streamed if stream else whole})

    return app


@asynccontextmanager
async def serving(
    received: Received, streamed: bytes = b"", status: int = 200
) -> AsyncIterator[anthropic.AsyncAnthropic]:
    from tests.serving import running

    app = answering(received, streamed or write_stream(ANSWER), status)
    with running(app) as url:
        client = anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0)
        async with client:
            yield client


HI: Any = [{"role": "user", "content": "hi"}]
MARK: Any = {"type": "ephemeral"}


@pytest.mark.anyio
async def test_what_its_client_sends_is_read_as_the_request_it_means() -> None:
    received: Received = []
    async with serving(received) as client:
        await client.messages.create(
            model="auto",
            max_tokens=4000,
            system=[{"type": "text", "text": "Be brief.", "cache_control": MARK | {"ttl": "1h"}}],
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Where is this?", "cache_control": MARK},
                        {
                            "type": "image",
                            "source": {
                                "type": "base64",
                                "media_type": "image/png",
                                "data": "iVBORw0KGgo=",
                            },
                        },
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                        {"type": "text", "text": "Let me look."},
                        {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": 2}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "t1",
                            "content": [{"type": "text", "text": "no such place"}],
                            "is_error": True,
                        },
                        {"type": "text", "text": "Go on."},
                    ],
                },
                {"role": "system", "content": "The user is in a hurry."},
            ],
            tools=[
                {
                    "name": "f",
                    "description": "Find it",
                    "input_schema": SCHEMA,
                    "strict": True,
                    "cache_control": MARK,
                }
            ],
            tool_choice={"type": "auto", "disable_parallel_tool_use": True},
            thinking={"type": "enabled", "budget_tokens": 2048},
            output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
            stop_sequences=["END"],
            metadata={"user_id": "u"},
            service_tier="auto",
            extra_body={"cascade": {"max_cost": 0.01, "ladder": "batch"}},
        )
    assert decode_request(received[0]) == Incoming(
        model="auto",
        include_usage=True,
        request=Request(
            messages=(
                Message("system", (Text("Be brief.", "1h"),)),
                Message(
                    "user",
                    (Text("Where is this?", "5m"), Image("data:image/png;base64,iVBORw0KGgo=")),
                ),
                Message(
                    "assistant",
                    "Let me look.",
                    tool_calls=(ToolCall("t1", "f", '{"b":1,"a":2}'),),
                    thoughts=(Thought("Hm.", "c2ln"),),
                ),
                Message("tool", (Text("no such place"),), tool_call_id="t1", is_error=True),
                Message("user", (Text("Go on."),)),
                Message("system", "The user is in a hurry."),
            ),
            tools=(Tool("f", "Find it", canonical(SCHEMA), True, "5m"),),
            tool_choice=ToolChoice("auto"),
            parallel_tool_calls=False,
            response_format=ResponseFormat("json_schema", "answer", canonical(SCHEMA)),
            max_tokens=4000,
            stop=("END",),
            reasoning_budget=2048,
            user="u",
            ladder="batch",
            max_cost=0.01,
            ignored=("service_tier",),
        ),
    )


@pytest.mark.anyio
async def test_its_client_reads_a_whole_answer() -> None:
    async with serving([]) as client:
        read = await client.messages.create(model="auto", max_tokens=9, messages=HI)
    assert [block.type for block in read.content] == [
        "thinking",
        "redacted_thinking",
        "text",
        "tool_use",
        "tool_use",
    ]
    assert read.stop_reason == "tool_use"
    usage = read.usage
    assert (usage.input_tokens, usage.output_tokens) == (13, 9)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (4, 3)
    assert usage.model_extra == {"cascade": {"rung": "a"}}
    assert read.model_extra == {"cascade": {"rung": "a"}}


@pytest.mark.anyio
async def test_its_streaming_helper_adds_our_stream_up_to_the_whole_answer() -> None:
    received: Received = []
    kinds: set[str] = set()
    async with serving(received) as client:
        whole = await client.messages.create(model="auto", max_tokens=9, messages=HI)
        async with client.messages.stream(model="auto", max_tokens=9, messages=HI) as stream:
            async for event in stream:
                kinds.add(event.type)
            total = await stream.get_final_message()
    assert decode_request(received[1]).stream
    assert {"text", "thinking", "signature", "input_json", "content_block_stop"} <= kinds
    known = {"id", "role", "content", "stop_reason", "stop_sequence"}
    assert total.model_dump(include=known) == whole.model_dump(include=known)
    for name in ("input_tokens", "output_tokens", "cache_read_input_tokens"):
        assert getattr(total.usage, name) == getattr(whole.usage, name)


@pytest.mark.anyio
async def test_an_answer_given_back_as_the_next_turn_is_taken() -> None:
    received: Received = []
    async with serving(received) as client:
        first = await client.messages.create(model="auto", max_tokens=9, messages=HI)
        turns: Any = [
            first.to_param(),
            {"role": "assistant", "content": first.model_dump()["content"]},
        ]
        await client.messages.create(model="auto", max_tokens=9, messages=turns)
    assert decode_request(received[1]).request.messages == (ANSWER.message, ANSWER.message)


@pytest.mark.anyio
async def test_its_client_raises_what_an_error_body_means() -> None:
    async with serving([], status=402) as client:
        with pytest.raises(anthropic.APIStatusError) as caught:
            await client.messages.create(model="auto", max_tokens=9, messages=HI)
    assert (caught.value.type, caught.value.error_code) == ("billing_error", "budget_exceeded")
    assert caught.value.api_message == "no more"


@pytest.mark.anyio
async def test_its_client_raises_when_a_stream_ends_with_an_error_event() -> None:
    opening = write_stream(ANSWER).partition(b"event: content_block_stop")[0]
    broken = opening + encode_error_event(encode_error("it broke", status=500, type="server_error"))
    async with serving([], broken) as client:
        stream = await client.messages.create(model="auto", max_tokens=9, messages=HI, stream=True)
        with pytest.raises(anthropic.APIStatusError, match="it broke"):
            async for _ in stream:
                pass

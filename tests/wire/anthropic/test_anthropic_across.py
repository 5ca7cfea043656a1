"""A client of one protocol and a provider of another: nothing that both can say is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cascade.types import Delta
from cascade.wire import anthropic, openai_chat
from cascade.wire.codec import Asking, Codec, Reader
from cascade.wire.sse import SseReader
from tests.wire.anthropic.test_anthropic_golden import golden

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
PNG = "iVBORw0KGgo="


def asked(client: Codec, provider: Codec, body: dict[str, Any]) -> dict[str, Any]:
    """What a client's request becomes for a provider."""
    incoming = client.decode_request(json.dumps(body).encode())
    found: dict[str, Any] = json.loads(provider.encode_request(incoming.request, Asking("m")))
    return found


def answered(provider: Codec, client: Codec, body: bytes) -> dict[str, Any]:
    """What a provider's answer becomes for a client."""
    found: dict[str, Any] = json.loads(client.encode_response(provider.decode_response(body)))
    return found


def passed_on(provider: Codec, client: Codec, written: bytes) -> tuple[Reader, bytes]:
    """What a provider's stream becomes for a client, delta by delta."""
    reader, writer = provider.reader(), client.writer("a", 1, "m", include_usage=True)
    out = writer.start()
    for event in SseReader().feed(written):
        out += writer.write(reader.feed(event.data) or Delta())
    return reader, out + writer.end(reader.partial().usage)


def test_an_openai_clients_conversation_is_written_for_anthropic() -> None:
    body = asked(
        openai_chat,
        anthropic,
        {
            "model": "auto",
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Where is this?"},
                        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "find", "arguments": '{"city": "Trier"}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "found"},
            ],
            "tools": [
                {"type": "function", "function": {"name": "find", "parameters": SCHEMA}},
            ],
            "tool_choice": "auto",
            "parallel_tool_calls": False,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "place", "schema": SCHEMA, "strict": True},
            },
            "max_completion_tokens": 300,
            "temperature": 0.5,
            "stop": "END",
            "seed": 7,
            "user": "u",
        },
    )
    assert body == {
        "model": "m",
        "max_tokens": 300,
        "system": "Be brief.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Where is this?"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool_use",
                        "id": "call_1",
                        "name": "find",
                        "input": {"city": "Trier"},
                    }
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "found"}],
            },
        ],
        "tools": [{"name": "find", "input_schema": SCHEMA}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "stop_sequences": ["END"],
        "temperature": 0.5,
        "metadata": {"user_id": "u"},
    }


def test_an_anthropic_clients_conversation_is_written_for_openai() -> None:
    body = asked(
        anthropic,
        openai_chat,
        {
            "model": "auto",
            "max_tokens": 300,
            "system": [
                {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
            ],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                        }
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                        {"type": "text", "text": "Let me look."},
                        {
                            "type": "tool_use",
                            "id": "toolu_1",
                            "name": "find",
                            "input": {"city": "Trier"},
                        },
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "found"},
                        {"type": "text", "text": "Go on."},
                    ],
                },
            ],
            "tools": [{"name": "find", "input_schema": SCHEMA}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        },
    )
    url = f"data:image/png;base64,{PNG}"
    assert body["messages"] == [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]},
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [
                {
                    "id": "toolu_1",
                    "type": "function",
                    "function": {"name": "find", "arguments": '{"city": "Trier"}'},
                }
            ],
        },
        {"role": "tool", "content": "found", "tool_call_id": "toolu_1"},
        {"role": "user", "content": [{"type": "text", "text": "Go on."}]},
    ]
    assert body["tools"][0]["function"] == {"name": "find", "parameters": SCHEMA}
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA},
    }


def test_an_answer_of_anthropics_is_a_chat_completion() -> None:
    body = answered(anthropic, openai_chat, golden("tools.json"))
    choice = body["choices"][0]
    assert choice["message"]["content"] == "Both at once."
    assert [call["function"]["arguments"] for call in choice["message"]["tool_calls"]] == [
        '{"city": "Koblenz"}',
        '{"city": "Trier"}',
    ]
    assert choice["finish_reason"] == "tool_calls"
    cached = answered(anthropic, openai_chat, golden("cache.json"))["usage"]
    assert (cached["prompt_tokens"], cached["total_tokens"]) == (1384, 1392)
    assert cached["prompt_tokens_details"] == {"cached_tokens": 1024, "cache_write_tokens": 300}


@pytest.mark.parametrize("name", ["refusal.json", "stream-refusal.sse"])
def test_a_refusal_of_anthropics_is_one_for_an_openai_client(name: str) -> None:
    if name.endswith(".json"):
        body = answered(anthropic, openai_chat, golden(name))
    else:
        reader, _ = passed_on(anthropic, openai_chat, golden(name))
        body = json.loads(openai_chat.encode_response(reader.response()))
    choice = body["choices"][0]
    assert choice["message"]["content"] is None
    assert choice["message"]["refusal"] == "I can't help with that."
    assert choice["finish_reason"] == "content_filter"


def test_an_answer_of_openais_is_a_message() -> None:
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "content": None,
                        "refusal": None,
                        "tool_calls": [
                            {"id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}
                        ],
                    },
                    "finish_reason": "tool_calls",
                }
            ],
            "usage": {
                "prompt_tokens": 30,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 10},
            },
        }
    ).encode()
    message = answered(openai_chat, anthropic, body)
    assert message["content"] == [
        {
            "type": "tool_use",
            "id": "c",
            "name": "f",
            "input": {"a": 1},
            "caller": {"type": "direct"},
        }
    ]
    assert message["stop_reason"] == "tool_use"
    assert (message["usage"]["input_tokens"], message["usage"]["cache_read_input_tokens"]) == (
        20,
        10,
    )


@pytest.mark.parametrize("name", ["stream-tools.sse", "stream-cache.sse", "stream-thinking.sse"])
def test_a_stream_of_anthropics_is_one_for_an_openai_client(name: str) -> None:
    reader, written = passed_on(anthropic, openai_chat, golden(name))
    given = reader.response()
    again, _ = passed_on(openai_chat, openai_chat, written)
    taken = again.response()
    assert taken.message.content == given.message.content
    assert taken.message.tool_calls == given.message.tool_calls
    assert (taken.finish_reason, taken.reasoning) == (given.finish_reason, given.reasoning)


def test_a_stream_of_openais_is_one_for_an_anthropic_client() -> None:
    path = "../openai-stream-tools.txt"
    reader, written = passed_on(openai_chat, anthropic, golden(path))
    again, _ = passed_on(anthropic, anthropic, written)
    given, taken = reader.response(), again.response()
    assert taken.message.tool_calls == given.message.tool_calls
    assert taken.finish_reason == "tool_calls"

"""What providers send, as they send it, and what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade.types import (
    FinishReason,
    Kind,
    Message,
    Response,
    TokenLogprob,
    ToolCall,
    TopLogprob,
    Usage,
)
from cascade.wire.failures import classify
from cascade.wire.openai_chat import decode_response, encode_response
from cascade.wire.openai_chat.stream import StreamReader
from cascade.wire.sse import SseReader

GOLDEN = Path(__file__).parent / "golden"
BOTH = (
    ToolCall("call_1", "weather", '{"city":"Koblenz"}'),
    ToolCall("call_2", "weather", '{"city":"Trier"}'),
)


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def streamed(name: str) -> Response:
    reader = StreamReader()
    for event in SseReader().feed(golden(name)):
        reader.feed(event.data)
    assert reader.done
    return reader.response()


def read(name: str) -> Response:
    return streamed(name) if name.endswith(".txt") else decode_response(golden(name))


def said(text: str | None, calls: tuple[ToolCall, ...] = (), refusal: str | None = None) -> Message:
    return Message("assistant", text, tool_calls=calls, refusal=refusal)


ANSWERS: list[tuple[str, Message, FinishReason, Usage | None, str]] = [
    ("openai-plain.json", said("Rhine and Moselle."), "stop", Usage(1212, 40, 1024, 128, 32), ""),
    ("openai-tools.json", said(None, BOTH), "tool_calls", Usage(82, 17), ""),
    (
        "openai-refusal.json",
        said(None, refusal="I'm sorry, I cannot assist with that request."),
        "stop",
        Usage(81, 11),
        "",
    ),
    ("openai-logprobs.json", said("Yes!"), "length", Usage(9, 2), ""),
    ("openai-stream.txt", said("Rhine and Moselle."), "stop", Usage(1212, 6, 1024, 128), ""),
    ("openai-stream-tools.txt", said(None, BOTH), "tool_calls", None, ""),
    ("azure-stream.txt", said("Hello"), "content_filter", None, ""),
    ("mistral-usage-zero.json", said("Bonjour"), "length", None, ""),
    ("mistral-thinking.json", said("4"), "stop", Usage(10, 20), "Two and two."),
    ("vllm-reasoning.json", said("\n\n4"), "stop", Usage(15, 25), "The user asks for a number."),
    ("vllm-stream-no-usage.txt", said("4"), "stop", None, "Hm."),
    ("ollama-plain.json", said("4"), "stop", Usage(26, 12), "Easy."),
    (
        "ollama-stream-tools.txt",
        said(
            None,
            (
                ToolCall("call_x", "weather", '{"city":"Koblenz"}'),
                ToolCall("call_y", "weather", '{"city":"Trier"}'),
            ),
        ),
        "tool_calls",
        None,
        "",
    ),
    (
        "deepseek-reasoning.json",
        said("9.8 is greater."),
        "stop",
        Usage(84, 50, 64, 0, 41),
        "Compare 0.11 and 0.8.",
    ),
    ("deepseek-cache-hit-only.json", said("Hi."), "stop", Usage(84, 3, 64), ""),
]


@pytest.mark.parametrize(
    ("name", "message", "finish", "usage", "reasoning"), ANSWERS, ids=[each[0] for each in ANSWERS]
)
def test_a_providers_answer_is_read_for_what_it_is(
    name: str, message: Message, finish: FinishReason, usage: Usage | None, reasoning: str
) -> None:
    response = read(name)
    assert response.message == message
    assert response.finish_reason == finish
    assert response.usage == usage
    assert response.reasoning == reasoning
    assert response.id
    assert response.model
    assert response.created >= 1_790_000_000


def test_log_probabilities_come_with_their_rivals_and_their_sentinel() -> None:
    assert read("openai-logprobs.json").logprobs == (
        TokenLogprob("Yes", -0.125, (TopLogprob("Yes", -0.125), TopLogprob("No", -2.25))),
        TokenLogprob("!", -9999.0, (TopLogprob(".", -0.0000012),)),
    )


@pytest.mark.parametrize(
    "name",
    [
        "llamacpp-chat-logprobs.json",
        "llamacpp-stream-logprobs.txt",
        "llamacpp-stream-multibyte.txt",
    ],
)
def test_a_recorded_llamacpp_answer_has_text_tokens_and_an_end(name: str) -> None:
    response = read(name)
    assert response.logprobs
    assert "".join(token.token for token in response.logprobs) == response.message.text
    assert all(token.top and token.logprob <= 0 for token in response.logprobs)
    assert response.finish_reason in ("stop", "length")


def test_a_recorded_llamacpp_answer_says_the_same_streamed_and_whole() -> None:
    whole, stream = read("llamacpp-chat-logprobs.json"), read("llamacpp-stream-logprobs.txt")
    assert stream.message == whole.message
    assert stream.logprobs is not None
    assert whole.logprobs is not None
    # The whole answer lists the end-of-text token too, as an empty text.
    tokens = [each.token for each in whole.logprobs if each.token]
    assert [each.token for each in stream.logprobs] == tokens


def test_a_recorded_llamacpp_context_overflow_is_too_long() -> None:
    failure = classify(400, {}, golden("llamacpp-error-context.json"), 0)
    assert failure.kind is Kind.TOO_LONG
    assert "4096 tokens" in failure.message


@pytest.mark.parametrize(
    "name", sorted(path.name for path in GOLDEN.glob("*.json") if "-error-" not in path.name)
)
def test_every_recorded_answer_survives_being_written_again(name: str) -> None:
    response = read(name)
    assert decode_response(encode_response(response)) == response

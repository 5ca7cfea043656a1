"""Token counts: a bound that needs no vocabulary, and OpenAI's vocabulary without a download."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import string
from importlib import import_module

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.tools.pack_ranks import pack
from cascade import tokens
from cascade.types import (
    Image,
    Message,
    Request,
    Response,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
)
from tests.recorded import recording

texts = st.one_of(st.text(max_size=300), st.text(string.ascii_letters + " \n", max_size=300))


def asked(*contents: str) -> Request:
    return Request(messages=tuple(Message(role="user", content=text) for text in contents))


def rank_file() -> bytes:
    lines = (base64.b64encode(token) + b" %d\n" % rank for token, rank in tokens.ranks().items())
    return b"".join(lines)


def test_the_shipped_ranks_are_tiktokens_own_file() -> None:
    assert hashlib.sha256(rank_file()).hexdigest() == tokens.SOURCE_SHA256


def test_the_constant_and_the_pattern_are_tiktokens(monkeypatch: pytest.MonkeyPatch) -> None:
    openai_public = import_module("tiktoken_ext.openai_public")  # it has no types
    asked_for: list[str] = []

    def load(_url: str, expected_hash: str) -> dict[bytes, int]:
        asked_for.append(expected_hash)
        return {}

    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", load)
    theirs = openai_public.o200k_base()
    assert asked_for == [tokens.SOURCE_SHA256]
    assert theirs["pat_str"] == tokens._PATTERN


def test_only_tiktokens_file_is_packed() -> None:
    with pytest.raises(ValueError, match="sha256 differs"):
        pack(b"IQ== 0\n")


def test_damaged_ranks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_PACKED_SHA256", "0" * 64)
    with pytest.raises(OSError, match="install cascade-engine again"):
        tokens.ranks()


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("hello world", 2), ("<|endoftext|>", 7), ("🙂", 1), ("\ud800", 1)],
)
def test_known_texts_have_known_counts(text: str, count: int) -> None:
    assert tokens.count(text) == count


@pytest.mark.parametrize("letter", [" ", "\n", "a", "!"])
def test_a_long_run_of_one_letter_is_counted(letter: str) -> None:
    assert 0 < tokens.count(letter * 1_000_000) < 200_000


@given(texts)
def test_a_count_is_within_the_bytes(text: str) -> None:
    assert tokens.count(text) <= len(text.encode("utf-8", "surrogatepass"))


@given(st.lists(texts, max_size=4))
def test_the_bound_of_a_request_bounds_its_count(contents: list[str]) -> None:
    request = asked(*contents)
    assert tokens.count_request(request) <= tokens.input_bound(request)


@given(texts, texts, texts, st.binary(max_size=100))
def test_all_that_is_sent_is_in_the_bound(a: str, b: str, c: str, schema: bytes) -> None:
    call = ToolCall(id="call_1", name="look_up", arguments=a)
    request = Request(
        messages=(
            Message(role="user", content=(Text(text=b), Image(url="https://example.com/a.png"))),
            Message(role="assistant", tool_calls=(call,), refusal=c),
            Message(role="tool", tool_call_id="call_1", content=c, name="x"),
        ),
        tools=(Tool(name="look_up", description=a, parameters=schema),),
        response_format=ResponseFormat(kind="json_schema", name="n", schema=schema),
    )
    sent = len((a + b + c + c + a).encode("utf-8", "surrogatepass")) + 2 * len(schema)
    assert tokens.input_bound(request) >= sent + len("call_1look_upcall_1xlook_upn")
    assert tokens.count_request(request) <= tokens.input_bound(request)


def test_an_estimate_of_a_request_is_its_words_and_a_usual_overhead() -> None:
    question = asked("hello world")
    assert tokens.estimate_request(question) == 3 + 4 + 2
    assert tokens.estimate_request(asked("hello world", "hello")) == 3 + 4 + 2 + 4 + 1
    tool = Tool(name="weather", description="Tells it.", parameters=b'{"type":"object"}')
    words = sum(map(tokens.count, ("weather", "Tells it.", '{"type":"object"}')))
    with_tool = msgspec.structs.replace(question, tools=(tool,))
    assert tokens.estimate_request(with_tool) == 3 + 4 + 2 + 8 + words < 50
    call = ToolCall(id="c", name="weather", arguments="{}")
    calling = Request(messages=(Message(role="assistant", tool_calls=(call,)),))
    words = sum(map(tokens.count, ("c", "weather", "{}")))
    assert tokens.estimate_request(calling) == 3 + 4 + 8 + words


def test_images_are_not_in_an_estimate() -> None:
    image = Image(url="https://example.com/a.png")
    seen = Request(messages=(Message(role="user", content=(Text(text="hello world"), image)),))
    assert tokens.estimate_request(seen) == tokens.estimate_request(asked("hello world"))


@given(st.lists(texts, max_size=4))
def test_an_estimate_is_within_the_bound(contents: list[str]) -> None:
    request = asked(*contents)
    assert tokens.estimate_request(request) <= tokens.count_request(request)


def test_without_the_vocabulary_a_count_is_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_vocabulary", lambda: None)
    assert tokens.count("7 7 7") == 5, "every byte may be a token"
    assert tokens.count_request(asked("Koblenz?")) == tokens.input_bound(asked("Koblenz?"))


@given(texts, texts, texts)
def test_an_answers_bound_is_above_its_count(text: str, thought: str, arguments: str) -> None:
    call = ToolCall(id="call_1", name="look_up", arguments=arguments)
    message = Message(role="assistant", content=text, tool_calls=(call,))
    response = Response(message=message, finish_reason="stop", model="m", reasoning=thought)
    counted = tokens.count_response(response)
    assert counted <= tokens.padded(counted)
    assert counted <= tokens.output_bound(response)
    assert tokens.output_bound(response) >= len(
        (text + thought + arguments).encode("utf-8", "surrogatepass")
    )


@pytest.mark.parametrize(("counted", "bound"), [(0, 0), (1, 2), (20, 27), (100, 135)])
def test_a_padded_count_is_a_third_more_rounded_up(counted: int, bound: int) -> None:
    assert tokens.padded(counted) == bound


@pytest.mark.parametrize("name", ["qa", "gsm8k-short"])
def test_no_recorded_prompt_had_more_tokens_than_its_bound(name: str) -> None:
    with gzip.open(recording(f"traces/{name}.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            messages = [Message(role="user", content=row["prompt"])]
            if "system" in row:
                messages.insert(0, Message(role="system", content=row["system"]))
            bound = tokens.input_bound(Request(messages=tuple(messages)))
            for answer in row["answers"].values():
                assert answer["input_tokens"] <= bound

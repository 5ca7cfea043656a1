"""Recorded conversations, tools, calls, thoughts and token log-probabilities, in many spellings."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from cascade.errors import EmulatorError
from cascade.learning.trace import RecordedAnswer, Recording, Row, read_trace
from cascade.types import Message, Request, ToolCall
from cascade.wire.codec import Asking
from cascade.wire.codecs import CODECS

BFCL = {
    "name": "geometry.area",
    "description": "Area of a figure.",
    "parameters": {
        "type": "dict",
        "properties": {
            "side": {"type": "float", "description": "Of the square."},
            "type": {"type": "String"},
            "corners": {"type": "tuple", "items": {"type": "float"}},
            "options": {"type": "HashMap", "properties": {"exact": {"type": "any"}}},
        },
        "required": ["side"],
    },
}
CALL = {"name": "geometry.area", "arguments": '{"side": 5}'}


def load(path: Path, *rows: dict[str, Any]) -> Recording:
    file = path / "r.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_trace(file)


def row(path: Path, **fields: Any) -> Row:
    answers = fields.pop("answers", {"m": {"text": "x"}})
    return load(path, {"answers": answers, **fields}).rows[0]


def answer(path: Path, **fields: Any) -> RecordedAnswer:
    return row(path, prompt="p", answers={"m": fields}).answers["m"]


# --- tools


@pytest.mark.parametrize("field", ["tools", "functions", "function"])
@pytest.mark.parametrize(
    "tools", [BFCL, [BFCL], [{"type": "function", "function": BFCL}]], ids=["one", "bare", "openai"]
)
def test_tools_are_read_bare_or_in_openai_s_shape(tmp_path: Path, field: str, tools: Any) -> None:
    (tool,) = row(tmp_path, prompt="p", **{field: tools}).tools
    assert (tool.name, tool.description) == ("geometry.area", "Area of a figure.")
    assert tool.parameters is not None
    assert msgspec.json.decode(tool.parameters) == {
        "type": "object",
        "properties": {
            "side": {"type": "number", "description": "Of the square."},
            "type": {"type": "string"},
            "corners": {"type": "array", "items": {"type": "number"}},
            "options": {"type": "object", "properties": {"exact": {}}},
        },
        "required": ["side"],
    }


# --- tool calls


@pytest.mark.parametrize(
    "calls",
    [
        [{"id": "c1", "type": "function", "function": CALL}],
        [CALL],
        CALL,
        [{"geometry.area": '{"side": 5}'}],
    ],
    ids=["openai", "flat", "alone", "bfcl"],
)
def test_calls_are_read_in_every_shape_and_text_stays_as_the_model_wrote_it(
    tmp_path: Path, calls: Any
) -> None:
    read = answer(tmp_path, tool_calls=calls)
    assert read.text == ""
    (call,) = read.tool_calls
    assert (call.name, call.arguments) == ("geometry.area", '{"side": 5}')


def test_arguments_may_be_an_object_or_none_at_all(tmp_path: Path) -> None:
    calls = [{"geometry.area": {"side": 5}}, {"name": "now"}, {"name": "f", "input": {"a": [1]}}]
    read = answer(tmp_path, text=None, tool_calls=calls).tool_calls
    assert read == (
        ToolCall("", "geometry.area", '{"side":5}'),
        ToolCall("", "now", "{}"),
        ToolCall("", "f", '{"a":[1]}'),
    )


# --- thoughts, finishes, log-probabilities


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content", "thinking"])
def test_thoughts_are_read_under_their_three_names(tmp_path: Path, field: str) -> None:
    read = answer(tmp_path, text="B", output_tokens=50, reasoning_tokens=49, **{field: "Hm."})
    assert (read.reasoning, read.reasoning_tokens) == ("Hm.", 49)


def test_thoughts_that_ran_into_the_limit_need_no_text(tmp_path: Path) -> None:
    read = answer(tmp_path, thinking="Hm.", finish_reason="max_tokens")
    assert (read.text, read.finish_reason) == ("", "length")


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("end_turn", "stop"),
        ("STOP", "stop"),
        ("tool_use", "tool_calls"),
        ("SAFETY", "content_filter"),
    ],
)
def test_finishes_are_read_in_every_provider_s_words(tmp_path: Path, said: str, means: str) -> None:
    assert answer(tmp_path, text="x", finish_reason=said).finish_reason == means


@pytest.mark.parametrize(
    "fields",
    [
        {"logprobs": {"content": [{"token": "a", "logprob": -1}, {"token": "b", "logprob": -2}]}},
        {"logprobs": [{"token": "a", "logprob": -1}, {"token": "b", "logprob": -2}]},
        {"logprobs": {"tokens": ["a", "b"], "token_logprobs": [-1, -2]}},
        {"logprobs": [-1, -2], "tokens": ["a", "b"]},
        {"logprobs": [-1, -2]},
    ],
    ids=["openai", "content", "older", "numbers", "spread"],
)
def test_log_probabilities_are_read_in_every_shape(tmp_path: Path, fields: Any) -> None:
    read = answer(tmp_path, text="ab", **fields).logprobs
    assert read is not None
    assert [(each.token, each.logprob) for each in read] == [("a", -1.0), ("b", -2.0)]


def test_rivals_are_kept_and_nothing_may_have_no_logarithm(tmp_path: Path) -> None:
    rivals = [{"token": "a", "logprob": -0.1}, {"token": "b", "logprob": -math.inf}]
    entry = {"token": "a", "logprob": -0.1, "top_logprobs": rivals}
    read = answer(tmp_path, text="a", logprobs=[entry]).logprobs
    assert read is not None
    assert [(top.token, top.logprob) for top in read[0].top] == [("a", -0.1), ("b", -math.inf)]


def test_gold_and_final_of_other_kinds_than_text_are_kept_as_their_json(tmp_path: Path) -> None:
    read = row(
        tmp_path,
        id=7,
        prompt="p",
        gold=[{"f": {"a": [1]}}],
        answers={"m": {"text": "x", "final": 42, "score": True}},
    )
    assert (read.id, read.gold) == ("7", '[{"f":{"a":[1]}}]')
    assert (read.answers["m"].final, read.answers["m"].score) == ("42", 1.0)


# --- conversations

TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Weather in Trier and Mainz?"},
    {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [{"name": "w", "arguments": {"city": c}} for c in ("Trier", "Mainz")],
    },
    {"role": "tool", "content": {"sun": True}},
    {"role": "tool", "content": "rain"},
]


def test_a_conversation_may_lack_ids_and_have_results_that_are_objects(tmp_path: Path) -> None:
    read = row(tmp_path, messages=TALK)
    assert [message.role for message in read.turns] == [
        "system", "user", "assistant", "tool", "tool",
    ]  # fmt: skip
    assert read.prompt == "Weather in Trier and Mainz?"
    _, _, said, first, second = read.turns
    ids = [call.id for call in said.tool_calls]
    assert [first.tool_call_id, second.tool_call_id] == ids
    assert (first.text, second.text) == ('{"sun":true}', "rain")


def test_a_prompt_follows_a_history_and_is_the_last_turn_of_a_whole_conversation(
    tmp_path: Path,
) -> None:
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    follows = row(tmp_path, system="s", prompt="Bye", messages=history)
    assert [(m.role, m.text) for m in follows.turns] == [
        ("system", "s"), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye"),
    ]  # fmt: skip
    whole = row(tmp_path, prompt="Bye", messages=[*history, {"role": "user", "content": "Bye"}])
    assert [m.text for m in whole.turns] == ["Hi", "Hello", "Bye"]


def test_bfcl_s_turns_in_a_list_are_one_conversation(tmp_path: Path) -> None:
    assert row(tmp_path, messages=[[{"role": "user", "content": "Hi"}]]).prompt == "Hi"


@pytest.mark.parametrize("protocol", CODECS)
def test_a_conversation_is_found_again_after_its_way_through_any_protocol(
    tmp_path: Path, protocol: Any
) -> None:
    read = load(tmp_path, {"messages": TALK, "answers": {"m": {"text": "x"}}})
    codec = CODECS[protocol]
    path = urlsplit(codec.address("http://x/v1beta", "m", stream=False)).path
    body = codec.encode_request(Request(read.rows[0].turns), Asking("m", max_output=100))
    assert read.said(codec.decode_request(body, path).request.messages) == read.rows


def test_ids_and_the_spelling_of_arguments_make_no_other_conversation(tmp_path: Path) -> None:
    read = load(tmp_path, {"messages": TALK, "answers": {"m": {"text": "x"}}})
    turns = list(read.rows[0].turns)
    calls = tuple(ToolCall(f"other{n}", "w", f'{{ "city" : "{c}" }}')
                  for n, c in enumerate(("Trier", "Mainz")))  # fmt: skip
    turns[2] = Message("assistant", "I look.", calls)
    assert read.said(turns) == read.rows
    turns[2] = Message("assistant", "I look.", calls[::-1])
    assert read.said(turns) == ()


# --- what cannot be used


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"tools": "none"}, "tools = 'none': it is no list of tools. Write"),
        ({"tools": [{"description": "x"}]}, "tools[0] = {'description': 'x'}: it is no function"),
        ({"messages": "hi"}, "messages = 'hi': it is no list. Write"),
        ({"messages": [{"content": "x"}]}, "messages[0] = {'content': 'x'}: it is no message"),
        (
            {"messages": [{"role": "wizard", "content": "x"}]},
            "messages[0].role = 'wizard': it is none of the values known. Send one of",
        ),
        ({"answers": {"m": {"tool_calls": "f(1)"}}}, "answers.m.tool_calls = 'f(1)': it is no"),
        ({"answers": {"m": {"tool_calls": [7]}}}, "answers.m.tool_calls[0] = 7: it is no tool"),
        ({"answers": {"m": {"tool_calls": [{"f": 7}]}}}, "it names no function"),
        (
            {"answers": {"m": {"tool_calls": [{"name": "f", "arguments": [1]}]}}},
            "answers.m.tool_calls[0].arguments = [1]: they are neither",
        ),
        (
            {"answers": {"m": {"text": "x", "finish_reason": "bored"}}},
            "answers.m.finish_reason = 'bored': it is none of the values known. Write one of stop,",
        ),
        (
            {"answers": {"m": {"text": "x", "output_tokens": 3, "reasoning_tokens": 4}}},
            "answers.m.reasoning_tokens = 4: they are a part of output_tokens, which are 3",
        ),
        ({"answers": {"m": {"text": "x", "logprobs": 7}}}, "answers.m.logprobs = 7: they are no"),
        ({"answers": {"m": {"text": "x", "logprobs": [0.5]}}}, "logprobs[0] = 0.5: the logarithm"),
        (
            {"answers": {"m": {"text": "x", "logprobs": [-1], "tokens": ["x", "y"]}}},
            "they are 1 numbers, and `tokens` is no list of as many",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_line_field_value_and_mend(
    tmp_path: Path, fields: dict[str, Any], says: str
) -> None:
    good = {"prompt": "p", "answers": {"m": {"text": "x"}}}
    with pytest.raises(EmulatorError) as caught:
        load(tmp_path, good, {**good, **fields})
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'r.jsonl'}, line 2: ")
    assert says in message

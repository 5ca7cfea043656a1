"""A broken answer is refuted in words; a sound one, a refusal and the caller's own cut are not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cascade.checks.structure import Verdict, inspect
from cascade.types import (
    FinishReason,
    Message,
    Request,
    Response,
    ResponseFormat,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)

SOUND = Verdict(complete=True)
WEATHER = Tool(
    "weather",
    parameters=json.dumps(
        {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    ).encode(),
)
CLOCK = Tool("clock", parameters=b'{"type":"object"}')
JSON = ResponseFormat("json_object")
PERSON = ResponseFormat(
    "json_schema",
    name="person",
    schema=b'{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}',
)


def ask(text: str = "Hello?", **fields: object) -> Request:
    return Request(messages=(Message("user", text),), **fields)  # type: ignore[arg-type]


def say(text: str | None, finish: FinishReason = "stop", *calls: ToolCall) -> Response:
    return Response(Message("assistant", text, tool_calls=calls), finish, "m")


def call(name: str, arguments: str) -> Response:
    return say(None, "tool_calls", ToolCall("c1", name, arguments))


def judge(
    response: Response, request: Request | None = None, pattern: str | None = None
) -> Verdict:
    return inspect(response, request or ask(), pattern=pattern, own_limit=False)


def why(response: Response, request: Request | None = None, pattern: str | None = None) -> str:
    verdict = judge(response, request, pattern)
    assert not verdict.complete
    return verdict.refuted or ""


def test_a_plain_answer_is_sound() -> None:
    assert judge(say("Paris")) == SOUND


@pytest.mark.parametrize("text", [None, "", " \n\t", "\u200b\ufeff \u2060"])
@pytest.mark.parametrize("finish", ["stop", "length", "unknown"])
def test_an_empty_answer_is_refuted(text: str | None, finish: FinishReason) -> None:
    assert why(say(text, finish)).startswith("empty answer")


def test_a_cut_at_the_callers_own_limit_stands_but_is_not_complete() -> None:
    assert judge(say("Once upon a", "length"), ask(max_tokens=4)) == Verdict()


def test_a_cut_by_the_model_alone_is_short_where_nobody_set_a_limit() -> None:
    assert judge(say("Once upon a", "length")) == Verdict(declined=True)


@pytest.mark.parametrize("left", ["", "{}", '{"town": "Ko'])
def test_a_call_that_was_cut_off_is_refuted_whatever_is_left_of_its_arguments(left: str) -> None:
    cut = say(None, "length", ToolCall("c1", "weather", left))
    refuted = why(cut, ask(tools=(Tool("weather"),), max_tokens=4))
    assert "the arguments of weather are" in refuted
    assert refuted.endswith("(cut off at its output limit)")


def test_a_call_that_is_whole_stands_though_the_answer_was_cut_off_after_it() -> None:
    cut = say(None, "length", ToolCall("c1", "weather", '{"town": "Koblenz"}'))
    assert judge(cut, ask(tools=(Tool("weather"),), max_tokens=4)) == Verdict()


def test_a_cut_at_a_limit_that_we_shrank_is_refuted() -> None:
    verdict = inspect(say("Once upon a", "length"), ask(), pattern=None, own_limit=True)
    assert "shrunk" in (verdict.refuted or "")


def test_a_shrunk_limit_that_did_not_cut_changes_nothing() -> None:
    assert inspect(say("Once."), ask(), pattern=None, own_limit=True) == SOUND


def test_an_answer_that_ended_for_an_unknown_reason_is_short() -> None:
    assert judge(say("Once.", "unknown")) == Verdict(declined=True)


@pytest.mark.parametrize(("written", "short"), [(5, True), (3_700, True), (3_800, False)])
def test_a_cut_far_below_the_callers_limit_is_the_models_own_and_short(
    written: int, short: bool
) -> None:
    cut = replace(say("Once upon a", "length"), usage=Usage(10, written))
    assert judge(cut, ask(max_tokens=4_000)) == Verdict(declined=short)


@pytest.mark.parametrize("text", [None, "", "I can"])
def test_a_content_filter_declines_and_is_never_refuted(text: str | None) -> None:
    assert judge(say(text, "content_filter"), ask(response_format=JSON)) == Verdict(declined=True)


def test_a_refusal_declines_and_is_never_refuted() -> None:
    response = Response(Message("assistant", None, refusal="I cannot help."), "stop", "m")
    assert judge(response, ask(response_format=PERSON), pattern="x") == Verdict(declined=True)


# JSON


@pytest.mark.parametrize("text", ['{"a": 1}', ' {"a": [1, null]}\n', '{"big": 1e999}'])
def test_a_json_object_is_sound(text: str) -> None:
    assert judge(say(text), ask(response_format=JSON)) == SOUND


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Sure: {}", "not JSON: Expecting value: line 1 column 1"),
        ('{"a": 1', "not JSON"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ('```json\n{"a": 1}\n```', "not JSON: wrapped in a Markdown fence"),
        ("[1]", "not a JSON object but an array"),
        ("3", "a number"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_json_object_is_refuted(text: str, words: str) -> None:
    assert words in why(say(text), ask(response_format=JSON))


def test_json_cut_off_at_the_callers_limit_is_refuted_and_says_so() -> None:
    assert "cut off at its output limit" in why(
        say('{"a": "b', "length"), ask(response_format=JSON)
    )


def test_json_must_match_its_schema() -> None:
    request = ask(response_format=PERSON)
    assert judge(say('{"age": 3}'), request) == SOUND
    assert why(say('{"age": "three"}'), request) == (
        'does not match its JSON schema: at age: it is not of type "integer"'
    )
    assert "required" in why(say("{}"), request)


def test_a_schema_that_cannot_be_checked_refutes_nothing_and_stores_nothing() -> None:
    for schema in (b'{"pattern":"(?=a)b"}', b'{"type":"nonsense"}'):
        form = ResponseFormat("json_schema", schema=schema)
        verdict = judge(say('"ab"'), ask(response_format=form))
        assert verdict.refuted is None
        assert not verdict.complete
        assert verdict.unchecked


def test_text_without_a_json_format_may_be_anything() -> None:
    assert judge(say("{not json"), ask(response_format=ResponseFormat("text"))) == SOUND


# Pattern


def test_a_required_pattern_must_occur() -> None:
    assert judge(say("So #### 42"), pattern="#### [0-9]+") == SOUND
    assert "required pattern" in why(say("So 42"), pattern="#### [0-9]+")


def test_a_catastrophic_pattern_does_not_hang() -> None:
    text = " ".join(map(str, range(5_000))) + "!"
    assert "required pattern" in why(say(text), pattern="^([0-9 ]+)+$")


def test_an_answer_of_tool_calls_has_no_text_for_a_pattern() -> None:
    assert judge(call("clock", "{}"), ask(tools=(CLOCK,)), pattern="x") == SOUND


# Tools


@pytest.mark.parametrize("finish", ["tool_calls", "stop"])
def test_a_call_that_matches_its_schema_is_sound(finish: FinishReason) -> None:
    response = say(None, finish, ToolCall("c1", "weather", '{"city": "Bonn"}'))
    assert judge(response, ask(tools=(WEATHER,))) == SOUND


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("wether", "{}", "'wether', which was not offered"),
        ("weather", '{"city": ', "arguments of weather are not JSON"),
        ("weather", '["Bonn"]', "not a JSON object but an array"),
        ("weather", '{"city": 3}', "schema of weather: at city"),
        ("weather", "", "required"),
    ],
)
def test_a_wrong_call_is_refuted(name: str, arguments: str, words: str) -> None:
    assert words in why(call(name, arguments), ask(tools=(WEATHER, CLOCK)))


def test_no_arguments_at_all_are_those_of_a_tool_that_needs_none() -> None:
    assert judge(call("clock", ""), ask(tools=(CLOCK,))) == SOUND


def test_one_wrong_call_among_good_ones_refutes() -> None:
    response = say(None, "tool_calls", ToolCall("1", "clock", "{}"), ToolCall("2", "weather", "{}"))
    assert "weather" in why(response, ask(tools=(WEATHER, CLOCK)))


def test_calls_must_follow_the_callers_choice() -> None:
    tools = (WEATHER, CLOCK)
    required = ask(tools=tools, tool_choice=ToolChoice("required"))
    clock = ask(tools=tools, tool_choice=ToolChoice("function", "clock"))
    none = ask(tools=tools, tool_choice=ToolChoice("none"))
    assert "one is required" in why(say("It rains."), required)
    assert "does not call clock" in why(say("It rains."), clock)
    assert "though clock is required" in why(call("weather", '{"city": "Bonn"}'), clock)
    assert "none may be called" in why(call("clock", "{}"), none)
    assert judge(call("clock", "{}"), clock) == SOUND
    assert judge(say("It rains."), none) == SOUND


def test_several_calls_at_once_need_the_callers_leave() -> None:
    two = say(None, "tool_calls", ToolCall("1", "clock", "{}"), ToolCall("2", "clock", "{}"))
    assert judge(two, ask(tools=(CLOCK,))) == SOUND
    assert "only one" in why(two, ask(tools=(CLOCK,), parallel_tool_calls=False))


def test_an_answer_that_claims_a_call_without_one_is_refuted() -> None:
    assert "calls none" in why(say("Let me see.", "tool_calls"), ask(tools=(CLOCK,)))


# Repetition


def test_a_loop_is_refuted_unless_repetition_was_asked_for() -> None:
    assert "at its end" in why(say("the " * 100, "length"))
    assert judge(say("the " * 100), ask("Repeat 'the' a hundred times.")) == SOUND


# All together

reasons = st.sampled_from(["stop", "length", "tool_calls", "content_filter", "unknown"])
texts = st.none() | st.text(max_size=30) | st.sampled_from(['{"age": 3}', "```", "the " * 90])
calls = st.lists(
    st.builds(ToolCall, st.just("c"), st.sampled_from(["weather", "x"]), st.text(max_size=9)),
    max_size=2,
).map(tuple)


@given(texts, reasons, calls, st.sampled_from([None, JSON, PERSON]), st.booleans(), st.booleans())
def test_a_verdict_never_contradicts_itself(
    text: str | None,
    finish: FinishReason,
    made: tuple[ToolCall, ...],
    form: ResponseFormat | None,
    own_limit: bool,
    refuses: bool,
) -> None:
    message = Message("assistant", text, tool_calls=made, refusal="No." if refuses else None)
    request = ask(tools=(WEATHER,), response_format=form)
    verdict = inspect(Response(message, finish, "m"), request, pattern=None, own_limit=own_limit)
    assert not (verdict.refuted and verdict.declined)
    if verdict.complete:
        assert finish in ("stop", "tool_calls")
        assert not (verdict.refuted)
        assert not (verdict.declined)
        assert not (verdict.unchecked)

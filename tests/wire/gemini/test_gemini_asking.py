"""What Google is sent, and what is never sent there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cascade.errors import RequestError
from cascade.types import Image, Message, Request, ResponseFormat, Text, Thought, Tool, ToolCall
from cascade.wire.codec import Asking
from cascade.wire.gemini import address, encode_request
from cascade.wire.gemini.seals import UNCHECKED

HI = Message("user", "hi")
CALL = ToolCall("c", "f", '{"x":1}')
CALLED = Message("assistant", tool_calls=(CALL,))
RESULT = Message("tool", "4", tool_call_id="c")
NEWER, OLDER = "gemini-3.5-flash-lite", "gemini-2.5-flash"


def asked(request: Request, model: str = NEWER, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode_request(request, Asking(model, **options)))
    return found


def told(*messages: Message, model: str = NEWER) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = asked(Request(messages), model)["contents"]
    return found


def thinking(request: Request, model: str = NEWER, **options: Any) -> Any:
    return asked(request, model, **options).get("generationConfig", {}).get("thinkingConfig")


def effort(word: str | None, budget: int | None = None) -> Request:
    return Request((HI,), reasoning_effort=word, reasoning_budget=budget)


@pytest.mark.parametrize(
    ("model", "stream", "end"),
    [
        ("gemini-3.8-flash", False, "models/gemini-3.8-flash:generateContent"),
        ("gemini-3.8-flash", True, "models/gemini-3.8-flash:streamGenerateContent?alt=sse"),
        ("models/gemini-3.8-flash", False, "models/gemini-3.8-flash:generateContent"),
        ("tunedModels/mine", False, "tunedModels/mine:generateContent"),
        ("publishers/google/models/g", False, "publishers/google/models/g:generateContent"),
        ("a b?c", False, "models/a%20b%3Fc:generateContent"),
    ],
)
def test_model_and_method_stand_in_the_address(model: str, stream: bool, end: str) -> None:
    base = "https://generativelanguage.googleapis.com/v1beta"
    assert address(base, model, stream) == address(base + "/", model, stream) == f"{base}/{end}"


def test_instructions_at_the_start_are_the_systems_and_later_ones_a_users() -> None:
    body = asked(
        Request(
            (
                Message("system", "Be brief."),
                Message("developer", (Text("Be kind."), Text("Be true."))),
                HI,
                Message("system", "Be quick."),
            )
        )
    )
    texts = [part["text"] for part in body["systemInstruction"]["parts"]]
    assert texts == ["Be brief.", "Be kind.", "Be true."]
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "user", "parts": [{"text": "Be quick."}]},
    ]


def test_instructions_alone_leave_the_last_as_the_users_turn() -> None:
    body = asked(Request((Message("system", "a"), Message("system", "b"))))
    assert body["systemInstruction"] == {"parts": [{"text": "a"}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "b"}]}]


def test_results_of_one_step_go_in_one_turn_with_the_names_of_their_calls() -> None:
    calls = (CALL, ToolCall("d", "g", ""))
    contents = told(
        HI,
        Message("assistant", tool_calls=calls),
        Message("tool", "not JSON", tool_call_id="d"),
        Message("tool", '{"a":1}', tool_call_id="c"),
        Message("tool", "down", tool_call_id="c", is_error=True),
        HI,
    )
    assert [content["role"] for content in contents] == ["user", "model", "user", "user"]
    assert contents[1]["parts"][1] == {"functionCall": {"id": "d", "name": "g", "args": {}}}
    assert [part["functionResponse"] for part in contents[2]["parts"]] == [
        {"id": "d", "name": "g", "response": {"output": "not JSON"}},
        {"id": "c", "name": "f", "response": {"a": 1}},
        {"id": "c", "name": "f", "response": {"error": "down"}},
    ]


def test_a_result_of_no_call_is_refused_with_its_place() -> None:
    with pytest.raises(RequestError, match=r"messages\[1\]\.tool_call_id = 'c'"):
        told(HI, RESULT, CALLED)


@pytest.mark.parametrize("arguments", ["[1]", "{", "f(x)"])
def test_arguments_that_are_no_object_are_refused_with_their_place(arguments: str) -> None:
    message = Message("assistant", tool_calls=(CALL, ToolCall("d", "g", arguments)))
    with pytest.raises(RequestError, match=r"messages\[1\]\.tool_calls\[1\]\.arguments"):
        told(HI, message)


def test_images_go_inline_or_by_their_address() -> None:
    content = told(
        Message(
            "user",
            (
                Image("DATA:image/png;charset=x;BASE64,AAAA"),
                Image("https://e.org/a.JPG?w=1"),
                Image("https://e.org/a"),
            ),
        )
    )[0]
    assert content["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://e.org/a.JPG?w=1"}},
        {"fileData": {"fileUri": "https://e.org/a"}},
    ]
    with pytest.raises(RequestError, match=r"messages\[0\]\.content\[0\]"):
        told(Message("user", (Image("data:image/svg+xml,<svg/>"),)))


def test_a_results_images_go_with_it_and_those_with_an_address_behind_it() -> None:
    data, linked = Image("data:image/png;base64,AAAA"), Image("https://e.org/a.png")
    result = Message("tool", (Text("x"), linked, data), tool_call_id="c")
    parts = told(HI, CALLED, result)[2]["parts"]
    assert parts[0]["functionResponse"]["response"] == {"output": "x"}
    assert parts[0]["functionResponse"]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    ]
    assert parts[1] == {"fileData": {"mimeType": "image/png", "fileUri": "https://e.org/a.png"}}


def test_what_an_assistant_refused_is_told_as_its_text() -> None:
    contents = told(HI, Message("assistant", refusal="I will not."), HI, Message("assistant", ""))
    assert contents[1]["parts"] == [{"text": "I will not."}]
    assert contents[3]["parts"] == [{"text": ""}]


def test_an_empty_text_beside_calls_is_left_out() -> None:
    parts = told(HI, Message("assistant", "", tool_calls=(CALL,)), model=OLDER)[1]["parts"]
    assert [list(part) for part in parts] == [["functionCall"]]


def test_only_googles_own_signatures_go_to_google() -> None:
    message = Message(
        "assistant",
        "4",
        tool_calls=(
            ToolCall("c", "f", "{}", "gemini:AAAA"),
            ToolCall("d", "f", "{}", "EqQBCkYIAxgC"),
        ),
        thoughts=(
            Thought("Hm.", "EqQBCkYIAxgC"),
            Thought(redacted="EmwKAhgB"),
            Thought("Two."),
            Thought("Three.", "gemini:BBBB"),
            Thought(signature="gemini:CCCC"),
        ),
    )
    assert told(HI, message)[1]["parts"] == [
        {"text": "Three.", "thought": True, "thoughtSignature": "BBBB"},
        {"text": "4", "thoughtSignature": "CCCC"},
        {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "AAAA"},
        {"functionCall": {"id": "d", "name": "f", "args": {}}},
    ]


def test_calls_that_another_model_made_are_marked_as_unchecked_where_a_signature_is_demanded() -> (
    None
):
    both = Message("assistant", tool_calls=(CALL, ToolCall("d", "f", "{}")))

    def signatures(model: str) -> list[list[str | None]]:
        contents = told(HI, both, RESULT, HI, both, RESULT, both, model=model)
        return [
            [part.get("thoughtSignature") for part in content["parts"]]
            for content in contents
            if content["role"] == "model"
        ]

    # Only steps since the user last spoke, and of each only the first call.
    assert signatures(NEWER) == [[None, None], [UNCHECKED, None], [UNCHECKED, None]]
    assert signatures("gemini-flash-latest") == signatures(NEWER)
    assert signatures(OLDER) == [[None, None]] * 3


def test_a_newer_model_is_told_a_level_and_an_older_one_a_budget() -> None:
    assert thinking(effort("low")) == {"includeThoughts": True, "thinkingLevel": "LOW"}
    assert thinking(effort("max")) == {"includeThoughts": True, "thinkingLevel": "HIGH"}
    assert thinking(effort("low"), OLDER) == {"includeThoughts": True, "thinkingBudget": 1024}
    assert thinking(effort("high"), OLDER) == {"includeThoughts": True, "thinkingBudget": 24576}
    assert thinking(effort(None, 500)) == {"includeThoughts": True, "thinkingBudget": 500}


def test_of_effort_and_budget_google_is_told_what_the_model_works_by() -> None:
    both = effort("high", 500)
    assert thinking(both) == {"includeThoughts": True, "thinkingLevel": "HIGH"}
    assert thinking(both, OLDER) == {"includeThoughts": True, "thinkingBudget": 500}


def test_no_thinking_is_a_budget_of_nothing() -> None:
    for request in (effort("none"), effort(None, 0)):
        assert thinking(request) == thinking(request, OLDER) == {"thinkingBudget": 0}
    assert thinking(effort(None)) is None


def test_an_effort_without_a_level_is_refused() -> None:
    with pytest.raises(RequestError, match="reasoning_effort = 'wild'"):
        asked(effort("wild"))


def test_what_the_model_lacks_is_left_out_where_it_is_advice_only() -> None:
    request = Request(
        (HI,),
        temperature=0.5,
        top_k=3,
        seed=1,
        reasoning_effort="low",
        reasoning_budget=5,
        tools=(Tool("f"),),
        stop=("x",),
    )
    lacks = frozenset(
        {"temperature", "top_k", "seed", "reasoning_effort", "reasoning_budget", "tools", "stop"}
    )
    body = asked(request, lacks=lacks | {"logprobs"}, logprobs=True)
    assert set(body) == {"contents", "tools", "generationConfig"}
    assert body["generationConfig"] == {"stopSequences": ["x"]}


def test_what_decides_and_what_has_no_place_is_never_sent() -> None:
    request = Request(
        (Message("user", "hi", name="Ann"),),
        parallel_tool_calls=False,
        logit_bias=(("1", 2.0),),
        user="u",
        max_cost=1,
        deadline=9,
        tags=("t",),
    )
    assert asked(request) == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def test_the_machines_limit_takes_the_place_of_the_requests() -> None:
    request = Request((HI,), max_tokens=500)
    assert asked(request)["generationConfig"] == {"maxOutputTokens": 500}
    assert asked(request, max_tokens=100)["generationConfig"] == {"maxOutputTokens": 100}


def test_log_probabilities_of_our_own_ask_for_a_rival_and_never_for_less_than_the_caller() -> None:
    plain = Request((HI,))
    caller = Request((HI,), logprobs=True, top_logprobs=5)
    assert asked(plain, logprobs=True)["generationConfig"]["logprobs"] == 2
    assert asked(caller, logprobs=True)["generationConfig"]["logprobs"] == 5
    assert asked(caller, lacks=frozenset({"logprobs"}))["generationConfig"]["logprobs"] == 5
    assert "generationConfig" not in asked(plain)


def test_a_seed_of_more_than_32_bits_is_folded_into_the_same_one_each_time() -> None:
    seeds = [asked(Request((HI,), seed=2**40 + 7))["generationConfig"]["seed"] for _ in "ab"]
    assert seeds == [7, 7]


def test_a_schema_goes_as_json_schema_with_its_type_of_media() -> None:
    wanted = ResponseFormat("json_schema", "s", b'{"type":"object"}', strict=True)
    assert asked(Request((HI,), response_format=wanted))["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused_before_it_is_sent(value: float) -> None:
    with pytest.raises(RequestError, match="temperature"):
        asked(Request((HI,), temperature=value))


def test_half_a_surrogate_pair_is_refused_before_it_is_sent() -> None:
    with pytest.raises(RequestError, match="surrogate"):
        asked(Request((Message("user", "\ud83e"),)))

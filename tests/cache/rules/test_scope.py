"""The exact key: everything that can change a right answer is in it, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.cache.rules.scope import PLACES, KeyMaker, Place
from cascade.errors import RequestError
from cascade.types import Image, Message, Request, ResponseFormat, Text, Tool, ToolCall, ToolChoice
from tests.cache.entries import SECRET, asked

KEYS = KeyMaker(SECRET)
FINGERPRINT = b"ladder"

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.floats(-2, 2, allow_nan=False)
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=st.one_of(
        st.none(),
        TEXTS,
        st.lists(
            st.builds(Text, text=TEXTS)
            | st.builds(
                Image,
                url=TEXTS.map("https://example.org/".__add__)
                | TEXTS.map("data:image/png;base64,".__add__),
                detail=st.sampled_from([None, "low", "high"]),
            ),
            max_size=3,
        ).map(tuple),
    ),
    tool_calls=st.lists(st.builds(ToolCall, id=TEXTS, name=TEXTS, arguments=TEXTS), max_size=2).map(
        tuple
    ),
    tool_call_id=st.none() | TEXTS,
    name=st.none() | TEXTS,
    refusal=st.none() | TEXTS,
)
KEYED: dict[str, st.SearchStrategy[Any]] = {
    "messages": st.lists(MESSAGES, min_size=1, max_size=4).map(tuple),
    "tools": st.lists(
        st.builds(
            Tool,
            name=TEXTS,
            description=st.none() | TEXTS,
            parameters=st.none() | st.binary(max_size=8),
            strict=st.none() | st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
    "tool_choice": st.none()
    | st.builds(
        ToolChoice, mode=st.sampled_from(["auto", "none", "required"]), name=st.none() | TEXTS
    ),
    "parallel_tool_calls": st.none() | st.booleans(),
    "response_format": st.none()
    | st.builds(
        ResponseFormat,
        kind=st.sampled_from(["text", "json_object", "json_schema"]),
        name=st.none() | TEXTS,
        schema=st.none() | st.binary(max_size=8),
        strict=st.none() | st.booleans(),
        description=st.none() | TEXTS,
    ),
    "max_tokens": st.none() | st.integers(1, 10**6),
    "temperature": st.none() | NUMBERS,
    "top_p": st.none() | NUMBERS,
    "top_k": st.none() | st.integers(1, 100),
    "seed": st.none() | st.integers(-(2**63), 2**63 - 1),
    "stop": st.lists(TEXTS, max_size=3).map(tuple),
    "presence_penalty": st.none() | NUMBERS,
    "frequency_penalty": st.none() | NUMBERS,
    "logit_bias": st.dictionaries(TEXTS, NUMBERS, max_size=3).map(lambda d: tuple(d.items())),
    "logprobs": st.booleans(),
    "top_logprobs": st.none() | st.integers(0, 20),
    "reasoning_effort": st.none() | TEXTS,
    "reasoning_budget": st.none() | st.integers(1, 10**5),
    "rung": st.none() | TEXTS,
}
DECIDES: dict[str, st.SearchStrategy[Any]] = {
    "ladder": st.none() | TEXTS,
    "quality": st.sampled_from(["auto", "best", "cheapest"]),
    "max_cost": st.none() | st.floats(0, 10),
    "deadline": st.none() | st.floats(0, 10),
    "cache": st.sampled_from(["use", "refresh", "off", "only"]),
    "max_age": st.none() | st.floats(0, 10),
    "delivery": st.sampled_from([None, "verified", "live"]),
    "tags": st.lists(TEXTS, max_size=2).map(tuple),
    "session": st.none() | TEXTS,
    "ignored": st.lists(TEXTS, max_size=2).map(tuple),
}
USER = {"user": st.none() | TEXTS}
REQUESTS = st.builds(Request, **KEYED, **DECIDES, **USER)


def normal(value: Any) -> Any:
    """A value in the form in which two of them mean the same."""
    if isinstance(value, tuple) and value and all(isinstance(v, tuple) for v in value):
        return sorted(value)  # logit_bias: pairs in any order
    return value


def test_every_field_of_a_request_has_its_place_in_the_key() -> None:
    assert set(PLACES) == set(Request.__struct_fields__)
    assert set(PLACES.values()) == set(get_args(Place))


def test_the_strategies_here_cover_every_field() -> None:
    places = dict.fromkeys(DECIDES, "decides") | {"user": "user"}
    assert set(KEYED) | set(places) == set(PLACES)
    for name, place in places.items():
        assert PLACES[name] == place


@given(REQUESTS, st.sampled_from(sorted(KEYED)), st.data())
def test_a_change_of_anything_keyed_changes_the_key(
    request_: Request, name: str, data: st.DataObject
) -> None:
    value = data.draw(KEYED[name])
    changed = msgspec.structs.replace(request_, **{name: value})
    same = normal(getattr(request_, name)) == normal(value)
    assert (KEYS.key(request_, FINGERPRINT) == KEYS.key(changed, FINGERPRINT)) is same


@given(REQUESTS, st.fixed_dictionaries(DECIDES | USER))
def test_a_change_of_what_only_decides_does_not_change_the_key(
    request_: Request, others: dict[str, Any]
) -> None:
    changed = msgspec.structs.replace(request_, **others)
    assert KEYS.key(request_, FINGERPRINT) == KEYS.key(changed, FINGERPRINT)


@given(REQUESTS, REQUESTS)
def test_two_requests_share_a_key_only_if_they_ask_the_same(a: Request, b: Request) -> None:
    same = all(normal(getattr(a, name)) == normal(getattr(b, name)) for name in KEYED)
    assert (KEYS.key(a, FINGERPRINT) == KEYS.key(b, FINGERPRINT)) is same


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (asked("ab", stop=("c", "d")), asked("ab", stop=("cd",))),
        (asked("ab"), asked("a", reasoning_effort="b")),
        (
            Request(messages=(Message("user", "a"), Message("user", "b"))),
            Request(messages=(Message("user", "ab"),)),
        ),
        (
            Request(messages=(Message("user", "a"), Message("assistant", "b"))),
            Request(messages=(Message("assistant", "b"), Message("user", "a"))),
        ),
        (
            Request(messages=(Message("system", "a"), Message("user", "b"))),
            Request(messages=(Message("user", "a"), Message("user", "b"))),
        ),
        (
            Request(messages=(Message("user", (Text("a"), Text("b"))),)),
            Request(messages=(Message("user", (Text("ab"),)),)),
        ),
        (
            Request(messages=(Message("user", (Text("https://x"),)),)),
            Request(messages=(Message("user", (Image("https://x"),)),)),
        ),
        (asked(tools=(Tool("f", parameters=b"{}"),)), asked(tools=(Tool("f", "{}"),))),
        (asked(top_p=1.0), asked(temperature=1.0)),
        (asked(max_tokens=None), asked(max_tokens=0)),
    ],
)
def test_parts_never_run_together(a: Request, b: Request) -> None:
    assert KEYS.key(a, FINGERPRINT) != KEYS.key(b, FINGERPRINT)


@given(st.binary(max_size=8), st.binary(max_size=8))
def test_another_ladder_has_other_keys(one: bytes, other: bytes) -> None:
    assert (KEYS.key(asked(), one) == KEYS.key(asked(), other)) is (one == other)


def test_tenants_and_secrets_have_keys_of_their_own() -> None:
    makers = [KEYS, KeyMaker(SECRET, "a"), KeyMaker(SECRET, "b"), KeyMaker(bytes(32))]
    assert len({maker.key(asked(), FINGERPRINT) for maker in makers}) == len(makers)


def test_users_have_keys_of_their_own_only_where_that_is_asked_for() -> None:
    ann, bob = asked(user="ann"), asked(user="bob")
    assert KEYS.key(ann, FINGERPRINT) == KEYS.key(bob, FINGERPRINT)
    apart = KeyMaker(SECRET, per_user=True)
    assert apart.key(ann, FINGERPRINT) != apart.key(bob, FINGERPRINT)


def test_whole_numbers_and_the_order_of_biases_make_no_difference() -> None:
    for a, b in (
        (asked(temperature=0), asked(temperature=0.0)),
        (asked(temperature=-0.0), asked(temperature=0.0)),
        (asked(top_p=1), asked(top_p=1.0)),
        (asked(logit_bias=(("1", 2),)), asked(logit_bias=(("1", 2.0),))),
        (
            asked(logit_bias=(("1", 2.0), ("3", 4.0))),
            asked(logit_bias=(("3", 4.0), ("1", 2.0))),
        ),
    ):
        assert KEYS.key(a, FINGERPRINT) == KEYS.key(b, FINGERPRINT)


def test_the_key_is_the_same_in_every_process_whatever_its_hash_seed() -> None:
    script = (
        "from tests.cache.rules.test_scope import KEYS, FINGERPRINT, SAMPLE;"
        "print(KEYS.key(SAMPLE, FINGERPRINT))"
    )
    root = Path(__file__).resolve().parents[3]
    keys = {KEYS.key(SAMPLE, FINGERPRINT)}
    for seed in ("0", "1", "4711"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        keys.add(done.stdout.strip())
    assert len(keys) == 1


def test_the_key_is_pinned_so_that_a_change_of_its_making_is_noticed() -> None:
    """A change here means that entries kept so far are never found again: raise ``FORMAT``."""
    assert KEYS.key(SAMPLE, FINGERPRINT) == PINNED


def test_half_a_surrogate_pair_is_an_error_that_says_so() -> None:
    with pytest.raises(RequestError, match="half of a surrogate pair"):
        KEYS.key(asked("a \ud800 b"), FINGERPRINT)


@pytest.mark.parametrize(
    ("name", "value"), [("seed", 2**70), ("max_tokens", 2**64), ("seed", -(2**63) - 1)]
)
def test_a_number_that_no_encoding_can_carry_is_an_error_that_names_it(
    name: str, value: int
) -> None:
    with pytest.raises(RequestError, match=rf"{name} = {value}.*64 bits"):
        KEYS.key(msgspec.structs.replace(asked(), **{name: value}), FINGERPRINT)


SAMPLE = Request(
    messages=(
        Message("system", "Be brief."),
        Message("user", (Text("What is this?"), Image("data:image/png;base64,AAAA", "low"))),
    ),
    tools=(Tool("look", "Looks.", b'{"type":"object"}', strict=True),),
    tool_choice=ToolChoice("auto"),
    response_format=ResponseFormat("json_schema", "x", b"{}"),
    temperature=0.0,
    stop=("END",),
    logit_bias=(("5", 1.0),),
    seed=7,
)
PINNED = "52afa8b14911384dc17ed61334b95e5b"

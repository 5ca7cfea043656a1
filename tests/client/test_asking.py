"""What people type becomes a request, or an error that names what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from cascade import Cascade, Message, Request, RequestError
from cascade.client.asking import to_request
from tests.engine.scripted import provider_in_thread
from tests.engine.setting import STRONG, tables

QUESTION = "Which rivers meet in Koblenz?"
OWN = Request(messages=(Message("user", QUESTION),))


def asked(prompt: Any, **options: Any) -> Request:
    return to_request(prompt, cast("Any", options))


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"tags": "news"}, "tags"),
        ({"tags": 5}, "tags"),
        ({"tags": [1]}, "tags[0]"),
        ({"tags": [None]}, "tags[0]"),
        ({"ladder": ["x"]}, "ladder"),
        ({"rung": 7}, "rung"),
        ({"quality": "better"}, "quality"),
        ({"cache": False}, "cache"),
        ({"deadline": "5"}, "deadline"),
        ({"max_cost": True}, "max_cost"),
        ({"seed": 2**70}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": "1"}, "seed"),
        ({"max_tokens": 2**70, "cache": "off"}, "max_tokens"),
        ({"temperature": float("nan")}, "temperature"),
        ({"user": "\ud800"}, "user"),
        ({"tools": object()}, "tools"),
        ({"stop": 5}, "stop"),
    ],
)
def test_an_option_of_the_wrong_kind_is_named(options: dict[str, Any], place: str) -> None:
    with pytest.raises(RequestError) as caught:
        asked(QUESTION, **options)
    assert caught.value.place == place


@pytest.mark.parametrize(
    ("prompt", "place"),
    [
        (None, "prompt"),
        (5, "prompt"),
        (b"hello", "prompt"),
        ({"role": "user", "content": QUESTION}, "prompt"),
        (Message("user", QUESTION), "prompt"),
        ([], "messages"),
        ([5], "messages[0]"),
        ([object()], "messages"),
        ([Message("user", cast("Any", 5))], "messages[0].content"),
        ([Message(cast("Any", "bogus"), "hello")], "messages[0].role"),
        (["hello"], "messages[0]"),
        (Request(messages=cast("Any", 5)), "messages"),
        (Request(messages=OWN.messages, seed=2**70), "seed"),
        (Request(messages=OWN.messages, quality=cast("Any", None)), "quality"),
    ],
)
def test_a_prompt_of_the_wrong_kind_is_named(prompt: Any, place: str) -> None:
    with pytest.raises(RequestError) as caught:
        asked(prompt)
    assert caught.value.place == place


@pytest.mark.parametrize("prompt", [QUESTION, OWN], ids=["text", "request"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_cost", -1),
        ("max_cost", float("nan")),
        ("deadline", 0),
        ("deadline", float("inf")),
        ("max_age", -0.5),
    ],
)
def test_an_amount_that_is_none_is_refused_before_anything_is_looked_up(
    prompt: Any, name: str, value: float
) -> None:
    with pytest.raises(RequestError, match="not an amount") as caught:
        asked(prompt, **{name: value})
    assert caught.value.place == name


def test_a_stored_answer_excuses_no_mistake(tmp_path: Path) -> None:
    with provider_in_thread() as one:
        settings = tables(one.url, tmp_path, (STRONG,), cache={})
        with Cascade(tables=settings, data_dir=tmp_path) as ai:
            ai.complete(QUESTION)
            assert ai.complete(QUESTION, max_cost=0).cache == "exact"
            with pytest.raises(RequestError, match="max_cost"):
                ai.complete(QUESTION, max_cost=-1)


def test_none_is_as_good_as_absent() -> None:
    options = dict.fromkeys(
        ("system", "quality", "cache", "delivery", "tags", "max_cost", "tools", "seed", "logprobs")
    )
    assert asked(QUESTION, **options) == asked(QUESTION)
    assert asked(OWN, **options) == OWN
    assert asked(QUESTION, system="Be brief.", rung=None) == asked(QUESTION, system="Be brief.")


def test_messages_of_ours_and_plain_ones_keep_their_places() -> None:
    turns = [
        {"role": "user", "content": "one"},
        Message("assistant", "two"),
        {"role": "user", "content": "three"},
    ]
    request = asked(turns, system="Be brief.")
    assert [message.text for message in request.messages] == ["Be brief.", "one", "two", "three"]
    assert request.messages[2] == turns[1]


def test_what_is_decided_goes_with_a_text_and_with_a_request() -> None:
    for prompt in (QUESTION, OWN):
        request = asked(prompt, max_cost=1, tags=["a", "b"], quality="best", max_age=0)
        assert request.messages == OWN.messages
        assert (request.max_cost, request.quality, request.max_age) == (1.0, "best", 0.0)
        assert request.tags == ("a", "b")


@pytest.mark.parametrize("cap", [0, 1e-13, 1e-300])
def test_a_cap_below_any_amount_is_a_cap(tmp_path: Path, cap: float) -> None:
    from cascade import CapTooLow

    with provider_in_thread() as one:
        settings = tables(one.url, tmp_path, (STRONG,))
        with Cascade(tables=settings, data_dir=tmp_path) as ai, pytest.raises(CapTooLow):
            ai.complete(QUESTION, max_cost=cap)
        assert one.calls == []

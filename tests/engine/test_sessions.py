"""A conversation knows where it was answered, and a warm prefix has its price."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade import Message
from cascade.engine.sessions import Sessions, key_of
from cascade.types import Attempt, Endpoint, Ladder, Price, Request, Response, Rung, Usage
from tests.engine.scripted import provider, says
from tests.engine.setting import Step, opened

pytestmark = pytest.mark.anyio

PRICED = {"price": {"input": 1.0, "cached": 0.1, "output": 2.0}}
SMALL = Step("small", price=None, model={"price": {"input": 0.5, "output": 1.0}})
STRONG = Step("strong", accept=None, price=None, model=PRICED)
UNSURE = says("perhaps", logprob=-3.0, usage=(4_000, 10))
LONG = "Tell me about the Moselle. " * 200
FIRST = (Message("user", LONG),)
SECOND = (*FIRST, Message("assistant", "It is a river."), Message("user", "And the Rhine?"))


async def test_a_conversation_that_climbed_goes_on_where_its_prefix_is_warm(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, (SMALL, STRONG)) as ai:
        one.on("small", UNSURE)
        one.on("strong", says("sure", usage=(4_000, 10)))
        await ai.complete(FIRST)
        await ai.complete(SECOND)
    assert [call.model for call in one.calls] == ["small", "strong", "strong"]


async def test_another_conversation_starts_where_its_level_says(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, (SMALL, STRONG)) as ai:
        one.on("small", UNSURE, says("sure"))
        one.on("strong", says("sure", usage=(4_000, 10)))
        await ai.complete(FIRST)
        await ai.complete((Message("user", "Another. " + LONG),))
    assert [call.model for call in one.calls] == ["small", "strong", "small"]


async def test_a_named_session_binds_turns_that_do_not_begin_alike(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path, (SMALL, STRONG)) as ai:
        one.on("small", UNSURE)
        one.on("strong", says("sure", usage=(4_000, 10)))
        await ai.complete(FIRST, session="a")
        await ai.complete((Message("user", "Shortened. " + LONG),), session="a")
    assert [call.model for call in one.calls] == ["small", "strong", "strong"]


# --- the memory itself ---

ENDPOINT = Endpoint("p/m", "p", "m", "http://p", price=Price(10, 1, 10, 10))
LADDER = Ladder("default", (Rung("strong", (ENDPOINT,)),), {}, {}, b"")
ANSWER = Response(Message("assistant", "yes"), "stop", "m", usage=Usage(2_000, 10))
CHOSEN = Attempt("strong", "p/m", "m", "answer", "accepted")


class Clock:
    """A clock that stands where it is set."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def asked(*texts: str, **settings: str) -> Request:
    """A conversation of user turns."""
    return Request(tuple(Message("user", text) for text in texts), **settings)  # type: ignore[arg-type]


def test_every_later_turn_is_known_by_the_first_one() -> None:
    assert key_of(asked("a", "b"), LADDER) == key_of(asked("a", "b", "c"), LADDER)
    assert key_of(asked("a"), LADDER) != key_of(asked("b"), LADDER)


def test_two_users_share_no_conversation() -> None:
    named = [key_of(asked("a", user=user, session="s"), LADDER) for user in ("x", "y")]
    assert named[0] != named[1]
    assert key_of(asked("a", user="x"), LADDER) != key_of(asked("a", user="y"), LADDER)


def test_a_name_is_never_taken_for_a_first_turn() -> None:
    assert key_of(asked("a", session="a"), LADDER) != key_of(asked("a"), LADDER)


def test_what_cooled_down_is_forgotten_when_its_time_has_come() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    sessions.answered(b"k", LADDER, CHOSEN, ANSWER, climbed=True)
    warm = sessions.warmth(b"k")
    assert warm is not None
    assert (warm.rung, warm.tokens, warm.climbs) == ("strong", 2_010, 1)
    clock.now = warm.until
    assert sessions.warmth(b"k") is None


def test_the_conversation_that_was_silent_longest_goes_first() -> None:
    sessions = Sessions(Clock(), most=2)
    for key in (b"a", b"b", b"a", b"c"):
        sessions.answered(key, LADDER, CHOSEN, ANSWER, climbed=False)
    assert sessions.warmth(b"b") is None
    assert sessions.warmth(b"a") is not None
    assert len(sessions) == 2


def test_a_prompt_too_short_to_be_kept_leaves_nothing() -> None:
    sessions = Sessions(Clock())
    short = Response(Message("assistant", "yes"), "stop", "m", usage=Usage(200, 10))
    sessions.answered(b"k", LADDER, CHOSEN, short, climbed=False)
    assert sessions.warmth(b"k") is None

"""What an error tells of the attempts: each of them, those that went alike together."""

from __future__ import annotations

from cascade.engine.answers import failure
from cascade.engine.loop import Ended
from cascade.policy import Offer, Option, Plan
from cascade.policy.model import Finish
from cascade.types import Attempt, Kind

PLAN = Plan(options=(Option("small", (Offer("p/small"),)),), order=(0,), reference=0, deadline=1.0)
DOWN = Attempt(
    rung="small",
    endpoint="p/small",
    model="small",
    purpose="answer",
    result="failed",
    kind=Kind.UNAVAILABLE,
    why="no connection",
)


def told(*attempts: Attempt) -> str:
    return str(failure(Ended(Finish("failed", why="gave_up"), attempts), PLAN))


def test_attempts_that_went_alike_are_told_once_and_counted() -> None:
    message = told(DOWN, DOWN, DOWN)
    assert message.count("no connection") == 1
    assert "small at p/small failed (unavailable): no connection (3 times)" in message


def test_a_rung_named_by_its_model_is_not_named_twice() -> None:
    alone = Attempt("p/small", "p/small", "small", "answer", "failed", kind=Kind.AUTH)
    assert "Attempts: p/small failed (auth)." in told(alone)

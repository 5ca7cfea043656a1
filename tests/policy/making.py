"""Small plans, answers and a hand that feeds the machine one event at a time."""

from __future__ import annotations

from typing import Any

from cascade.policy.machine import initial, step
from cascade.policy.model import (
    Accept,
    Action,
    Answered,
    Begun,
    Call,
    Candidate,
    Choice,
    Event,
    Failed,
    Finish,
    GiveUp,
    Offer,
    Option,
    Plan,
    Rule,
    State,
    Streamed,
    Try,
    View,
    Wait,
    Woke,
)
from cascade.policy.rules import Threshold
from cascade.types import Bar, Clocks, Comparison, Evidence, Kind

BAR = Bar(rule=(Comparison("mean_logprob", ">=", -0.15),))
SURE = Evidence(mean_logprob=-0.05)
UNSURE = Evidence(mean_logprob=-2.0)
NO_CLOCKS = Clocks(connect=None, first_token=None, idle=None, total=None)


def option(
    rung: str, *, offers: int = 1, hold: int | None = 10, price: int | None = 1, **settings: Any
) -> Option:
    """An option whose offers have these prices; output is bounded by 100 tokens."""
    made = tuple(Offer(f"{name}/{rung}", hold, price) for name in "abc"[:offers])
    defaults = {"ceiling": 100, "bar": BAR}
    return Option(rung=rung, offers=made, **{**defaults, **settings})


def plan(*options: Option, **settings: Any) -> Plan:
    """A ladder in its own order, with the last option for a reference and 100 s of time."""
    made = options or (option("small"), option("strong", bar=None))
    defaults = {
        "order": tuple(range(len(made))),
        "reference": len(made) - 1,
        "deadline": 100.0,
    }
    return Plan(options=made, **{**defaults, **settings})


class Hand:
    """Feeds the machine and remembers its state and the actions of the last event."""

    def __init__(self, plan: Plan, rule: Rule | None = None) -> None:
        self.plan = plan
        self.rule: Rule = Threshold() if rule is None else rule
        self.state: State = initial(plan)
        self.actions: tuple[Action, ...] = ()

    def tell(self, event: Event, now: float = 0.0) -> tuple[Action, ...]:
        """One event; what the machine wants done."""
        self.state, self.actions = step(self.plan, self.rule, self.state, event, now)
        return self.actions

    def begin(self, now: float = 0.0) -> tuple[Action, ...]:
        """The request arrives."""
        return self.tell(Begun(), now)

    def answer(self, call: int, now: float = 0.0, *, cost: int = 0, **shown: Any) -> list[Action]:
        """A call ends with an answer."""
        return list(self.tell(Answered(call, Candidate(call, 0, **shown), cost), now))

    def fail(
        self, call: int, kind: Kind, now: float = 0.0, *, cost: int = 0, after: float | None = None
    ) -> list[Action]:
        """A call fails."""
        return list(self.tell(Failed(call, kind, cost, after), now))

    def stream(self, call: int, now: float = 0.0) -> list[Action]:
        """A call shows its first content."""
        return list(self.tell(Streamed(call), now))

    def wake(self, now: float) -> list[Action]:
        """The time asked for has come."""
        return list(self.tell(Woke(), now))

    @property
    def calls(self) -> list[tuple[int, int, int]]:
        """Number, option and offer of the calls that the last event started."""
        return [(a.call, a.option, a.offer) for a in self.actions if isinstance(a, Call)]

    @property
    def call(self) -> Call:
        """The one call that the last event started."""
        [call] = [action for action in self.actions if isinstance(action, Call)]
        return call

    @property
    def finish(self) -> Finish:
        """The end, which the last event brought."""
        last = self.actions[-1]
        assert isinstance(last, Finish)
        return last


def offered(state: State, plan: Plan, now: float = 0.0) -> list[Choice]:
    """What a rule may choose in a state."""
    seen: list[Choice] = []

    def look(view: View, moves: tuple[Choice, ...]) -> Choice:
        seen.extend(moves)
        return GiveUp()

    step(plan, look, state, Begun(), now)
    return seen


__all__ = [
    "BAR",
    "NO_CLOCKS",
    "SURE",
    "UNSURE",
    "Accept",
    "Hand",
    "Try",
    "Wait",
    "offered",
    "option",
    "plan",
]

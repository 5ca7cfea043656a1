"""The machine's vocabulary: plans, states, events, actions, moves. All of it frozen.

Times are seconds on one monotonic clock, money is in units, refs and calls are small integers
that the machine hands out in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from cascade.types import Bar, Basis, Clocks, Evidence, Kind, Outcome


class Offer(msgspec.Struct, frozen=True):
    """An endpoint as an option sees it.

    ``input_hold`` is the most that the request's input can cost there, ``output_price`` the price
    of an output token; None where the price is unknown, and then it is never called under a cap.
    """

    endpoint: str
    input_hold: int | None = 0
    output_price: int | None = 0


class Option(msgspec.Struct, frozen=True):
    """A rung that is open to this request.

    ``ceiling`` is the most output tokens it may produce (None: the model's own limit);
    ``own_ceiling`` says that neither caller nor model set it. ``floor`` is the least room that is
    worth a call. A ``live`` option commits at its first content. ``window`` is the context window
    in tokens, the widest of its endpoints', None where one is unknown.
    """

    rung: str
    offers: tuple[Offer, ...]
    clocks: Clocks = Clocks()
    ceiling: int | None = None
    own_ceiling: bool = False
    floor: int = 1
    bar: Bar | None = None
    calls: int = 3
    hedge_after: float | None = None
    live: bool = False
    window: int | None = None


class PaidCheck(msgspec.Struct, frozen=True):
    """A check that costs money: its name and the most that it can cost."""

    name: str
    hold: int = 0


class Plan(msgspec.Struct, frozen=True):
    """All that is decided before the first call.

    ``options`` run from cheapest to strongest; ``order`` is the order of first calls, its first
    the start. ``reference`` is the strongest option that ladder, parameters and context window
    leave open, None where it cannot be called under the cap.
    """

    options: tuple[Option, ...]
    order: tuple[int, ...]
    reference: int | None
    deadline: float
    cap: int | None = None
    delivery: Literal["whole", "verified", "live"] = "whole"
    at_the_end: Literal["best_effort", "error"] = "best_effort"
    checks: tuple[PaidCheck, ...] = ()
    seed: int = 0


class Candidate(msgspec.Struct, frozen=True):
    """An answer as the machine sees it: never its text.

    ``usable`` is False for a refuted one. ``declined`` marks a refusal, a content filter, or an
    answer that its model cut off: it is short whatever its evidence says. ``storable`` says that
    it is whole. ``reserved`` marks one that does what only the reference may do: it is not usable,
    and nobody but the reference is called any more.
    """

    ref: int
    option: int
    usable: bool = True
    storable: bool = True
    declined: bool = False
    reserved: bool = False
    evidence: Evidence = Evidence()
    confidence: float | None = None
    asked: tuple[str, ...] = ()


class Flight(msgspec.Struct, frozen=True):
    """A call that is under way, or cancelled and not yet billed. ``check`` names a paid check."""

    call: int
    option: int
    offer: int
    hold: int
    since: float
    streamed: bool = False
    hedged: bool = False
    cancelled: bool = False
    check: str | None = None
    ref: int | None = None


class Tally(msgspec.Struct, frozen=True):
    """An option's history in this request. ``failed`` lists offers in the order of their
    failures, ``closed`` the offers that are not called again, ``over`` that no call is left.
    None that failed is tried again before ``resume``: so long its provider wants to be left alone.
    """

    calls: int = 0
    retries: int = 0
    failed: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()
    answered: bool = False
    over: bool = False
    resume: float = 0.0


class Retry(msgspec.Struct, frozen=True):
    """A call that waits for its time."""

    option: int
    at: float


class State(msgspec.Struct, frozen=True):
    """Everything that is known of a request under way. ``spent`` is settled money."""

    tallies: tuple[Tally, ...]
    spent: int = 0
    overrun: bool = False
    next_call: int = 0
    flights: tuple[Flight, ...] = ()
    answers: tuple[Candidate, ...] = ()
    retries: tuple[Retry, ...] = ()
    committed: int | None = None
    wake: float | None = None
    outcome: Outcome | None = None

    @property
    def held(self) -> int:
        """Money that calls under way may still cost."""
        return sum(flight.hold for flight in self.flights)

    @property
    def waits(self) -> bool:
        """Whether something is under way that may still bring an answer."""
        return bool(self.retries) or any(not flight.cancelled for flight in self.flights)


# --- events: what happened ---


class Begun(msgspec.Struct, frozen=True):
    """The request has arrived."""


class Answered(msgspec.Struct, frozen=True):
    """A call ended with an answer; ``cost`` is its bill."""

    call: int
    candidate: Candidate
    cost: int


class Checked(msgspec.Struct, frozen=True):
    """A paid check ended: what is known of its answer now."""

    call: int
    evidence: Evidence
    confidence: float | None
    cost: int


class Failed(msgspec.Struct, frozen=True):
    """A call ended without an answer; what it produced until then is billed. ``needs`` is the
    prompt's size in tokens, where the provider stated it."""

    call: int
    kind: Kind
    cost: int = 0
    retry_after: float | None = None
    needs: int | None = None


class Refused(msgspec.Struct, frozen=True):
    """A shared budget would not hold the call: it never started."""

    call: int


class Streamed(msgspec.Struct, frozen=True):
    """The first content of a streamed call has arrived."""

    call: int


class Woke(msgspec.Struct, frozen=True):
    """The time asked for with ``WakeAt`` has come."""


class Left(msgspec.Struct, frozen=True):
    """The caller does not want the answer any more."""


Event = Begun | Answered | Checked | Failed | Refused | Streamed | Woke | Left


# --- actions: what the engine shall do ---


class Call(msgspec.Struct, frozen=True):
    """Call an offer. ``limit`` replaces the request's output limit in tokens where it is given;
    ``own_limit`` says that the cap shrank it."""

    call: int
    option: int
    offer: int
    clocks: Clocks
    hold: int
    limit: int | None = None
    own_limit: bool = False


class Check(msgspec.Struct, frozen=True):
    """Run a paid check on an answer."""

    call: int
    check: str
    ref: int
    hold: int


class Cancel(msgspec.Struct, frozen=True):
    """Stop a call. Its bill still comes as an event."""

    call: int


class Commit(msgspec.Struct, frozen=True):
    """Let this call's bytes leave from now on."""

    call: int


class WakeAt(msgspec.Struct, frozen=True):
    """Send ``Woke`` at this time; it replaces an earlier one."""

    at: float


Why = Literal["rule", "gave_up", "deadline", "cap", "caller", "left", "committed"]


class Finish(msgspec.Struct, frozen=True):
    """The end. ``ref`` names the answer that is returned; ``store`` says that it may be kept."""

    outcome: Outcome
    basis: Basis | None = None
    ref: int | None = None
    store: bool = False
    why: Why = "rule"


Action = Call | Check | Cancel | Commit | WakeAt | Finish


# --- moves: what a rule may answer ---


class Accept(msgspec.Struct, frozen=True):
    """Return this answer."""

    ref: int


class Try(msgspec.Struct, frozen=True):
    """Call this option."""

    option: int


class Ask(msgspec.Struct, frozen=True):
    """Run a paid check on this answer."""

    check: str
    ref: int


class Wait(msgspec.Struct, frozen=True):
    """Wait for what is under way."""


class GiveUp(msgspec.Struct, frozen=True):
    """Stop here: the best answer in hand, or an error, as the plan says."""


Choice = Accept | Try | Ask | Wait | GiveUp


class View(msgspec.Struct, frozen=True):
    """What a rule sees: the plan, the state and the time. It can change none of them."""

    plan: Plan
    state: State
    now: float

    @property
    def answers(self) -> tuple[Candidate, ...]:
        """The answers in hand, in the order of their arrival, refuted ones included."""
        return self.state.answers

    @property
    def waits(self) -> bool:
        """Whether something is under way that may still bring an answer."""
        return self.state.waits

    def option(self, candidate: Candidate) -> Option:
        """The option that gave this answer."""
        return self.plan.options[candidate.option]


Rule = Callable[[View, tuple[Choice, ...]], Choice | None]

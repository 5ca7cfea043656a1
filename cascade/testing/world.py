"""A virtual world: what every call would do, played against the machine without a clock.

Everything in it is data, so that one world can be played under many plans and rules.
"""

from __future__ import annotations

import heapq
from itertools import count

import msgspec

from cascade.policy.machine import initial, step
from cascade.policy.model import (
    Action,
    Answered,
    Begun,
    Call,
    Cancel,
    Candidate,
    Check,
    Checked,
    Commit,
    Event,
    Failed,
    Finish,
    Left,
    Plan,
    Refused,
    Rule,
    State,
    Streamed,
    WakeAt,
    Woke,
)
from cascade.policy.remedies import RETRIES
from cascade.types import Clocks, Evidence, Kind

_HASTE = 0.0005


class Reaction(msgspec.Struct, frozen=True):
    """What one call does: when its first content and its end come (seconds), and how it ends.

    ``kind`` is None for an answer; ``needs`` is what a too long prompt is said to need. A
    ``reserved`` answer counts as one below the reference only. ``bill`` is a share of the call's
    hold (of 1,000 units without a cap); above 1 it overruns. ``refused`` calls never start.
    """

    seconds: float = 1.0
    first: float | None = 0.1
    kind: Kind | None = None
    usable: bool = True
    storable: bool = True
    declined: bool = False
    reserved: bool = False
    evidence: Evidence = Evidence()
    confidence: float | None = None
    bill: float = 0.5
    retry_after: float | None = None
    needs: int | None = None
    refused: bool = False


class World(msgspec.Struct, frozen=True):
    """Reactions by option and number of its call (the last one repeats), what a paid check
    finds, and when the caller leaves.

    Under ``echoes`` the events of calls come a second time. A ``deaf`` world notices a
    cancellation too late: the call ends as it would have. In a ``hasty`` one timers go off a
    little early first, as coarse clocks have it.
    """

    reactions: tuple[tuple[Reaction, ...], ...]
    check: Reaction = Reaction()
    leaves: float | None = None
    echoes: bool = False
    deaf: bool = False
    hasty: bool = False

    def reaction(self, option: int, nth: int) -> Reaction:
        """What the ``nth`` call of an option does."""
        script = self.reactions[option]
        return script[min(nth, len(script) - 1)]


class Moment(msgspec.Struct, frozen=True):
    """One step of a walk: the event, the states around it, what the machine wanted done."""

    now: float
    event: Event
    before: State
    after: State
    actions: tuple[Action, ...]


class Walk(msgspec.Struct, frozen=True):
    """A whole request, step by step. ``stuck`` says that nothing was due any more before the
    end, ``endless`` that it went on beyond any bound."""

    plan: Plan
    world: World
    moments: tuple[Moment, ...]
    stuck: bool = False
    endless: bool = False

    @property
    def actions(self) -> list[Action]:
        """All actions in order."""
        return [action for moment in self.moments for action in moment.actions]

    @property
    def finish(self) -> Finish | None:
        """How it ended."""
        return next((a for a in self.actions if isinstance(a, Finish)), None)


def longest_walk(plan: Plan) -> int:
    """A bound on the steps of a request, computed from its plan alone.

    A call has at most four events (its first content and its end, and their echoes) and one
    wake-up for a hedge; a check has two events, and an option one answer that is worth a check.
    Retries and the deadline are wake-ups too; a hasty timer doubles them. Beginning and leaving
    come on top.
    """
    calls = sum(option.calls for option in plan.options)
    checks = len(plan.options) * len(plan.checks)
    wakings = calls + RETRIES * len(plan.options) + 1
    return 2 + 4 * calls + 2 * checks + 2 * wakings


def walk(plan: Plan, rule: Rule, world: World, start: float = 0.0) -> Walk:
    """Play a request to its end, and every bill that comes after it."""
    return _Player(plan, rule, world).play(start)


class _Player:
    """The virtual engine: a queue of events in time order."""

    def __init__(self, plan: Plan, rule: Rule, world: World) -> None:
        self.plan, self.rule, self.world = plan, rule, world
        self.queue: list[tuple[float, int, Event]] = []
        self.order = count()
        self.pending: dict[int, tuple[Call | Check, Reaction]] = {}
        self.nth = [0] * len(plan.options)
        self.timer = -1
        self.moments: list[Moment] = []

    def play(self, start: float) -> Walk:
        state, finished = initial(self.plan), False
        self._post(start, Begun())
        if self.world.leaves is not None:
            self._post(start + self.world.leaves, Left())
        limit = longest_walk(self.plan)
        while self.queue:
            now, number, event = heapq.heappop(self.queue)
            if isinstance(event, Woke) and number != self.timer:
                continue  # replaced by a later WakeAt
            if isinstance(event, Answered | Checked | Failed | Refused):
                self.pending.pop(event.call, None)
            before = state
            state, actions = step(self.plan, self.rule, before, event, now)
            self.moments.append(Moment(now, event, before, state, actions))
            for action in actions:
                finished = finished or isinstance(action, Finish)
                self._perform(action, now)
            if len(self.moments) > limit:
                return self._walk(endless=True)
        return self._walk(stuck=not finished)

    def _walk(self, stuck: bool = False, endless: bool = False) -> Walk:
        return Walk(self.plan, self.world, tuple(self.moments), stuck, endless)

    def _post(self, at: float, event: Event) -> int:
        number = next(self.order)
        heapq.heappush(self.queue, (at, number, event))
        return number

    def _perform(self, action: Action, now: float) -> None:
        match action:
            case Call():
                reaction = self.world.reaction(action.option, self.nth[action.option])
                self.nth[action.option] += 1
                self._begin(action, reaction, now)
            case Check():
                self._begin(action, self.world.check, now)
            case Cancel():
                self._stop(action.call, now)
            case WakeAt(at):
                early = at - _HASTE
                at = early if self.world.hasty and early > now else max(at, now)
                self.timer = self._post(at, Woke())
            case Commit() | Finish():
                pass

    def _begin(self, action: Call | Check, reaction: Reaction, now: float) -> None:
        self.pending[action.call] = (action, reaction)
        end, event = self._ending(action, reaction)
        first = reaction.first
        if isinstance(action, Call) and first is not None and first < end and not reaction.refused:
            self._post(now + first, Streamed(action.call))
            if self.world.echoes:
                self._post(now + first + 0.01, Streamed(action.call))
        self._post(now + end, event)
        if self.world.echoes:
            self._post(now + end + 0.01, event)

    def _ending(self, action: Call | Check, reaction: Reaction) -> tuple[float, Event]:
        bill = self._bill(action, reaction)
        if reaction.refused:
            return 0.0, Refused(action.call)
        if isinstance(action, Check):
            if reaction.kind is not None:
                return reaction.seconds, Failed(action.call, reaction.kind, bill)
            checked = Checked(action.call, reaction.evidence, reaction.confidence, bill)
            return reaction.seconds, checked
        limit = _limit(action.clocks, reaction)
        if limit < reaction.seconds:
            return limit, Failed(action.call, Kind.TIMED_OUT, bill)
        if reaction.kind is not None:
            failed = Failed(action.call, reaction.kind, bill, reaction.retry_after, reaction.needs)
            return reaction.seconds, failed
        return reaction.seconds, Answered(action.call, self._candidate(action, reaction), bill)

    def _candidate(self, call: Call, reaction: Reaction) -> Candidate:
        reserved = reaction.reserved and call.option != self.plan.reference
        return Candidate(
            ref=call.call,
            option=call.option,
            usable=reaction.usable and not reserved,
            storable=reaction.storable,
            declined=reaction.declined,
            reserved=reserved,
            evidence=reaction.evidence,
            confidence=reaction.confidence,
        )

    def _bill(self, action: Call | Check, reaction: Reaction) -> int:
        return int(reaction.bill * (action.hold if self.plan.cap is not None else 1_000))

    def _stop(self, call: int, now: float) -> None:
        """A cancelled call ends a little later, with the bill for what it had produced."""
        if call not in self.pending or self.world.deaf:
            return
        action, reaction = self.pending[call]
        self.queue = [item for item in self.queue if getattr(item[2], "call", None) != call]
        heapq.heapify(self.queue)
        self._post(now + 0.05, Failed(call, Kind.BROKEN, self._bill(action, reaction)))


def _limit(clocks: Clocks, reaction: Reaction) -> float:
    """When the endpoint's clocks would end this call, in seconds from its start."""
    limit = clocks.total if clocks.total is not None else reaction.seconds
    late = reaction.first is None or reaction.first > (clocks.first_token or reaction.first)
    if late and clocks.first_token is not None:
        return min(limit, clocks.first_token)
    return limit

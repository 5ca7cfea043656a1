"""The driver of one request: perform the machine's actions, tell it what happened, ask again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import assert_never

import msgspec
from msgspec.structs import replace

from cascade.engine.attempt import Landing
from cascade.engine.delivery import Delivery, Outlet
from cascade.engine.overhearing import Overheard
from cascade.engine.showing import shown_piece
from cascade.engine.standings import Standings
from cascade.engine.telling import Teller
from cascade.engine.watching import watched_attempt
from cascade.log import logger
from cascade.policy.machine import initial, step
from cascade.policy.model import (
    Answered,
    Begun,
    Call,
    Cancel,
    Check,
    Commit,
    Event,
    Failed,
    Finish,
    Left,
    Option,
    Plan,
    Rule,
    Streamed,
    WakeAt,
    Woke,
)
from cascade.policy.rules import Threshold
from cascade.providers.endpoint import Caller
from cascade.types import Attempt, Delta, Kind, Request, Response, Result, Rung
from cascade.wire.replay import deltas_of


class Ended(msgspec.Struct, frozen=True):
    """How a request ended: the machine's word, every attempt, the answer if there is one, and
    what went wrong with the user's rule if anything did."""

    finish: Finish
    attempts: tuple[Attempt, ...]
    response: Response | None = None
    chosen: Attempt | None = None
    trouble: str | None = None


class Means(msgspec.Struct, frozen=True):
    """What a run works with: the rule, the ladder's rungs, its endpoints and their standings, and
    the tools that only its last rung may call."""

    rule: Rule
    rungs: Mapping[str, Rung]
    callers: Mapping[str, Caller]
    standings: Standings
    last: str
    reserved: frozenset[str] = frozenset()


class Run:
    """One request on its way. It lives in callbacks: every event is one step of the machine.

    ``done`` is fulfilled when the machine has finished and every call has landed with its bill;
    just before, ``on_end`` hears of it, once. A defect of ours ends the run as well: ``on_end``
    hears what was spent until then, and ``done`` raises it.
    """

    def __init__(
        self,
        plan: Plan,
        request: Request,
        means: Means,
        outlet: Outlet | None = None,
    ) -> None:
        self.plan, self.request, self._means = plan, request, means
        rule = means.rule
        self._rule: Rule = rule if type(rule) is Threshold else Overheard(rule)
        self._loop = asyncio.get_running_loop()
        self._state = initial(plan)
        self._delivery = Delivery(outlet)
        self._outlet = outlet
        self._teller = None if outlet is None else Teller(plan, outlet)
        self._tasks: dict[int, asyncio.Task[Landing]] = {}
        self._cancelled: dict[int, Result] = {}
        self._landings: dict[int, Landing] = {}
        self._called: dict[int, Call] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._finish: Finish | None = None
        self._defect: BaseException | None = None
        self._over = False
        self.done: asyncio.Future[Ended] = self._loop.create_future()
        self.on_end: Callable[[Ended], None] | None = None

    def begin(self) -> None:
        """Take the first step."""
        self._tell(Begun())

    def leave(self) -> None:
        """Nobody wants the answer any more: stop what is under way, and record its bill."""
        self._delivery.detach()
        if self._outlet is not None:
            self._outlet.end()  # at a shutdown somebody may still be reading
            self._outlet = self._teller = None
        self._tell(Left())

    @property
    def rung(self) -> str | None:
        """The rung whose pieces the reader gets; None while nothing has left as it came."""
        committed = self._delivery.committed
        if committed is None:
            return None
        return self.plan.options[self._called[committed].option].rung

    def piece(self, call: int, delta: Delta) -> None:
        """A piece of a live call has arrived."""
        self._delivery.take(call, shown_piece(delta, self.request))

    def speaks(self, call: int) -> None:
        """The first piece of a streamed call has arrived."""
        if self._teller is not None:
            self._teller.speaks(self._called[call])
        self._tell(Streamed(call))

    # --- events in, actions out ---

    def _tell(self, event: Event) -> None:
        if self._defect is not None:
            return
        try:
            self._state, actions = step(
                self.plan, self._rule, self._state, event, self._loop.time()
            )
            for action in actions:
                self._perform(action)
            if self._tasks or self._over:
                return
            if self._finish is not None:
                self._end(self._ended(self._finish))
            elif self._timer is None:
                raise AssertionError("the machine waits for nothing: nobody would wake it")
        except Exception as error:  # noqa: BLE001 - a defect of ours must reach the caller, not hang
            self._break_down(error)

    def _perform(self, action: Call | Check | Cancel | Commit | WakeAt | Finish) -> None:
        match action:
            case Call():
                self._call(action)
            case Cancel(call):
                given_up = self._state.outcome in ("failed", "best_effort", "cancelled")
                self._cancelled[call] = "cancelled" if given_up else "hedge_lost"
                self._tasks[call].cancel()
            case Commit(call):
                self._delivery.commit(call)
            case WakeAt(at):
                self._wake_at(at)
            case Finish():
                self._finished(action)
            case Check():
                raise AssertionError("a paid check was chosen, and no plan of this version has one")
            case _:
                assert_never(action)

    def _call(self, call: Call) -> None:
        option = self.plan.options[call.option]
        means = self._means
        rung = means.rungs[option.rung]
        self._called[call.call] = call
        if self._teller is not None:
            self._teller.calls(call)
        stream = self._outlet is not None or rung.watched
        live = self._outlet is not None and option.live
        task = self._loop.create_task(
            watched_attempt(
                means.standings,
                call,
                means.callers[option.offers[call.offer].endpoint],
                rung,
                self.request,
                logprobs=self.request.logprobs or _reads_logprobs(option),
                stream=stream,
                on_delta=_Watcher(self, call.call, live) if stream else None,
                waits=len(option.offers) == 1 and option.hedge_after is None,
                reserved=frozenset() if rung.name == means.last else means.reserved,
            )
        )
        self._tasks[call.call] = task
        task.add_done_callback(lambda task: self._landed(call, task))

    def _landed(self, call: Call, task: asyncio.Task[Landing]) -> None:
        del self._tasks[call.call]
        if task.cancelled():
            landing = self._never_sent(call)
        elif (error := task.exception()) is not None:
            self._break_down(error)
            return
        else:
            landing = task.result()
        self._landings[call.call] = landing
        if self._teller is not None:
            self._teller.landed(call, landing)
        if landing.attempt.result == "failed":
            _log_failure(landing.attempt)
        if landing.defect is not None:
            self._break_down(landing.defect)
            return
        self._tell(landing.event)
        self._fall()

    def _never_sent(self, call: Call) -> Landing:
        """A call that was cancelled before its task took its first step costs nothing."""
        option = self.plan.options[call.option]
        endpoint = self._means.callers[option.offers[call.offer].endpoint].endpoint
        attempt = Attempt(
            rung=option.rung,
            endpoint=endpoint.name,
            model=endpoint.model,
            purpose="answer",
            result="cancelled",
            cost=0,
        )
        return Landing(Failed(call.call, Kind.BROKEN), attempt)

    def _wake_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._woke)

    def _woke(self) -> None:
        self._timer = None
        self._tell(Woke())

    def _finished(self, finish: Finish) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._finish = finish
        if self._outlet is None:
            return
        if finish.ref is not None and self._delivery.committed is None:
            response = self._landings[finish.ref].response
            assert response is not None, "a returned answer has a response"
            for delta in deltas_of(response):
                self._outlet.put(delta)
        self._outlet.end()

    def _break_down(self, error: BaseException) -> None:
        """Something that cannot happen did: stop everything, and let the caller see it."""
        self._defect = self._defect or error
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks.values():
            task.cancel()
        if self._outlet is not None:
            self._outlet.end()
        self._fall()

    def _fall(self) -> None:
        """After a defect, and once no call is under way: the end."""
        if self._defect is None or self._tasks or self._over:
            return
        try:
            self._report(self._ended(Finish("failed", why="gave_up")))
        except Exception as error:  # noqa: BLE001 - one more defect: told beside the first
            self._defect.add_note(f"Nor could its account be kept: {error!r}")
        self._over = True
        if not self.done.done():
            self.done.set_exception(self._defect)

    # --- the end ---

    def _end(self, ended: Ended) -> None:
        """Have it recorded and kept, and only then let the caller go on: it may ask again."""
        self._report(ended)
        self._over = True
        if not self.done.done():
            self.done.set_result(ended)

    def _report(self, ended: Ended) -> None:
        """Tell ``on_end``, unless it was told already: its totals count once."""
        hear, self.on_end = self.on_end, None
        if hear is not None:
            hear(ended)

    def _ended(self, finish: Finish) -> Ended:
        attempts = tuple(
            self._with_result(call, landing, finish)
            for call, landing in sorted(self._landings.items())
        )
        if finish.ref is None:
            return Ended(finish, attempts, trouble=self._trouble())
        landing = self._landings[finish.ref]
        chosen = self._with_result(finish.ref, landing, finish)
        return Ended(finish, attempts, landing.response, chosen, self._trouble())

    def _trouble(self) -> str | None:
        return self._rule.trouble if isinstance(self._rule, Overheard) else None

    def _with_result(self, call: int, landing: Landing, finish: Finish) -> Attempt:
        """What became of the attempt is known at the end only."""
        result: Result = landing.attempt.result
        if call == finish.ref and finish.outcome == "accepted":
            result = "accepted"
        elif result in ("cancelled", "short"):  # an answer that came after all is lost as well
            result = self._cancelled.get(call, result)
        why = landing.attempt.why
        if result == "short" and why is None:
            why = _why_short(self.plan.options[self._called[call].option], landing.event)
        return replace(landing.attempt, result=result, why=why)


class _Watcher:
    """Sees a streamed call's pieces: tells the machine of the first, and hands on a live one's."""

    def __init__(self, run: Run, call: int, live: bool) -> None:
        self._run, self._call, self._live = run, call, live
        self._told = False

    def __call__(self, delta: Delta) -> None:
        if self._live:
            self._run.piece(self._call, delta)
        if not self._told and (delta.has_content or delta.reasoning):
            self._told = True
            self._run.speaks(self._call)


def _log_failure(attempt: Attempt) -> None:
    """A provider that fails may cost nobody an answer: whoever runs this must still hear of it."""
    logger("engine").warning(
        "a call failed",
        rung=attempt.rung,
        endpoint=attempt.endpoint,
        kind=attempt.kind,
        why=attempt.why,
    )


def _why_short(option: Option, event: Event) -> str | None:
    """What an answer lacked, in words."""
    if not isinstance(event, Answered) or option.bar is None:
        return None
    candidate = event.candidate
    if candidate.declined:
        return "it refused, was filtered, or did not come to its own end"
    if option.bar.is_unsure(candidate.evidence, candidate.confidence):
        return f"it shows no evidence for the bar {option.bar}"
    return f"below the bar {option.bar}"


def _reads_logprobs(option: Option) -> bool:
    bar = option.bar
    if bar is None:
        return False
    return bar.reads_logprobs or bar.confidence is not None

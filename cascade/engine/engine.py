"""The life of a request: look it up, or plan it, run it, keep its answer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping

import msgspec

from cascade.cache.disk import ResponseCache
from cascade.cache.rules import shelf
from cascade.cache.rules.entry import Entry
from cascade.cache.rules.scope import KeyMaker
from cascade.checks.admission import admit
from cascade.engine import answers
from cascade.engine.acceptance import Acceptance, Place
from cascade.engine.delivery import Outlet
from cascade.engine.departure import Admitted
from cascade.engine.departure import Departure as Departure
from cascade.engine.leasing import Turn, Turns
from cascade.engine.loop import Ended, Means, Run
from cascade.engine.sessions import Sessions, key_of
from cascade.engine.sharing import SharedRun, SharedRuns
from cascade.engine.sizing import UncountedError, counted, uncounted
from cascade.engine.standings import Standings
from cascade.engine.totals import Totals
from cascade.errors import CascadeError, DeadlineExceeded, NotCached, RequestError, Unavailable
from cascade.policy.complexity import VERSION, classify
from cascade.policy.conditions import Conditions
from cascade.policy.model import Rule
from cascade.policy.openness import Size, reserved_tools
from cascade.policy.plan import make_plan
from cascade.providers.endpoint import Caller
from cascade.types import Answer, Attempt, Complexity, Ladder, Request, Tables

Callers = Callable[[Ladder], Mapping[str, Caller]]

_LEVELS = VERSION.to_bytes(2, "big")  # part of every key: levels of two versions do not compare


class Lookup(msgspec.Struct, frozen=True, gc=False):
    """What the cache said of a request, and what was found out on the way: ``ladder`` and
    ``key`` are None where nothing was looked up."""

    answer: Answer | None = None
    ladder: Ladder | None = None
    key: str | None = None


_NOT_LOOKED = Lookup()


class Engine:
    """One per process and configuration. All but ``recall`` and ``look_up`` is one event loop's.

    Args:
        tables: the compiled configuration.
        callers: gives the endpoints of a ladder, ready to be called.
        rule: what decides, within what the machine allows.
        cache: the response cache, None where there is none.
        keys: makes cache keys.
        standings: what is known of the endpoints.
    """

    def __init__(
        self,
        tables: Tables,
        callers: Callers,
        rule: Rule,
        cache: ResponseCache | None,
        keys: KeyMaker,
        standings: Standings | None = None,
    ) -> None:
        self.tables, self.rule, self.cache = tables, rule, cache
        self._callers, self._keys = callers, keys
        self._acceptance = Acceptance(tables, rule)
        self._fingerprints = {
            name: ladder.fingerprint + _LEVELS for name, ladder in tables.ladders.items()
        }
        self._runs = SharedRuns()
        self.standings = standings or Standings()
        self._sessions = Sessions(self.standings.now)
        self._turns = Turns(cache, self._share, self._recall)
        self._loop = asyncio.get_running_loop()
        self.totals = Totals()

    # --- the way in ---

    def ladder_of(self, request: Request) -> Ladder:
        """The ladder a request names, or the one that holds its pinned rung.

        Raises:
            RequestError: there is no such ladder or rung.
        """
        ladders = self.tables.ladders
        name = request.ladder or "default"
        ladder = ladders.get(name)
        if ladder is None:
            raise RequestError(
                "ladder", name, "there is no such ladder", f"Choose one of {', '.join(ladders)}."
            )
        if request.rung is None or any(rung.name == request.rung for rung in ladder.rungs):
            return ladder
        for other in ladders.values() if request.ladder is None else ():
            if any(rung.name == request.rung for rung in other.rungs):
                return other
        raise RequestError(
            "rung",
            request.rung,
            "no ladder has such a rung" if request.ladder is None else f"{name} has no such rung",
            f"Choose one of {', '.join(self.tables.rungs)}.",
        )

    def recall(self, request: Request) -> Answer | None:
        """The stored answer to a request, if its own plan would accept it now. Never waits."""
        return self.look_up(request).answer

    def look_up(self, request: Request) -> Lookup:
        """As ``recall``, with what ``answer`` and ``stream`` would have to find out again."""
        started = time.perf_counter()
        if self.cache is None or request.cache in ("off", "refresh"):
            return _NOT_LOOKED
        if not shelf.may_look(request, self.tables.cache):
            return _NOT_LOOKED
        ladder = self.ladder_of(request)
        key = self._key(request, ladder)
        entry = self.cache.get(key)
        now = time.time()
        if entry is None or not shelf.fresh(entry, now, request.max_age):
            return Lookup(None, ladder, key)
        place = self._acceptance.find(request, ladder, entry)
        if place is None:
            return Lookup(None, ladder, key)
        latency = time.perf_counter() - started
        answer = answers.from_entry(
            entry, request, ladder, place, latency_s=latency, cache="exact", now=now
        )
        self.totals.count(answer)
        return Lookup(answer, ladder, key)

    def _key(self, request: Request, ladder: Ladder) -> str:
        return self._keys.key(request, self._fingerprints[ladder.name])

    def _admit(self, request: Request, seen: Lookup) -> Admitted:
        if asyncio.get_running_loop() is not self._loop:
            raise CascadeError("It was opened on another event loop: make one for each loop.")
        admit(request)
        if request.cache == "only":
            raise NotCached(
                "nothing is stored for this request, and cache='only' calls nobody."
                " Ask with cache='use' to fill the cache."
            )
        ladder = seen.ladder or self.ladder_of(request)
        shared = self.cache is not None and shelf.may_store(request, self.tables.cache)
        key = (seen.key or self._key(request, ladder)) if shared else None
        since = asyncio.get_running_loop().time()
        joins = shared and request.cache == "use"
        return Admitted(request, ladder, key, since, joins, key_of(request, ladder))

    # --- whole answers ---

    async def answer(self, request: Request, seen: Lookup = _NOT_LOOKED) -> Answer:
        """Answer a request that the cache does not hold: join its like in flight, or make calls.

        ``seen`` is what ``look_up`` returned for it, where it was asked.

        Raises:
            CascadeError: what came instead of an answer.
        """
        begun = await self._begin(self._admit(request, seen), None)
        if isinstance(begun, Answer):
            return begun
        return begun.answer(await begun.flight.wait())

    async def _begin(self, asked: Admitted, outlet: Outlet | None) -> Answer | Departure:
        """Share somebody's answer, or start a run. Tokens are counted only where the plan needs
        it, and on a thread: a long text takes longer than the event loop may stand still."""
        size = uncounted(asked.request)
        while True:
            turn = await self._turns.next(asked, self._until(asked))
            if isinstance(turn, Answer):
                return turn
            try:
                with turn:
                    return self._depart(asked, outlet, size, turn)
            except UncountedError:
                size = await asyncio.to_thread(counted, asked.request)
                # Meanwhile an identical request may have started: look again.
            except Unavailable as closed:
                await self._pause(asked, closed)

    async def _pause(self, asked: Admitted, closed: Unavailable) -> None:
        """Wait where somebody merely asked for a moment's peace, for half of the time at most.

        Raises:
            Unavailable: the one that was given: waiting is no use.
        """
        half = (asked.since + self._until(asked)) / 2
        if closed.pause is None or self._loop.time() + closed.pause > half:
            raise closed
        await asyncio.sleep(closed.pause)

    async def _share(self, asked: Admitted) -> Answer | None:
        """An answer from identical requests under way, one after the other; None to go alone."""
        tried: SharedRun | None = None
        while asked.joins:
            shared = self._runs.find(asked.key)
            if shared is None or shared is tried or self._is_too_old(asked, shared):
                return None
            answer = await self._join(asked, shared)
            if answer is not None:
                return answer
            tried = shared
        return None

    def _is_too_old(self, asked: Admitted, shared: SharedRun) -> bool:
        """Whether the run began longer ago than the request lets an answer be old."""
        max_age = asked.request.max_age
        return max_age is not None and self._loop.time() - shared.since >= max_age

    async def _join(self, asked: Admitted, shared: SharedRun) -> Answer | None:
        """Wait for somebody else's run by one's own deadline. None: its answer will not do."""
        try:
            ended = await shared.wait(self._until(asked))
        except TimeoutError:
            raise DeadlineExceeded(
                "no answer before the deadline: an identical request was under way"
            ) from None
        entry = self._entry(asked, ended, classify(asked.request))
        if entry is None:
            return None
        place = self._acceptance.find_shared(asked.request, asked.ladder, entry)
        return None if place is None else self._collapsed(asked, entry, place, entry.stored_at)

    def _recall(self, asked: Admitted) -> Answer | None:
        """What another process has stored since the request was looked up, if it will do."""
        assert self.cache is not None
        assert asked.key is not None
        entry, now = self.cache.get(asked.key), time.time()
        if entry is None or not shelf.fresh(entry, now, asked.request.max_age):
            return None
        place = self._acceptance.find(asked.request, asked.ladder, entry)
        return None if place is None else self._collapsed(asked, entry, place, now)

    def _collapsed(self, asked: Admitted, entry: Entry, place: Place, now: float) -> Answer:
        """An identical request's answer. ``now`` is unix time."""
        answer = answers.from_entry(
            entry,
            asked.request,
            asked.ladder,
            place,
            latency_s=self._loop.time() - asked.since,
            cache="collapsed",
            now=now,
        )
        self.totals.count(answer)
        return answer

    def _until(self, asked: Admitted) -> float:
        """The request's deadline, on the event loop's clock."""
        return asked.since + (asked.request.deadline or self.tables.decide.deadline)

    # --- streams ---

    async def stream(self, request: Request, seen: Lookup = _NOT_LOOKED) -> Answer | Departure:
        """Begin a streamed request: a shared answer at once, or a run whose pieces come."""
        begun = await self._begin(self._admit(request, seen), Outlet())
        if isinstance(begun, Departure):
            begun.flight.callers += 1
        return begun

    # --- runs ---

    def _depart(self, asked: Admitted, outlet: Outlet | None, size: Size, turn: Turn) -> Departure:
        request, ladder = asked.request, asked.ladder
        complexity = classify(request)
        callers = self._callers(ladder)
        plan = make_plan(
            request,
            ladder,
            self.tables.decide,
            level=complexity.level,
            size=size,
            stream=outlet is not None,
            now=asked.since,
            seed=random.getrandbits(32),
            conditions=self._conditions(asked, callers),
        )
        means = Means(
            self.rule,
            {rung.name: rung for rung in ladder.rungs},
            callers,
            self.standings,
            ladder.rungs[-1].name,
            reserved_tools(request, self.tables.decide),
        )
        run = Run(plan, request, means, outlet)
        departure = Departure(asked, plan, complexity, outlet, self)
        departure.flight = self._runs.start(
            asked.key if asked.joins else None, run, turn.ending(departure.landed)
        )
        return departure

    def _conditions(self, asked: Admitted, callers: Mapping[str, Caller]) -> Conditions:
        standings = self.standings
        return Conditions(
            standings.standings,
            standings.habits,
            standings.pending,
            callers.keys(),
            standings.now(),
            random.random(),
            self._sessions.warmth(asked.session),
        )

    def remember(self, asked: Admitted, ended: Ended) -> None:
        """Note where the conversation was answered."""
        if ended.response is not None and ended.chosen is not None:
            climbed = _has_climbed(ended.attempts, ended.chosen, asked.ladder)
            self._sessions.answered(
                asked.session, asked.ladder, ended.chosen, ended.response, climbed
            )

    def _entry(self, asked: Admitted, ended: Ended, complexity: Complexity) -> Entry | None:
        if not ended.finish.store or ended.response is None or ended.chosen is None:
            return None
        table, request = self.tables.cache, asked.request
        return answers.entry_of(
            ended,
            ended.response,
            ended.chosen,
            complexity,
            now=time.time(),
            lifetime=shelf.lifetime(request, table, random.random()),
            tags=request.tags,
        )

    def keep(self, asked: Admitted, ended: Ended, complexity: Complexity) -> None:
        """Put what may be stored on the shelf; it is readable at once."""
        if self.cache is None or asked.key is None:
            return
        entry = self._entry(asked, ended, complexity)
        if entry is not None and shelf.may_keep(entry.response, self.tables.cache):
            self.cache.put(asked.key, entry)

    async def close(self) -> None:
        """Stop what is under way, record its bills, write what waits to be written."""
        self._turns.close()
        await self._runs.close()
        if self.cache is not None:
            await asyncio.to_thread(self.cache.close)


def _has_climbed(attempts: tuple[Attempt, ...], chosen: Attempt, ladder: Ladder) -> bool:
    """Whether a draft of a weaker rung would not do. A hedge, or a failure, is no draft."""
    names = [rung.name for rung in ladder.rungs]
    drafts = (each.rung for each in attempts if each.result in ("short", "refuted"))
    return any(names.index(rung) < names.index(chosen.rung) for rung in drafts)

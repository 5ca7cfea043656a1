"""The life of a request: look it up, or plan it, run it, keep its answer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping

import msgspec

from cascade import tokens
from cascade.cache.disk import ResponseCache
from cascade.cache.rules import shelf
from cascade.cache.rules.entry import Entry
from cascade.cache.rules.scope import KeyMaker
from cascade.checks.admission import admit
from cascade.engine import answers
from cascade.engine.delivery import Outlet
from cascade.engine.flight import Flight, Flights
from cascade.engine.loop import Ended, Run
from cascade.engine.totals import Totals
from cascade.errors import CascadeError, DeadlineExceeded, NotCached, RequestError
from cascade.policy.complexity import classify
from cascade.policy.model import Plan, Rule
from cascade.policy.plan import Size, bar_for, make_plan, strongest_open
from cascade.providers.endpoint import Caller
from cascade.types import Answer, CacheStatus, Complexity, Ladder, Request, Tables

Callers = Callable[[Ladder], Mapping[str, Caller]]


class Asked(msgspec.Struct, frozen=True):
    """A request with what was found out about it on the way in. ``since`` is the loop's time."""

    request: Request
    ladder: Ladder
    key: str | None
    since: float
    joins: bool


class Engine:
    """One per process and configuration. Everything but ``recall`` runs on one event loop.

    Args:
        tables: the compiled configuration.
        callers: gives the endpoints of a ladder, ready to be called.
        rule: what decides, within what the machine allows.
        cache: the response cache, None where there is none.
        keys: makes cache keys.
    """

    def __init__(
        self,
        tables: Tables,
        callers: Callers,
        rule: Rule,
        cache: ResponseCache | None,
        keys: KeyMaker,
    ) -> None:
        self.tables, self.rule, self.cache = tables, rule, cache
        self._callers, self._keys = callers, keys
        self._indexes = {
            name: {rung.name: index for index, rung in enumerate(ladder.rungs)}
            for name, ladder in tables.ladders.items()
        }
        self._flights = Flights()
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
        started = time.perf_counter()
        if self.cache is None or request.cache in ("off", "refresh"):
            return None
        if not shelf.may_look(request, self.tables.cache):
            return None
        ladder = self.ladder_of(request)
        entry = self.cache.get(self._keys.key(request, ladder.fingerprint))
        if entry is None:
            return None
        now = time.time()
        if not shelf.fresh(entry, now, request.max_age) or not self._takes(request, ladder, entry):
            return None
        answer = answers.from_entry(
            entry, ladder, latency_s=time.perf_counter() - started, cache="exact", now=now
        )
        self.totals.count(answer)
        return answer

    def _takes(self, request: Request, ladder: Ladder, entry: Entry) -> bool:
        """Whether this request's own plan would accept the entry's answer now."""
        index = self._indexes[ladder.name].get(entry.rung)
        if index is None:
            return False
        last = len(ladder.rungs) - 1
        if request.rung is not None:
            bar, strongest = ladder.rungs[index].accept, index
        else:
            bar = bar_for(request, ladder, entry.complexity.level, index)
            strongest = last
            if entry.basis == "reference" and index < last:
                strongest = strongest_open(request, ladder, _size(request))
        return shelf.takes(entry, bar=bar, rung_index=index, strongest_index=strongest)

    def _ask(self, request: Request) -> Asked:
        if asyncio.get_running_loop() is not self._loop:
            raise CascadeError("It was opened on another event loop: make one for each loop.")
        admit(request)
        if request.cache == "only":
            raise NotCached(
                "nothing is stored for this request, and cache='only' calls nobody."
                " Ask with cache='use' to fill the cache."
            )
        ladder = self.ladder_of(request)
        shared = self.cache is not None and shelf.may_store(request, self.tables.cache)
        key = self._keys.key(request, ladder.fingerprint) if shared else None
        since = asyncio.get_running_loop().time()
        return Asked(request, ladder, key, since, joins=shared and request.cache == "use")

    # --- whole answers ---

    async def answer(self, request: Request) -> Answer:
        """Answer a request that the cache does not hold: join its like in flight, or make calls.

        Raises:
            CascadeError: what came instead of an answer.
        """
        asked = self._ask(request)
        shared = await self._share(asked)
        if shared is not None:
            return shared
        departure = self._depart(asked, None)
        return departure.answer(await departure.flight.wait())

    async def _share(self, asked: Asked) -> Answer | None:
        """An answer from identical requests under way, one after the other; None to go alone."""
        tried: Flight | None = None
        while asked.joins:
            flight = self._flights.find(asked.key)
            if flight is None or flight is tried:
                return None
            answer = await self._join(asked, flight)
            if answer is not None:
                return answer
            tried = flight
        return None

    async def _join(self, asked: Asked, flight: Flight) -> Answer | None:
        """Wait for somebody else's run by one's own deadline. None: its answer will not do."""
        deadline = asked.request.deadline or self.tables.decide.deadline
        try:
            ended = await flight.wait(asked.since + deadline)
        except TimeoutError:
            raise DeadlineExceeded(
                "no answer before the deadline: an identical request was under way"
            ) from None
        complexity = classify(asked.request)
        entry = self._entry(asked, ended, complexity)
        if entry is None or not self._takes(asked.request, asked.ladder, entry):
            return None
        latency = asyncio.get_running_loop().time() - asked.since
        answer = answers.from_entry(
            entry, asked.ladder, latency_s=latency, cache="collapsed", now=entry.stored_at
        )
        self.totals.count(answer)
        return answer

    # --- streams ---

    async def stream(self, request: Request) -> Answer | Departure:
        """Begin a streamed request: a shared answer at once, or a run whose pieces come."""
        asked = self._ask(request)
        shared = await self._share(asked)
        if shared is not None:
            return shared
        departure = self._depart(asked, Outlet())
        departure.flight.callers += 1
        return departure

    # --- runs ---

    def _depart(self, asked: Asked, outlet: Outlet | None) -> Departure:
        complexity = classify(asked.request)
        plan = make_plan(
            asked.request,
            asked.ladder,
            self.tables.decide,
            level=complexity.level,
            size=_size(asked.request),
            stream=outlet is not None,
            now=asked.since,
            seed=random.getrandbits(32),
        )
        rungs = {rung.name: rung for rung in asked.ladder.rungs}
        run = Run(plan, self.rule, asked.request, rungs, self._callers(asked.ladder), outlet)
        departure = Departure(asked, plan, complexity, outlet, self)
        departure.flight = self._flights.start(
            asked.key if asked.joins else None, run, departure.landed
        )
        return departure

    def _entry(self, asked: Asked, ended: Ended, complexity: Complexity) -> Entry | None:
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

    def keep(self, asked: Asked, ended: Ended, complexity: Complexity) -> None:
        """Put what may be stored on the shelf; it is readable at once."""
        if self.cache is None or asked.key is None:
            return
        entry = self._entry(asked, ended, complexity)
        if entry is not None and shelf.may_keep(entry.response, self.tables.cache):
            self.cache.put(asked.key, entry)

    async def close(self) -> None:
        """Stop what is under way, record its bills, write what waits to be written."""
        await self._flights.close()
        if self.cache is not None:
            await asyncio.to_thread(self.cache.close)


class Departure:
    """A run that was started for a request, and what its caller needs to read it."""

    flight: Flight

    def __init__(
        self,
        asked: Asked,
        plan: Plan,
        complexity: Complexity,
        outlet: Outlet | None,
        engine: Engine,
    ) -> None:
        self.asked, self.plan, self.complexity = asked, plan, complexity
        self.outlet, self._engine = outlet, engine
        self.id = answers.new_id()
        off = asked.request.cache == "off" or engine.cache is None
        self._status: CacheStatus = "off" if off else "miss"

    def landed(self, ended: Ended) -> None:
        """The run has ended, and every call has its bill."""
        self._engine.totals.settle(ended)
        self._engine.keep(self.asked, ended, self.complexity)

    def answer(self, ended: Ended) -> Answer:
        """What the caller gets.

        Raises:
            CascadeError: what came instead of an answer.
        """
        latency = asyncio.get_running_loop().time() - self.asked.since
        answer = answers.from_ended(
            ended,
            self.plan,
            self.asked.request,
            self.asked.ladder,
            self.complexity,
            id=self.id,
            latency_s=latency,
            cache=self._status,
        )
        self._engine.totals.count(answer)
        return answer


def _size(request: Request) -> Size:
    return Size(tokens.input_bound(request), lambda: tokens.count_request(request))

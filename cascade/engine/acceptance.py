"""Whether a stored answer will do for a request: what its own plan would say of it now."""

from __future__ import annotations

import time

import msgspec
from msgspec.structs import replace

from cascade.cache.rules import shelf
from cascade.cache.rules.entry import Entry
from cascade.engine.sizing import UncountedError, uncounted
from cascade.errors import RequestError
from cascade.policy.model import Accept, Candidate, Rule, State, Tally, View
from cascade.policy.moves import admissible
from cascade.policy.openness import strongest_open
from cascade.policy.options import bar_for
from cascade.policy.plan import make_plan
from cascade.policy.rules import Threshold
from cascade.types import Endpoint, Ladder, Request, Rung, Tables


class Place(msgspec.Struct, frozen=True):
    """Where an entry's answer came from, on the ladder as it is today."""

    index: int
    rung: Rung
    endpoint: Endpoint


class Acceptance:
    """Judges stored answers. It never waits and never counts; a rule may be asked on any thread.

    A rung is known by its endpoints, not by its name: keys leave names out, so after a renaming
    an entry's name may be another rung's.
    """

    def __init__(self, tables: Tables, rule: Rule) -> None:
        self._decide, self._rule = tables.decide, rule
        # A subclass may be stricter: it is asked like any other rule.
        self._by_bars = type(rule) is Threshold
        self._places = {name: _places(ladder) for name, ladder in tables.ladders.items()}

    def find(self, request: Request, ladder: Ladder, entry: Entry) -> Place | None:
        """The place of an entry whose answer this request would accept now; None: it would not."""
        place = self._place(request, ladder, entry)
        if place is None or not self._takes(request, ladder, entry, place):
            return None
        return place

    def find_shared(self, request: Request, ladder: Ladder, entry: Entry) -> Place | None:
        """As ``find``, for an answer that an identical request got just now: what was the
        strongest rung open to that one is the strongest that is open to this one."""
        place = self._place(request, ladder, entry)
        if place is None or entry.basis == "reference":
            return place
        return place if self._takes(request, ladder, entry, place) else None

    def _place(self, request: Request, ladder: Ladder, entry: Entry) -> Place | None:
        places = self._places[ladder.name].get(entry.endpoint, ())
        if request.rung is None and len(places) == 1:
            return places[0]
        if request.rung is not None:
            return next((place for place in places if place.rung.name == request.rung), None)
        # One endpoint at several rungs: there the name helps.
        named = (place for place in places if place.rung.name == entry.rung)
        return next(named, places[0] if places else None)

    def _takes(self, request: Request, ladder: Ladder, entry: Entry, place: Place) -> bool:
        if place.index < len(ladder.rungs) - 1 and self._is_reserved(entry):
            return False
        strongest = len(ladder.rungs) - 1
        if request.rung is not None:
            strongest = place.index
        elif entry.basis == "reference" and place.index < strongest:
            strongest = _strongest_open(request, ladder)
        if not self._by_bars:
            reference = entry.basis == "reference" and place.index >= strongest
            return reference or self._rule_takes(request, ladder, entry, place)
        bar = bar_for(request, ladder, entry.complexity.level, place.index)
        return shelf.takes(entry, bar=bar, rung_index=place.index, strongest_index=strongest)

    def _is_reserved(self, entry: Entry) -> bool:
        """Whether it calls a tool that only a ladder's last rung may call."""
        reserved = self._decide.strong_for_tools
        calls = entry.response.message.tool_calls
        return bool(reserved) and any(call.name in reserved for call in calls)

    def _rule_takes(self, request: Request, ladder: Ladder, entry: Entry, place: Place) -> bool:
        """Ask the user's rule, with the plan of this request and the stored answer in hand."""
        now = time.monotonic()
        try:
            plan = make_plan(
                request,
                ladder,
                self._decide,
                level=entry.complexity.level,
                size=uncounted(request),
                stream=False,
                now=now,
                seed=0,
            )
            options = [option.rung for option in plan.options]
            option = options.index(place.rung.name)
            answer = Candidate(0, option, evidence=entry.evidence, confidence=entry.confidence)
            tallies = [Tally()] * len(options)
            tallies[option] = replace(tallies[option], calls=1, answered=True)
            state = State(tuple(tallies), next_call=1, answers=(answer,))
            choice = self._rule(View(plan, state, now), admissible(plan, state, now))
        except Exception:  # noqa: BLE001 - a rule is anybody's code, and no entry is worth an error
            return False
        return choice == Accept(answer.ref)


def _strongest_open(request: Request, ladder: Ladder) -> int:
    """The index of the strongest rung that is open; where it cannot be told, the last one's: then
    an entry of a lower rung is no reference."""
    try:
        return strongest_open(request, ladder, uncounted(request))
    except (UncountedError, RequestError):
        return len(ladder.rungs) - 1


def _places(ladder: Ladder) -> dict[str, tuple[Place, ...]]:
    """The places of each endpoint, the lowest rung first."""
    found: dict[str, tuple[Place, ...]] = {}
    for index, rung in enumerate(ladder.rungs):
        for endpoint in rung.endpoints:
            place = Place(index, rung, endpoint)
            found[endpoint.name] = (*found.get(endpoint.name, ()), place)
    return found

"""From a name in a ladder to a rung: one string, or a table of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cascade.checks.accept import parse_rule
from cascade.config.endpoints import EndpointMaker
from cascade.config.messages import Place, suggestion
from cascade.config.providers import Report
from cascade.types import Bar, Clocks, Endpoint, Rung

if TYPE_CHECKING:
    from cascade.config.schema import File, RungTable


class RungMaker:
    """Makes the rungs of one file, each once, and reports what it cannot make.

    ``made`` holds them by name, None where one could not be made.
    """

    def __init__(self, file: File, endpoints: EndpointMaker, report: Report) -> None:
        self.made: dict[str, Rung | None] = {}
        self._file = file
        self._endpoints = endpoints
        self._report = report

    def make(self, name: str, path: Place) -> Rung | None:
        """Return the rung of this name; None after a report. ``path`` is where it was named."""
        if name not in self.made:
            self.made[name] = self._make(name, path)
        return self.made[name]

    def _make(self, name: str, path: Place) -> Rung | None:
        listed = self._file.rungs.get(name)
        if isinstance(listed, str):
            endpoint = self._endpoints.make(listed, ("rungs", name))
            return None if endpoint is None else Rung(name=name, endpoints=(endpoint,))
        if listed is not None:
            return self._long(name, listed)
        if "/" in name:
            endpoint = self._endpoints.make(name, path)
            return None if endpoint is None else Rung(name=name, endpoints=(endpoint,))
        mend = suggestion(name, self._file.rungs) if self._file.rungs else ""
        mend = f'{mend} Or write "PROVIDER/MODEL".' if mend else 'Write "PROVIDER/MODEL".'
        self._report(path, name, "there is no rung of this name", mend)
        return None

    def _long(self, name: str, listed: RungTable) -> Rung | None:
        endpoints = self._weighted(name, listed)
        timeout = listed.timeout.model_dump(exclude_none=True)
        self._check_hedge(name, listed)
        if not endpoints:
            return None
        fixed = None if listed.hedge == "learned" else listed.hedge
        return Rung(
            name=name,
            endpoints=endpoints,
            clocks=Clocks(**timeout),
            accept=self._accept(listed),
            pattern=listed.pattern,
            calls=listed.calls,
            hedge=fixed,
            hedge_learned=listed.hedge == "learned",
            watched=listed.hedge is not None
            or not timeout.keys().isdisjoint(("first_token", "idle")),
            balance=listed.balance,
            first_token_set="first_token" in timeout,
        )

    def _weighted(self, name: str, listed: RungTable) -> tuple[Endpoint, ...]:
        """The rung's endpoints, each with its weight in this rung."""
        made: dict[str, Endpoint | None] = {}
        for at, written in enumerate(listed.endpoints):
            path: Place = ("rungs", name, "endpoints", at)
            if isinstance(written, str):
                model, weight = written, None
            else:
                model, weight, path = written.model, written.weight, (*path, "model")
            if weight is not None and listed.balance != "weight":
                self._report(
                    ("rungs", name, "endpoints", at, "weight"),
                    weight,
                    f'nothing reads it: this rung\'s balance is "{listed.balance}"',
                    'Write balance = "weight" under the rung, or take the weight out.',
                )
            if model in made:
                self._report(path, model, "this endpoint stands twice", "Take one of them out.")
                continue
            endpoint = self._endpoints.make(model, path)
            if endpoint is not None and weight is not None:
                endpoint = msgspec.structs.replace(endpoint, weight=weight)
            made[model] = endpoint
        return tuple(endpoint for endpoint in made.values() if endpoint is not None)

    def _accept(self, listed: RungTable) -> Bar | None:
        if listed.accept is None:
            return None
        unsure = listed.when_unsure or self._file.decide.when_unsure
        return Bar(rule=parse_rule(listed.accept), when_unsure=unsure)

    def _check_hedge(self, name: str, listed: RungTable) -> None:
        path: Place = ("rungs", name, "hedge")
        first_token = listed.timeout.first_token
        if listed.hedge is None:
            return
        if listed.calls < 2:
            self._report(path, listed.hedge, "a hedge is a second call", "Write calls = 2 or more.")
        if listed.hedge == "learned" or first_token is None:
            return
        if listed.hedge >= first_token:
            self._report(
                path,
                listed.hedge,
                f"it never comes: timeout.first_token ends the call after {first_token:g} s",
                "Write a hedge below timeout.first_token.",
            )

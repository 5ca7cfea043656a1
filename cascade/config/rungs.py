"""From a name in a ladder to a rung: one string, or a table of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascade.checks.accept import parse_rule
from cascade.config.endpoints import EndpointMaker, Report
from cascade.config.messages import Place, suggestion
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
        endpoints: list[Endpoint] = []
        for at, model in enumerate(listed.endpoints):
            path: Place = ("rungs", name, "endpoints", at)
            if model in listed.endpoints[:at]:
                self._report(path, model, "this endpoint stands twice", "Take one of them out.")
            elif (endpoint := self._endpoints.make(model, path)) is not None:
                endpoints.append(endpoint)
        timeout = listed.timeout.model_dump(exclude_none=True)
        self._check_hedge(name, listed)
        if not endpoints:
            return None
        return Rung(
            name=name,
            endpoints=tuple(endpoints),
            clocks=Clocks(**timeout),
            accept=self._accept(listed),
            pattern=listed.pattern,
            calls=listed.calls,
            hedge=listed.hedge,
            watched=listed.hedge is not None
            or not timeout.keys().isdisjoint(("first_token", "idle")),
        )

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
        if first_token is not None and listed.hedge >= first_token:
            self._report(
                path,
                listed.hedge,
                f"it never comes: timeout.first_token ends the call after {first_token:g} s",
                "Write a hedge below timeout.first_token.",
            )

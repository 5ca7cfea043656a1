"""What is known, when a plan is made, of the endpoints and of the conversation."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from cascade.policy.balancing import OFTEN, arrange
from cascade.policy.health import (
    CLEAN,
    Standing,
    asked_pause,
    failing_share,
    is_drained,
    reopens_in,
    why_closed,
)
from cascade.policy.quantiles import (
    UNKNOWN,
    Habits,
    first_token_limit,
    hedge_after,
    output_floor,
)
from cascade.policy.switching import Warmth
from cascade.types import Clocks, Endpoint, Rung

USUAL_OUTPUT = 256
"""Output tokens of an answer, where none has been seen."""


class Conditions(msgspec.Struct, frozen=True):
    """Standings, habits and calls under way by endpoint, and what the conversation left warm.

    ``reachable`` are the endpoints whose key is there, None where all are. ``now`` is Unix time in
    seconds; ``draw``, in [0, 1), decides where weights do.
    """

    standings: Mapping[str, Standing] = {}
    habits: Mapping[str, Habits] = {}
    pending: Mapping[str, int] = {}
    reachable: Collection[str] | None = None
    now: float = 0.0
    draw: float = 0.0
    warmth: Warmth | None = None

    def arranged(
        self, rung: Rung, endpoints: tuple[Endpoint, ...], tokens: int
    ) -> tuple[Endpoint, ...]:
        """The endpoints that may be called, in the order in which they shall be; the one that
        keeps the conversation's prefix goes first. ``tokens`` is about the input's size."""
        if self.reachable is not None:
            endpoints = tuple(e for e in endpoints if e.name in self.reachable)
        if not endpoints:
            return ()
        written = self.usual_output(endpoints)
        arranged = arrange(
            endpoints,
            rung.balance,
            self.standings,
            self.pending,
            input_tokens=tokens,
            output_tokens=written,
            now=self.now,
            draw=self.draw,
        )
        warm = next((e for e in arranged[1:] if self._keeps_prefix(e, tokens, written)), None)
        return arranged if warm is None else (warm, *(e for e in arranged if e is not warm))

    def _keeps_prefix(self, endpoint: Endpoint, read: int, written: int) -> bool:
        if self.warmth is None or self.warmth.endpoint != endpoint.name:
            return False
        standing, pending = self._standing(endpoint), self.pending.get(endpoint.name, 0)
        drained = is_drained(standing, read, written, pending, self.now)
        return not drained and failing_share(standing) < OFTEN

    def clocks(self, rung: Rung, endpoints: tuple[Endpoint, ...]) -> Clocks:
        """The rung's clocks. Where the operator set none for the first token, a model that is
        known to think longer gets longer."""
        clocks = rung.clocks
        if rung.first_token_set or clocks.first_token is None:
            return clocks
        usual = clocks.first_token
        limit = max(first_token_limit(self._of(e), usual, clocks.total) for e in endpoints)
        return clocks if limit == usual else msgspec.structs.replace(clocks, first_token=limit)

    def hedge(self, rung: Rung, endpoints: tuple[Endpoint, ...]) -> float | None:
        """Seconds without a first token after which another endpoint is called too."""
        return hedge_after(self._of(endpoints[0])) if rung.hedge_learned else rung.hedge

    def output_floor(self, endpoints: tuple[Endpoint, ...]) -> int | None:
        """The p95 of the answers' length in tokens, None until it is learned."""
        return output_floor(self._of(endpoints[0]))

    def usual_output(self, endpoints: tuple[Endpoint, ...]) -> int:
        """About how many tokens an answer has."""
        return self.output_floor(endpoints) or USUAL_OUTPUT

    def reopens_in(self, endpoints: tuple[Endpoint, ...]) -> float:
        """Seconds after which it is worth asking one of these endpoints again."""
        return min(reopens_in(self._standing(endpoint), self.now) for endpoint in endpoints)

    def pause(self, endpoints: tuple[Endpoint, ...]) -> float | None:
        """Seconds after which it is worth asking again within one request: where an endpoint has
        merely asked to be left alone for a moment. None where all closed for failing."""
        waits = [wait for e in endpoints if (wait := asked_pause(self._standing(e), self.now))]
        return min(waits, default=None)

    def why_closed(self, endpoint: Endpoint) -> str:
        """Why it is not called just now, for people."""
        return f"{endpoint.name} is {why_closed(self._standing(endpoint), self.now)}"

    def _of(self, endpoint: Endpoint) -> Habits:
        return self.habits.get(endpoint.name, UNKNOWN)

    def _standing(self, endpoint: Endpoint) -> Standing:
        return self.standings.get(endpoint.name, CLEAN)


CALM = Conditions()
"""Nothing is known: every endpoint is taken for well."""

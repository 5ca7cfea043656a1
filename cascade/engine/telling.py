"""What is told of a request's way before its answer comes: which draft is checked, who is asked
next and why."""

from __future__ import annotations

from cascade.engine.attempt import Landing
from cascade.engine.delivery import Outlet
from cascade.policy.model import Call, Plan
from cascade.types import Decision


class Teller:
    """Puts decisions into an outlet. Each rung's draft and each climb is told once."""

    def __init__(self, plan: Plan, outlet: Outlet) -> None:
        self._plan, self._outlet = plan, outlet
        self._called: set[int] = set()
        self._checking: set[int] = set()
        self._flying: set[int] = set()
        self._why: str | None = None

    def calls(self, call: Call) -> None:
        """A call begins. Once all others have ended, the first of a stronger option is a climb; a
        hedge, or a way down, is none."""
        if self._called and call.option > max(self._called) and not self._flying:
            rung = self._plan.options[call.option].rung
            self._outlet.put(Decision("climbing", rung, self._why))
        self._called.add(call.option)
        self._flying.add(call.call)

    def speaks(self, call: Call) -> None:
        """A call's first piece has come: a draft that is held is being checked."""
        option = self._plan.options[call.option]
        if option.live or call.option in self._checking:
            return
        self._checking.add(call.option)
        self._outlet.put(Decision("checking", option.rung))

    def landed(self, call: Call, landing: Landing) -> None:
        """A call has ended; why the next one is made, if one is."""
        self._flying.discard(call.call)
        attempt = landing.attempt
        if attempt.result != "cancelled":
            said = attempt.kind or attempt.why
            self._why = f"{attempt.rung}: {attempt.result}" + (f" ({said})" if said else "")

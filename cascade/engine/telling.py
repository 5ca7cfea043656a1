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
        self._why: str | None = None

    def calls(self, call: Call) -> None:
        """A call begins: the first of another option than before is a climb."""
        if self._called and call.option not in self._called:
            rung = self._plan.options[call.option].rung
            self._outlet.put(Decision("climbing", rung, self._why))
        self._called.add(call.option)

    def speaks(self, call: Call) -> None:
        """A call's first piece has come: a draft that is held is being checked."""
        option = self._plan.options[call.option]
        if option.live or call.option in self._checking:
            return
        self._checking.add(call.option)
        self._outlet.put(Decision("checking", option.rung))

    def landed(self, landing: Landing) -> None:
        """A call has ended; why the next one is made, if one is."""
        attempt = landing.attempt
        if attempt.result != "cancelled":
            said = attempt.kind or attempt.why
            self._why = f"{attempt.rung}: {attempt.result}" + (f" ({said})" if said else "")

"""Laws 12 and 13: what may not be called any more, for what the answers and failures showed."""

from __future__ import annotations

from cascade.policy.model import Answered, Call, Failed, Finish
from cascade.testing.account import Account
from cascade.testing.breach import require
from cascade.testing.world import Walk
from cascade.types import Kind


def reserved_answers_go_to_the_reference(walk: Walk) -> None:
    """12. Once an answer did what only the reference may do, nobody else is called, and that
    answer never leaves."""
    account = Account()
    reserved: set[int] = set()
    for moment in walk.moments:
        event = moment.event
        wanted = {action.call for action in account.running}
        account.land(event)
        if isinstance(event, Answered) and event.candidate.reserved and event.call in wanted:
            reserved.add(event.call)
        for action in moment.actions:
            if isinstance(action, Call) and reserved:
                aimed = action.option == walk.plan.reference
                require(aimed, "12: another than the reference was called for what is reserved")
            if isinstance(action, Finish):
                require(action.ref not in reserved, "12: a reserved answer left")
            account.perform(action)


def long_prompts_go_to_wider_windows(walk: Walk) -> None:
    """13. After a prompt was too long for one window, none starts that is known to be no wider,
    nor one that does not hold what the provider said it needs."""
    account = Account()
    narrow = 0
    for moment in walk.moments:
        event = moment.event
        call = next((a for a in account.running if a.call == getattr(event, "call", None)), None)
        account.land(event)
        if isinstance(event, Failed) and event.kind is Kind.TOO_LONG and isinstance(call, Call):
            window = walk.plan.options[call.option].window
            narrow = max(narrow, window or 0, event.needs or 0)
        for action in moment.actions:
            if isinstance(action, Call):
                window = walk.plan.options[action.option].window
                fits = window is None or window > narrow
                require(fits, "13: a window was tried that cannot hold the prompt")
            account.perform(action)

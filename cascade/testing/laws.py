"""The laws of the machine, each a function over a walk. See DESIGN in the documentation.

They hold for every rule, hostile ones included; ``Threshold`` keeps some more of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from cascade.policy.machine import step
from cascade.policy.model import Answered, Checked, Failed, Finish, Refused, Rule
from cascade.policy.remedies import LONGEST_WAIT, SHORTEST_WAIT
from cascade.testing.account import Account
from cascade.testing.aiming import (
    long_prompts_go_to_wider_windows,
    reserved_answers_go_to_the_reference,
)
from cascade.testing.answering import (
    answers_are_not_lost,
    bases_are_true,
    commits_are_final,
    nothing_refuted_leaves,
    stored_means_accepted,
)
from cascade.testing.breach import LawBroken, require
from cascade.testing.running import calls_are_bounded, it_ends, money_holds, time_holds
from cascade.testing.world import Walk

__all__ = ["LAWS", "LawBroken", "check_walk"]


def same_in_same_out(walk: Walk, rule: Rule) -> None:
    """9. The same inputs give the same outputs; a retry's delay is jitter of the plan's seed."""
    for moment in walk.moments:
        again = step(walk.plan, rule, moment.before, moment.event, moment.now)
        require(again == (moment.after, moment.actions), "9: the same inputs, other outputs")
        for retry in set(moment.after.retries) - set(moment.before.retries):
            fits = SHORTEST_WAIT <= retry.at - moment.now + 1e-9 <= LONGEST_WAIT + 2e-9
            require(fits, "9: a retry comes too early or too late")


def landed_calls_change_money_only(walk: Walk) -> None:
    """11. Events of calls already landed or cancelled change money and nothing else, nor does
    anything that comes after the end."""
    account, ended = Account(), False
    for moment in walk.moments:
        event = moment.event
        call: int | None = getattr(event, "call", None)
        runs = call in {action.call for action in account.running}
        account.land(event)
        if ended or (call is not None and not runs):
            require(not moment.actions, "11: a landed call's event led to an action")
            lands = isinstance(event, Answered | Checked | Failed | Refused)
            same = replace(
                moment.before,
                spent=moment.after.spent,
                overrun=moment.after.overrun,
                flights=tuple(
                    flight
                    for flight in moment.before.flights
                    if not (lands and flight.call == call)
                ),
            )
            require(same == moment.after, "11: a landed call's event changed more than money")
        for action in moment.actions:
            ended = ended or isinstance(action, Finish)
            account.perform(action)


LAWS: tuple[Callable[[Walk], None], ...] = (
    it_ends,
    money_holds,
    time_holds,
    calls_are_bounded,
    nothing_refuted_leaves,
    commits_are_final,
    stored_means_accepted,
    answers_are_not_lost,
    bases_are_true,
    landed_calls_change_money_only,
    reserved_answers_go_to_the_reference,
    long_prompts_go_to_wider_windows,
)


def check_walk(walk: Walk, rule: Rule | None = None) -> None:
    """Assert every law of the machine; with the rule, also that it is deterministic.

    Raises:
        LawBroken: with the number and the words of the law.
    """
    for law in LAWS:
        law(walk)
    if rule is not None:
        same_in_same_out(walk, rule)

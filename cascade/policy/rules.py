"""Ready-made rules. A rule is any callable ``(view, moves) -> choice``; these are examples too."""

from __future__ import annotations

from cascade.policy.model import Accept, Candidate, Choice, Option, Plan, Try, View
from cascade.policy.moves import GIVE_UP, WAIT


class Threshold:
    """The ladder people expect: climb until an answer clears its rung's bar.

    First calls follow the plan's order. An answer is accepted if its bar is cleared, if its rung
    has none, or if it is the reference's. A short answer leads up only; past an option that
    failed or cannot be afforded the order may lead down.
    """

    def __call__(self, view: View, moves: tuple[Choice, ...]) -> Choice:
        good = [answer for answer in view.answers if accepts(view.plan, answer)]
        if good:
            return Accept(max(good, key=lambda answer: answer.option).ref)
        if view.waits:
            return WAIT
        above = max((answer.option for answer in view.answers), default=-1)
        offered = {move.option: move for move in moves if isinstance(move, Try)}
        for option in view.plan.order:
            if option > above and option in offered:
                return offered[option]
        return GIVE_UP


def accepts(plan: Plan, answer: Candidate) -> bool:
    """Whether ``Threshold`` takes this answer."""
    if not answer.usable or answer.declined:
        return False
    return answer.option == plan.reference or _clears(plan.options[answer.option], answer)


def _clears(option: Option, answer: Candidate) -> bool:
    bar = option.bar
    if bar is None or bar.cleared_by(answer.evidence, answer.confidence):
        return True
    return bar.when_unsure == "accept" and bar.is_unsure(answer.evidence, answer.confidence)

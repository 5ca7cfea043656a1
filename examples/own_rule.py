"""A rule of one's own: what to do next is a function of what is in hand.

This one distrusts short answers: the cheap rung's answer is taken only if even its least likely
tokens were likely, and if it is long enough to have been thought through. The machine around it
keeps caps, deadlines and clocks whatever it says, and ``cascade.testing.check_rule`` (see
``test_own_rule.py``) shows that the rule itself is sound.
"""

from __future__ import annotations

from cascade import Cascade
from cascade.policy import Accept, Candidate, Choice, GiveUp, Try, View, Wait

LEAST = -1.0  # log-probability below which at most a tenth of the tokens may lie
SHORTEST = 5  # tokens


def careful(view: View, moves: tuple[Choice, ...]) -> Choice:
    """Accept a convincing answer or the reference's; else climb; else take what there is."""
    for answer in view.answers:
        if Accept(answer.ref) in moves and convinces(view, answer):
            return Accept(answer.ref)
    if view.waits:
        return Wait()
    tries = [move for move in moves if isinstance(move, Try)]
    return tries[0] if tries else GiveUp()


def convinces(view: View, answer: Candidate) -> bool:
    """Whether the answer is good enough. Evidence that is absent convinces nobody."""
    if answer.option == view.plan.reference:
        return True
    evidence = answer.evidence
    if evidence.p10_logprob is None or evidence.output_tokens is None:
        return False
    return evidence.p10_logprob >= LEAST and evidence.output_tokens >= SHORTEST


if __name__ == "__main__":
    with Cascade.from_config(rule=careful) as ai:
        print(ai.complete("Compare a list and a tuple in Python in two sentences.").story())

"""``check_rule``: property-test one's own escalation rule."""

from __future__ import annotations

from msgspec.structs import replace

from cascade.policy.model import Accept, Candidate, Choice, Rule, View
from cascade.testing.breach import require
from cascade.testing.laws import check_walk
from cascade.testing.world import walk

_WORST = {
    "mean_logprob": -30.0,
    "min_logprob": -30.0,
    "p10_logprob": -30.0,
    "first_margin": 0.0,
}


def check_rule(rule: Rule, *, walks: int = 500) -> None:
    """Walk a rule through random plans and worlds and assert every law.

    The machine keeps its laws whatever a rule does. This says whether the rule itself is sound:
    it never raises, always chooses one of the moves that it is offered, answers the same to the
    same question, and never takes absent evidence for good evidence.

    Args:
        rule: the rule, called as ``rule(view, moves)``.
        walks: how many random requests to play.

    Raises:
        LawBroken: with the law and the smallest example that Hypothesis found.
    """
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    from cascade.testing.strategies import plans, worlds

    @settings(
        max_examples=walks,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def keeps_the_laws(data: st.DataObject) -> None:
        plan = data.draw(plans(), label="plan")
        world = data.draw(worlds(plan), label="world")
        watched = Watched(rule)
        played = walk(plan, watched, world)
        require(not watched.findings, "".join(watched.findings[:1]))
        check_walk(played, rule)

    keeps_the_laws()


class Watched:
    """A rule under observation: what the machine would forgive is a finding here."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self.findings: list[str] = []

    def __call__(self, view: View, moves: tuple[Choice, ...]) -> Choice | None:
        """Ask the rule, note what is wrong with its choice, and pass it on."""
        choice = self._ask(view, moves)
        if self.findings:
            return None
        if choice is None or choice not in moves:
            self.findings.append(f"the rule chose {choice!r}, which is not among {moves!r}")
        elif (again := self._ask(view, moves)) != choice:
            self.findings.append(f"9: asked twice, it chose {choice!r}, then {again!r}")
        elif isinstance(choice, Accept):
            self._compare_with_worse(view, moves, choice)
        return choice

    def _ask(self, view: View, moves: tuple[Choice, ...]) -> Choice | None:
        try:
            return self._rule(view, moves)
        except Exception as error:  # noqa: BLE001 - whatever a user's rule raises is the finding
            self.findings.append(f"the rule raised {error!r}")
            return None

    def _compare_with_worse(self, view: View, moves: tuple[Choice, ...], choice: Accept) -> None:
        """Law 10 for rules: nothing may count for more than the worst that could stand there."""
        answer = next(a for a in view.answers if a.ref == choice.ref)
        bar = view.option(answer).bar
        if bar is not None and bar.when_unsure == "accept":
            return  # the operator said so
        for worse in _with_the_worst_in_place_of_nothing(answer):
            answers = tuple(worse if a.ref == answer.ref else a for a in view.answers)
            other = replace(view, state=replace(view.state, answers=answers))
            if self._ask(other, moves) != choice:
                self.findings.append(
                    "10: the rule takes absent evidence for good evidence: it accepts"
                    f" {answer!r}, but not {worse!r}"
                )
                return


def _with_the_worst_in_place_of_nothing(answer: Candidate) -> list[Candidate]:
    worse = [
        replace(answer, evidence=replace(answer.evidence, **{name: value}))
        for name, value in _WORST.items()
        if getattr(answer.evidence, name) is None
    ]
    if answer.confidence is None:
        worse.append(replace(answer, confidence=0.0))
    return worse

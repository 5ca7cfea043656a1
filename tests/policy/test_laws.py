"""The laws of the machine, in random worlds and whatever the rule does."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings

from cascade.policy.model import Call, Plan, Rule
from cascade.policy.rules import Threshold
from cascade.testing import LAWS, World, check_walk, walk
from cascade.testing.laws import same_in_same_out
from tests.policy.walking import requests, walks


@walks()
@given(requests())
def test_the_machine_keeps_every_law_whatever_the_rule_does(
    request_: tuple[Plan, Rule, World],
) -> None:
    plan, rule, world = request_
    check_walk(walk(plan, rule, world), rule)


def test_there_are_thirteen_laws() -> None:
    told = [(law.__doc__ or "").split(".")[0] for law in (*LAWS, same_in_same_out)]
    assert sorted(told, key=int) == [str(number) for number in range(1, 14)]


def test_one_and_the_same_world_gives_one_and_the_same_walk() -> None:
    @walks(100)
    @given(requests())
    def holds(request_: tuple[Plan, Rule, World]) -> None:
        plan, rule, world = request_
        assert walk(plan, rule, world) == walk(plan, rule, world)

    holds()


def test_the_walks_visit_every_corner_of_the_machine() -> None:
    """Laws that are never in danger prove nothing: what can happen must happen."""
    seen: Counter[str] = Counter()

    @settings(walks(800), max_examples=800, derandomize=True)
    @given(requests())
    def visit(request_: tuple[Plan, Rule, World]) -> None:
        seen.update(_corners(*request_))
        plan, _, world = request_
        seen.update({f"ladder {corner}" for corner in _corners(plan, Threshold(), world)})

    visit()
    rare = [corner for corner in _CORNERS if not seen[corner]]
    assert not rare, seen


_CORNERS = (
    *("accepted", "best_effort", "failed", "cancelled", "broken"),
    *("confidence", "rule", "reference", "unchecked"),
    *("rule", "gave_up", "deadline", "cap", "caller", "left", "committed"),
    *("Call", "Check", "Cancel", "Commit", "WakeAt", "Finish"),
    *("Begun", "Answered", "Checked", "Failed", "Refused", "Streamed", "Woke", "Left"),
    *("stored", "overrun", "a retry waits", "two calls at once", "a limit of our own"),
    *("ladder accepted", "ladder broken", "ladder a retry waits", "ladder confidence"),
)


def _corners(plan: Plan, rule: Rule, world: World) -> set[str]:
    played = walk(plan, rule, world)
    finish = played.finish
    assert finish is not None
    found: set[str] = {finish.outcome, f"{finish.basis}", finish.why}
    found |= {type(action).__name__ for action in played.actions}
    found |= {type(moment.event).__name__ for moment in played.moments}
    states = [moment.after for moment in played.moments]
    calls = [action for action in played.actions if isinstance(action, Call)]
    corners = {
        "stored": finish.store,
        "overrun": states[-1].overrun,
        "a retry waits": any(state.retries for state in states),
        "two calls at once": any(len(state.flights) > 1 for state in states),
        "a limit of our own": any(call.own_limit for call in calls),
    }
    return found | {corner for corner, visited in corners.items() if visited}

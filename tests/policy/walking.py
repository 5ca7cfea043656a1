"""Plans, worlds and rules in one draw, and how many walks a run takes."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from cascade.policy.model import Plan, Rule
from cascade.testing.hostility import hostile_rules
from cascade.testing.strategies import plans, worlds
from cascade.testing.world import World

WALKS = int(os.environ.get("CASCADE_WALKS") or 500)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Plan, Rule, World]:
    """A request's plan, a rule that may be hostile, and a world to play it in."""
    plan = draw(plans())
    return plan, draw(hostile_rules()), draw(worlds(plan))


def walks(most: int = WALKS) -> settings:
    """Settings for this many walks. A short run repeats the same ones, a long one looks further."""
    return settings(
        max_examples=min(most, WALKS),
        deadline=None,
        database=None,
        derandomize=WALKS <= 500,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        phases=[Phase.generate, Phase.shrink],
    )

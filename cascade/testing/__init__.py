"""Tools to property-test one's own rule: strategies, a virtual world, the laws, ``check_rule``.

Needs Hypothesis: ``pip install cascade-engine[testing]``.
"""

from cascade.testing.check import check_rule
from cascade.testing.laws import LAWS, LawBroken, check_walk
from cascade.testing.world import Moment, Reaction, Walk, World, walk

__all__ = [
    "LAWS",
    "LawBroken",
    "Moment",
    "Reaction",
    "Walk",
    "World",
    "check_rule",
    "check_walk",
    "walk",
]

"""The policy: what to call next, decided without a clock, without chance and without I/O.

A user's own rule needs the names below; ``cascade.testing.check_rule`` property-tests it.
"""

from cascade.policy.model import (
    Accept,
    Ask,
    Candidate,
    Choice,
    GiveUp,
    Offer,
    Option,
    PaidCheck,
    Plan,
    Rule,
    State,
    Try,
    View,
    Wait,
)
from cascade.policy.rules import Threshold

__all__ = [
    "Accept",
    "Ask",
    "Candidate",
    "Choice",
    "GiveUp",
    "Offer",
    "Option",
    "PaidCheck",
    "Plan",
    "Rule",
    "State",
    "Threshold",
    "Try",
    "View",
    "Wait",
]

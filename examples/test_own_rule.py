"""The property test of ``own_rule.py``: copy it beside a rule of your own."""

from __future__ import annotations

from own_rule import careful

from cascade.testing import check_rule


def test_the_careful_rule_keeps_the_laws() -> None:
    check_rule(careful, walks=300)

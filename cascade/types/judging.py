"""What can go wrong with a call, what a check saw in an answer, and the bars it must clear."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec


class Kind(StrEnum):
    """What went wrong with a call: the cause, not which number said so."""

    CALLER = "caller"  # the request itself is wrong: nobody else will take it either
    AUTH = "auth"  # the key is wrong or may not do this
    QUOTA = "quota"  # the account's money or allowance is used up
    MISSING = "missing"  # no such model or address
    TOO_LONG = "too_long"  # the prompt does not fit the model's context window
    FILTERED = "filtered"  # the provider declined the prompt
    UNSUPPORTED = "unsupported"  # a parameter this model does not know
    LIMITED = "limited"  # too many requests just now
    OVERLOADED = "overloaded"  # the provider has no capacity just now
    UNAVAILABLE = "unavailable"  # refused, unresolvable, 5xx
    TIMED_OUT = "timed_out"  # one of our clocks ran out
    BROKEN = "broken"  # the answer stopped before its end
    MALFORMED = "malformed"  # the answer is not what the protocol allows


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the checks saw in an answer. Absent stays absent: it is never a constant.

    Log-probabilities are natural logarithms per token; ``p10_logprob`` is their 10 % quantile;
    ``first_margin`` is the first token's lead over its best rival.
    """

    mean_logprob: float | None = None
    min_logprob: float | None = None
    p10_logprob: float | None = None
    first_margin: float | None = None
    output_tokens: float | None = None


EVIDENCE_NAMES = Evidence.__struct_fields__
Operator = Literal[">=", ">", "<=", "<"]


class Comparison(msgspec.Struct, frozen=True):
    """One comparison of an acceptance rule: ``mean_logprob >= -0.15``."""

    name: str
    operator: Operator
    value: float

    def holds(self, evidence: Evidence) -> bool | None:
        """Whether the evidence satisfies it; None where that evidence is absent."""
        seen: float | None = getattr(evidence, self.name)
        if seen is None:
            return None
        match self.operator:
            case ">=":
                return seen >= self.value
            case ">":
                return seen > self.value
            case "<=":
                return seen <= self.value
            case "<":
                return seen < self.value

    def __str__(self) -> str:
        return f"{self.name} {self.operator} {self.value:g}"


class Bar(msgspec.Struct, frozen=True):
    """What an answer must show to be accepted at its rung.

    ``rule`` is a conjunction of comparisons (an empty one is cleared by any sound answer);
    ``confidence`` is the least calibrated probability of being right. With neither, nothing
    clears it. A rung that accepts unchecked has no bar at all.
    """

    rule: tuple[Comparison, ...] | None = None
    confidence: float | None = None
    when_unsure: Literal["climb", "accept"] = "climb"

    @property
    def reads_logprobs(self) -> bool:
        """Whether its rule needs log-probabilities."""
        return any(part.name != "output_tokens" for part in self.rule or ())

    def cleared_by(
        self, evidence: Evidence, confidence: float | None
    ) -> Literal["confidence", "rule"] | None:
        """On what the answer clears the bar; None where it does not. Absent clears nothing."""
        if self.confidence is not None:
            cleared = confidence is not None and confidence >= self.confidence
            return "confidence" if cleared else None
        if self.rule is None:
            return None
        return "rule" if all(part.holds(evidence) is True for part in self.rule) else None

    def is_unsure(self, evidence: Evidence, confidence: float | None) -> bool:
        """Whether evidence that the bar reads is absent and nothing present speaks against it."""
        if self.confidence is not None:
            return confidence is None
        seen = [part.holds(evidence) for part in self.rule or ()]
        return None in seen and False not in seen

    def __str__(self) -> str:
        if self.confidence is not None:
            return f"confidence >= {self.confidence:g}"
        if self.rule is None:
            return "nothing clears it"
        return " and ".join(map(str, self.rule)) or "any sound answer"


Level = Literal["simple", "moderate", "complex"]
LEVELS: tuple[Level, ...] = ("simple", "moderate", "complex")


class Complexity(msgspec.Struct, frozen=True):
    """How demanding a request looks, and the signals that say so, in words."""

    level: Level
    reasons: tuple[str, ...] = ()

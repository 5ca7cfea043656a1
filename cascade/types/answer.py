"""What the caller gets: the answer, and the record of everything done for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from cascade.types.chat import FinishReason, Message, Response, ToolCall, Usage
from cascade.types.judging import Complexity, Evidence, Kind, Level
from cascade.types.tables import UNITS_PER_USD

if TYPE_CHECKING:
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

Outcome = Literal["accepted", "best_effort", "failed", "cancelled", "broken"]
Basis = Literal["confidence", "rule", "reference", "unchecked"]
CacheStatus = Literal["miss", "collapsed", "exact", "off"]
Purpose = Literal["answer", "check"]
Result = Literal["accepted", "short", "refuted", "failed", "cancelled", "hedge_lost", "refused"]


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call to one endpoint.

    ``cost`` is in money units, None where the price is unknown; ``estimated`` says that the
    provider reported no usage. ``why`` says in words what went wrong.
    """

    rung: str
    endpoint: str
    model: str
    purpose: Purpose
    result: Result
    kind: Kind | None = None
    why: str | None = None
    evidence: Evidence = Evidence()
    confidence: float | None = None
    text: str = ""
    usage: Usage | None = None
    cost: int | None = None
    estimated: bool = False
    overrun: bool = False
    latency_s: float = 0.0
    first_token_s: float | None = None

    @property
    def cost_usd(self) -> float | None:
        """What the call cost, in US dollars; None where the price is unknown."""
        return _usd(self.cost)


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer with its provenance.

    ``cost`` covers everything done for the request and ``saved`` compares it with the same
    answer from the reference; both in money units, None where a price is unknown. ``usage`` is
    the returned answer's own, an estimate where the provider reported none. Times are seconds.
    """

    id: str
    response: Response
    rung: str
    model: str
    endpoint: str
    outcome: Outcome
    basis: Basis | None
    complexity: Complexity
    cache: CacheStatus = "miss"
    age_s: float | None = None
    confidence: float | None = None
    calibrated: bool = False
    cost: int | None = None
    saved: int | None = None
    latency_s: float = 0.0
    first_token_s: float | None = None
    usage: Usage | None = None
    dropped: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    why: str = ""

    def __str__(self) -> str:
        return self.text

    @property
    def message(self) -> Message:
        """The answer as a message, to be put into the next request's history."""
        return self.response.message

    @property
    def text(self) -> str:
        """The answer's text; empty where it is tool calls only."""
        return self.message.text

    @property
    def finish_reason(self) -> FinishReason:
        """Why the model stopped."""
        return self.response.finish_reason

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls the model wants made."""
        return self.message.tool_calls

    @property
    def level(self) -> Level:
        """How demanding the request looked."""
        return self.complexity.level

    @property
    def reasons(self) -> tuple[str, ...]:
        """The signals behind the level."""
        return self.complexity.reasons

    @property
    def cost_usd(self) -> float | None:
        """What everything done for the request cost, in US dollars."""
        return _usd(self.cost)

    @property
    def estimated(self) -> bool:
        """Whether the cost is what its calls may have cost at most: of at least one of them, cut
        off or cancelled, nobody said what it was."""
        return any(attempt.estimated for attempt in self.attempts)

    @property
    def saved_usd(self) -> float | None:
        """What the reference would have cost more, in US dollars; negative where it was less."""
        return _usd(self.saved)

    @property
    def saved_basis(self) -> Literal["modelled"] | None:
        """How ``saved_usd`` is known: ``modelled`` from the reference's price and this usage."""
        return None if self.saved is None else "modelled"

    def story(self) -> str:
        """One sentence: who answered, why, what it cost, what that saved."""
        from cascade.types.story import tell

        return tell(self)

    def parse(self, model: type[Model]) -> Model:
        """Read the answer's text as a pydantic model.

        Raises:
            ParseError: the text is not JSON or does not fit; the answer stays as it is.
        """
        from pydantic import ValidationError

        from cascade.errors import ParseError

        try:
            return model.model_validate_json(_without_fence(self.text))
        except ValidationError as error:
            raise ParseError(f"the answer does not fit {model.__name__}: {error}") from error


def _usd(units: int | None) -> float | None:
    return None if units is None else units / UNITS_PER_USD


def _without_fence(text: str) -> str:
    """Take JSON out of the Markdown fence that many models put around it."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```") and "\n" in stripped:
        return stripped.split("\n", 1)[1][: -len("```")]
    return stripped

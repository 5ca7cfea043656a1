"""Every error that cascade raises.

::

    CascadeError
    ├── ConfigError             a mistake in the configuration: place, value, mend
    │   └── MissingKey          a provider's key is not in the environment
    ├── RequestError            the request cannot be sent as it stands: place, value, mend
    │   ├── UnsupportedParameter
    │   └── TooLong             no rung's context window holds the prompt
    ├── CapTooLow               the cost cap is below the cheapest possible call
    ├── NotCached               ``cache="only"`` and nothing is stored
    ├── Failed                  no answer could be had; lists every attempt
    │   ├── DeadlineExceeded    the deadline passed first
    │   ├── Unavailable         every endpoint is closed for now: nobody was called
    │   └── Rejected            the provider says that the request itself is wrong
    ├── Broken                  a stream died after its first byte had left
    ├── ParseError              an answer does not fit the model given to ``answer.parse``
    ├── EmulatorError           a recording cannot be read or served
    └── Closed                  the object was used after it was closed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascade.types import Attempt

__all__ = [
    "Broken",
    "CapTooLow",
    "CascadeError",
    "Closed",
    "ConfigError",
    "DeadlineExceeded",
    "EmulatorError",
    "Failed",
    "MissingKey",
    "NotCached",
    "ParseError",
    "Rejected",
    "RequestError",
    "TooLong",
    "Unavailable",
    "UnsupportedParameter",
]


class CascadeError(Exception):
    """The root of all errors of cascade."""


class Mistake(CascadeError):
    """Something a person wrote that cannot be right: where, what stands there, how to mend it."""

    def __init__(self, place: str, value: object, problem: str, mend: str) -> None:
        self.place = place
        self.value = value
        self.problem = problem
        self.mend = mend
        shown = "" if value is None else f" = {_shorten(value)}"
        super().__init__(f"{place}{shown}: {problem}. {mend}")


class ConfigError(Mistake):
    """A mistake in the configuration."""


class MissingKey(ConfigError):
    """A provider's key is not in the environment."""


class RequestError(Mistake, ValueError):
    """The request cannot be sent as it stands."""


class UnsupportedParameter(RequestError):
    """A parameter that no rung of the ladder can take, or that cascade does not know."""


class TooLong(RequestError):
    """The prompt is longer than every rung's context window."""


class CapTooLow(CascadeError):
    """The cost cap does not pay for any call.

    Attributes:
        cheapest_usd: what the cheapest possible call may cost at most, in US dollars.
    """

    def __init__(self, message: str, cheapest_usd: float) -> None:
        super().__init__(message)
        self.cheapest_usd = cheapest_usd


class NotCached(CascadeError):
    """The request allows stored answers only, and none is stored."""


class Failed(CascadeError):
    """No answer could be had.

    Attributes:
        attempts: every call that was made for the request, in order.
    """

    def __init__(self, message: str, attempts: tuple[Attempt, ...] = ()) -> None:
        super().__init__(message)
        self.attempts = attempts


class DeadlineExceeded(Failed):
    """The request's deadline passed before an answer was accepted."""


class Unavailable(Failed):
    """Every endpoint failed too often, or asked to be left alone for a while: nobody was called.

    Attributes:
        retry_after: seconds until one of them takes calls again.
        pause: seconds after which trying again is worth it within one request, since a provider
            merely asked for a moment's peace; None where it is not.
    """

    def __init__(self, message: str, retry_after: float, pause: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.pause = pause


class Rejected(Failed):
    """The provider refused the request as such: no other model would take it either."""


class Broken(CascadeError):
    """A stream ended without its end: what was delivered is not a whole answer.

    Attributes:
        attempts: every call that was made for the request, in order.
    """

    def __init__(self, message: str, attempts: tuple[Attempt, ...] = ()) -> None:
        super().__init__(message)
        self.attempts = attempts


class ParseError(CascadeError):
    """An answer's text does not fit the model that was given to ``Answer.parse``."""


class EmulatorError(CascadeError):
    """A recording cannot be read or served."""


class Closed(CascadeError):
    """The object was used after it had been closed."""


def _shorten(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"

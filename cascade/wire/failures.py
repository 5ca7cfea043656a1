"""What a failed call means: its kind, how long to wait, how long the prompt was.

Of what a provider writes, messages quote a short piece without anything that looks like a key;
request headers are never seen here.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cascade.types import Kind, Response
from cascade.wire.causes import is_the_models_own, kind_inside, kind_of
from cascade.wire.error_body import ErrorBody, read_error
from cascade.wire.limits import rate_limits, reset_wait
from cascade.wire.prompt_size import prompt_size
from cascade.wire.quoting import first_label, quoted
from cascade.wire.waits import said_wait, seconds, until

__all__ = ["CallFailure", "CutOff", "Malformed", "classify", "failure_of"]


class CallFailure(Exception):
    """One call failed. Raised by codecs and providers; the engine makes an event of it.

    Attributes:
        kind: what went wrong.
        message: why, for people; short, without keys.
        retry_after: seconds the provider asks to wait, None where it asks for nothing. It is
            finite and at least 0, and may be absurdly long: whoever waits bounds it.
        needs: the prompt's size in tokens, where the provider found it too long and says so.
        blames: whether it tells anything of the endpoint. It does not where the model wrote what
            the caller's schema or its own server cannot take.
        response: what came of an answer, with the usage that its provider counted to the end;
            None where nothing more than the stream's reader has is known.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        retry_after: float | None = None,
        needs: int | None = None,
        *,
        blames: bool = True,
        response: Response | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = retry_after
        self.needs = needs
        self.blames = blames
        self.response = response


class Malformed(CallFailure):
    """The answer is not what the protocol allows."""

    def __init__(
        self, message: str, *, blames: bool = True, response: Response | None = None
    ) -> None:
        super().__init__(Kind.MALFORMED, message, blames=blames, response=response)


class CutOff(CallFailure):
    """A whole answer that does not say why it ended: as a stream without its end, it was broken
    off."""

    response: Response

    def __init__(self, response: Response) -> None:
        why = "the answer does not say that it came to its end"
        super().__init__(Kind.BROKEN, why, response=response)


_WAITING_CURES = frozenset({Kind.LIMITED, Kind.OVERLOADED, Kind.QUOTA})


def classify(status: int, headers: Mapping[str, str], body: bytes, now: float) -> CallFailure:
    """Tell what an HTTP answer other than a 200 means.

    ``headers`` are the response's, ``now`` is Unix time in seconds (for dates and resets).

    The wait is the header's, else what the body has in a field of its own. At a 429 that has
    neither it is the reset of the allowance that is used up, else what the words ask for.
    """
    found = _lower(headers)
    error = read_error(body)
    if name := found.get("x-amzn-errortype"):  # ``ThrottlingException:http://…``
        label = name.partition(":")[0].strip().lower()
        error = msgspec.structs.replace(error, labels=(label, *error.labels))
    kind = kind_of(status, error)
    wait = _asked(found, now)
    if wait is None:
        wait = error.wait
    if wait is None and status == 429 and kind in _WAITING_CURES:
        wait = reset_wait(rate_limits(headers, now), now)
        if wait is None:
            wait = said_wait(error.message)
    return _failure(f"HTTP {status}", kind, error, wait)


def failure_of(body: bytes, otherwise: Kind, response: Response | None = None) -> CallFailure:
    """Tell what an error object inside a 200 means; ``otherwise`` where it does not say.

    ``response`` is what came of an answer, where its usage stands beside the error.
    """
    error = read_error(body)
    kind = kind_inside(error, otherwise)
    wait = error.wait
    if wait is None and kind in _WAITING_CURES:
        wait = said_wait(error.message)
    return _failure("an error inside a 200", kind, error, wait, response)


def _failure(
    where: str,
    kind: Kind,
    error: ErrorBody,
    wait: float | None,
    response: Response | None = None,
) -> CallFailure:
    return CallFailure(
        kind,
        _message(where, kind, error),
        wait,
        prompt_size(error) if kind is Kind.TOO_LONG else None,
        blames=not (kind is Kind.MALFORMED and is_the_models_own(error)),
        response=response,
    )


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _asked(headers: dict[str, str], now: float) -> float | None:
    """How many seconds ``retry-after-ms`` (milliseconds) or ``retry-after`` (a wait or a date)
    asks to wait; None where neither can be read. A date in the past is 0."""
    milliseconds = seconds(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    wait = seconds(text)
    return wait if wait is not None else until(text, now)


def _message(where: str, kind: Kind, error: ErrorBody) -> str:
    first = first_label(error.labels)
    label = f" ({first})" if first else ""
    said = quoted(error.message, about_keys=kind is Kind.AUTH)
    return f"{where}{label}: {said}" if said else f"{where}{label}, without a readable reason"

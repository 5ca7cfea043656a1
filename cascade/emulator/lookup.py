"""Find what was recorded for a request, or say what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from cascade.learning.trace import RecordedAnswer, Recording
from cascade.types import Request

_SHOWN = 60  # characters of a prompt that a message repeats


class NotRecordedError(Exception):
    """The recording lacks what was asked for.

    ``code`` and ``place`` go into the error's body: what is missing, and which field named it.
    """

    def __init__(self, message: str, code: str, place: str) -> None:
        self.message = message
        self.code = code
        self.place = place
        super().__init__(message)


def find(recording: Recording, model: str, request: Request) -> RecordedAnswer:
    """Return what the model answered to exactly this request.

    Raises:
        NotRecordedError: the recording has no such model, no such prompt, or not both together.
    """
    if model not in recording.models:
        raise NotRecordedError(
            f"the recording has no model {_short(model)}; it has {', '.join(recording.models)}",
            "model_not_found",
            "model",
        )
    system, prompt = _turns(request)
    row = recording.find(system, prompt)
    if row is None:
        raise NotRecordedError(_lacks(recording, system, prompt), "not_recorded", "messages")
    if model not in row.answers:
        raise NotRecordedError(
            f"{model} was not recorded on the prompt {_short(prompt)}; recorded were "
            f"{', '.join(row.answers) or 'none'}",
            "not_recorded",
            "model",
        )
    return row.answers[model]


def _turns(request: Request) -> tuple[str | None, str]:
    """Return the system prompt and the user's one turn.

    Raises:
        NotRecordedError: the conversation has another shape, which no recording holds.
    """
    roles = [message.role for message in request.messages]
    if request.images or roles not in (["user"], ["system", "user"], ["developer", "user"]):
        raise NotRecordedError(
            "a recording holds one user turn of text after at most one system prompt; this "
            f"conversation is {', '.join(_shapes(request))}",
            "not_recorded",
            "messages",
        )
    *before, last = request.messages
    return (before[0].text if before else None), last.text


def _shapes(request: Request) -> Iterator[str]:
    for message in request.messages:
        yield f"{message.role} with images" if message.images else message.role


def _lacks(recording: Recording, system: str | None, prompt: str) -> str:
    message = f"the recording has no prompt {_short(prompt)} with {_named(system)}"
    others = [row.system for row in recording.rows if row.prompt == prompt]
    return f"{message}; it has that prompt with {_named(others[0])}" if others else message


def _named(system: str | None) -> str:
    return f"the system prompt {_short(system)}" if system else "no system prompt"


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")

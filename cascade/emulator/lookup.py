"""Find what was recorded for a request, or say what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cascade.learning.trace import RecordedAnswer, Recording, Row
from cascade.types import Request, Tool

_SHOWN = 60  # characters of a prompt that a message repeats


class NotRecordedError(Exception):
    """The recording lacks what was asked for.

    ``code`` and ``place`` go into the error's body: what is missing, and which field named it.
    """

    def __init__(self, message: str, code: str, place: str) -> None:
        # No fault of the endpoint's: whoever reads the error shall be able to tell.
        self.message = f"not recorded: {message}" if code == "not_recorded" else message
        self.code = code
        self.place = place
        super().__init__(self.message)


def find(recording: Recording, model: str, request: Request) -> RecordedAnswer:
    """Return what the model answered to exactly this conversation.

    Rows of one conversation are told apart by the names of the tools they offered.

    Raises:
        NotRecordedError: the recording has no such model, no such conversation, none with these
            tools, or not all of it together.
    """
    if model not in recording.models:
        raise no_model(recording, model)
    rows = recording.said(request.messages)
    if not rows:
        raise NotRecordedError(_lacks(recording, request), "not_recorded", "messages")
    rows = _offering(rows, request.tools)
    for row in rows:
        if model in row.answers:
            return row.answers[model]
    recorded = dict.fromkeys(name for row in rows for name in row.answers)
    raise NotRecordedError(
        f"{model} was not recorded on the prompt {_short(rows[0].prompt)}; recorded were "
        f"{', '.join(recorded) or 'none'}",
        "not_recorded",
        "model",
    )


def no_model(recording: Recording, model: str) -> NotRecordedError:
    """Return the error that says which models there are instead."""
    return NotRecordedError(
        f"the recording has no model {_short(model)}; it has {', '.join(recording.models)}",
        "model_not_found",
        "model",
    )


def _offering(rows: tuple[Row, ...], tools: tuple[Tool, ...]) -> tuple[Row, ...]:
    offers = {_names(row.tools) for row in rows}
    if len(offers) == 1:  # what the conversation says is enough
        return rows
    wanted = _names(tools)
    if wanted not in offers:
        shown = "; ".join(sorted(", ".join(sorted(names)) or "none" for names in offers))
        raise NotRecordedError(
            f"the recording has the prompt {_short(rows[0].prompt)} with other tools than "
            f"{', '.join(sorted(wanted)) or 'none'}; it has it with {shown}",
            "not_recorded",
            "tools",
        )
    return tuple(row for row in rows if _names(row.tools) == wanted)


def _names(tools: Iterable[Tool]) -> frozenset[str]:
    # Providers take no dots in names, so that clients send underscores in their place.
    return frozenset(tool.name.replace(".", "_") for tool in tools)


def _lacks(recording: Recording, request: Request) -> str:
    roles = [message.role for message in request.messages]
    if request.images or roles not in (["user"], ["system", "user"], ["developer", "user"]):
        shapes = ", ".join(_shapes(request))
        return f"the recording lacks a conversation with these words; this conversation is {shapes}"
    *before, last = request.messages
    system = before[0].text if before else None
    message = f"the recording has no prompt {_short(last.text)} with {_named(system)}"
    others = [row.system for row in recording.rows if row.prompt == last.text]
    return f"{message}; it has that prompt with {_named(others[0])}" if others else message


def _shapes(request: Request) -> Iterator[str]:
    for message in request.messages:
        yield f"{message.role} with images" if message.images else message.role


def _named(system: str | None) -> str:
    return f"the system prompt {_short(system)}" if system else "no system prompt"


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")

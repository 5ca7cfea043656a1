"""Messages of the vocabulary as a Messages request's system prompt and turns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from cascade.errors import RequestError
from cascade.types import Message
from cascade.wire.anthropic.blocks import Block, Blocks

__all__ = ["Written", "conversation"]

Written = str | list[Block]
Numbered = list[tuple[int, Message]]
_SYSTEM = ("system", "developer")


def conversation(
    messages: Sequence[Message], blocks: Blocks, *, system_turns: bool
) -> tuple[Written | None, list[dict[str, Any]]]:
    """Return the system prompt, None where there is none, and the turns.

    System messages at the start are the prompt. A later one is a turn of its own where the
    protocol allows that and the model knows it (``system_turns``), else a user's. Messages
    without any content are left out, as the protocol refuses them.

    Raises:
        RequestError: no message has content, or a value that the protocol cannot carry.
    """
    leading = list(takewhile(_is_system, messages))
    if len(leading) == len(messages):  # a turn is needed, and nothing else is there
        leading = []
    system = _instructions(list(enumerate(leading)), blocks)
    turns = _Turns(blocks, system_turns=system_turns)
    turns.take(list(enumerate(messages))[len(leading) :])
    if not turns.written:
        mend = "Send at least one message with content"
        raise RequestError("messages", None, "no message has any content", mend)
    return system, turns.written


def _is_system(message: Message) -> bool:
    return message.role in _SYSTEM


def _instructions(messages: Numbered, blocks: Blocks) -> Written | None:
    """Write system messages that follow each other as one content, None where it is empty."""
    if len(messages) == 1 and isinstance(messages[0][1].content, str):
        return messages[0][1].content or None
    found = [
        block
        for number, message in messages
        for block in blocks.content(f"messages[{number}]", message.content)
    ]
    return found or None


class _Turns:
    """The turns written so far. Tools' results that follow each other are one user's turn, and
    the parts that the user sends with them are in it too."""

    def __init__(self, blocks: Blocks, *, system_turns: bool) -> None:
        self.written: list[dict[str, Any]] = []
        self._blocks = blocks
        self._system_turns = system_turns
        self._results: list[Block] | None = None  # of the last turn, while more may join
        self._waiting: Numbered = []  # system messages that follow each other

    def take(self, messages: Numbered) -> None:
        for number, message in messages:
            if _is_system(message):
                self._waiting.append((number, message))
                continue
            self._instruct(before_assistant=message.role == "assistant")
            self._add(message, f"messages[{number}]")
        self._instruct(before_assistant=True)

    def _add(self, message: Message, place: str) -> None:
        if message.role == "tool":
            result = self._blocks.result(place, message)
            if self._results is None:
                self._results = []
                self._turn("user", self._results)
            self._results.append(result)
        elif message.role == "assistant":
            self._say("assistant", message, self._blocks.assistant(place, message))
        elif self._results is not None and isinstance(message.content, tuple):
            self._results += self._blocks.content(place, message.content)
            self._results = None
        else:
            self._say("user", message, self._blocks.content(place, message.content))

    def _say(self, role: str, message: Message, blocks: list[Block]) -> None:
        """Write a turn that is a single text as just that, unless it came in parts."""
        if not blocks:
            return
        self._results = None
        one = len(blocks) == 1 and blocks[0].keys() == {"type", "text"}
        in_parts = role == "user" and isinstance(message.content, tuple)
        self._turn(role, blocks[0]["text"] if one and not in_parts else blocks)

    def _instruct(self, *, before_assistant: bool) -> None:
        """Write the system messages that wait: as a system's turn between a user's and an
        assistant's, or at the end after a user's; anywhere else the protocol wants a user's."""
        instructions = _instructions(self._waiting, self._blocks)
        self._waiting = []
        if instructions is None:
            return
        after_user = bool(self.written) and self.written[-1]["role"] == "user"
        allowed = self._system_turns and after_user and before_assistant
        self._results = None
        self._turn("system" if allowed else "user", instructions)

    def _turn(self, role: str, content: Written) -> None:
        self.written.append({"role": role, "content": content})

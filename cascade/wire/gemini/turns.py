"""A conversation as Gemini's ``contents``."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

from cascade.errors import RequestError
from cascade.types import Image, Message, Text
from cascade.wire.gemini.generations import is_older
from cascade.wire.gemini.images import image_part
from cascade.wire.gemini.parts import Part, call_part, model_parts, sealed
from cascade.wire.gemini.results import result_of
from cascade.wire.gemini.seals import UNCHECKED, for_google

__all__ = ["conversation"]

Content = dict[str, Any]
_INSTRUCTING = ("system", "developer")


def conversation(messages: tuple[Message, ...], model: str) -> tuple[Content | None, list[Content]]:
    """Return the system instruction, None where there is none, and the contents.

    Instructions stand before everything else in this protocol: those that come later are turns of
    the user, as is the last one where there is nothing else.

    Raises:
        RequestError: a call, a result or an image that the protocol cannot carry.
    """
    leading = sum(1 for _ in takewhile(lambda each: each.role in _INSTRUCTING, messages))
    leading = min(leading, len(messages) - 1)
    texts = [text for message in messages[:leading] for text in _texts(message)]
    instruction = {"parts": [{"text": text} for text in texts]} if texts else None
    return instruction, _Writing(messages, leading, model).contents()


def _texts(message: Message) -> list[str]:
    content = message.content or ""
    if isinstance(content, str):
        return [content]
    return [part.text for part in content if isinstance(part, Text)]


class _Writing:
    """The contents as they come to be."""

    def __init__(self, messages: tuple[Message, ...], start: int, model: str) -> None:
        self._messages = messages
        self._start = start
        self._names: dict[str, str] = {}  # the functions called, by the call's id
        # Newer models demand a signature on each step's first call since the user last spoke.
        asked = [n for n, message in enumerate(messages) if message.role == "user"]
        self._demanded_from = len(messages) if is_older(model) else max(asked, default=-1)

    def contents(self) -> list[Content]:
        written: list[Content] = []
        results: list[Part] | None = None
        for number, message in enumerate(self._messages[self._start :], self._start):
            place = f"messages[{number}]"
            if message.role == "tool":
                if results is None:  # all results of one step go in one turn
                    results = []
                    written.append({"role": "user", "parts": results})
                results += self._result(place, message)
                continue
            results = None
            if message.role == "assistant":
                parts = self._model(place, number, message)
                written.append({"role": "model", "parts": parts or [{"text": ""}]})
            else:
                written.append({"role": "user", "parts": _user(place, message)})
        return written

    def _model(self, place: str, number: int, message: Message) -> list[Part]:
        parts = model_parts(message, for_google)
        for index, call in enumerate(message.tool_calls):
            self._names[call.id] = call.name
            part = call_part(call, for_google)
            if part is None:
                where = f"{place}.tool_calls[{index}].arguments"
                problem = "Gemini takes a JSON object only"
                raise RequestError(where, call.arguments, problem, "Send the arguments as one")
            if not index and number > self._demanded_from and "thoughtSignature" not in part:
                part = sealed(part, UNCHECKED)
            parts.append(part)
        return parts

    def _result(self, place: str, message: Message) -> list[Part]:
        """Write a tool's result; images that only have an address follow it."""
        name = self._names.get(message.tool_call_id or "", message.name)
        if name is None:
            problem = "no call with this id comes before it"
            mend = "Send the assistant's message that made the call too"
            raise RequestError(f"{place}.tool_call_id", message.tool_call_id, problem, mend)
        result: dict[str, Any] = {
            "name": name,
            "response": result_of(message.text, message.is_error),
        }
        if message.tool_call_id:
            result["id"] = message.tool_call_id
        images = [image_part(f"{place}.content", image) for image in message.images]
        inline = [image for image in images if "inlineData" in image]
        if inline:
            result["parts"] = inline
        beside = [image for image in images if "fileData" in image]
        return [{"functionResponse": result}, *beside]


def _user(place: str, message: Message) -> list[Part]:
    content = message.content or ""
    if isinstance(content, str):
        return [{"text": content}]
    return [_part(f"{place}.content[{number}]", part) for number, part in enumerate(content)]


def _part(place: str, part: Text | Image) -> Part:
    return {"text": part.text} if isinstance(part, Text) else image_part(place, part)

"""A client's ``contents`` as messages."""

from __future__ import annotations

from cascade.errors import RequestError
from cascade.types import Image, Message, Text, Thought, ToolCall
from cascade.wire.codec import canonical
from cascade.wire.gemini.images import file_image, inline_image
from cascade.wire.gemini.request_shapes import (
    ContentShape,
    PartShape,
    ResultShape,
)
from cascade.wire.gemini.results import text_of
from cascade.wire.gemini.seals import read_signature, read_thought

__all__ = ["messages_of", "texts_of"]

_DATA = ("text", "inline_data", "file_data", "function_call", "function_response")


def texts_of(place: str, parts: list[PartShape]) -> str | tuple[Text, ...]:
    """Return the texts of an instruction: one as it is, several as parts.

    Raises:
        RequestError: there is something else among them.
    """
    for number, part in enumerate(parts):
        if part.text is None:
            where = f"{place}.parts[{number}]"
            raise RequestError(where, None, "instructions are text", "Send texts only")
    if len(parts) == 1:
        return parts[0].text or ""
    return tuple(Text(part.text or "") for part in parts)


def messages_of(contents: list[ContentShape]) -> list[Message]:
    """Return the conversation, one message for each turn and one for each tool's result.

    Raises:
        RequestError: a turn that its role cannot take, a result of no call, or data that is
            neither text nor image; with its place.
    """
    reading = _Reading(contents)
    messages: list[Message] = []
    for number, content in enumerate(contents):
        place = f"contents[{number}]"
        if content.role == "model":
            messages.append(reading.model(place, content.parts or []))
        else:
            messages += reading.user(place, content.parts or [])
    return messages


class _Reading:
    """What has to be remembered on the way: the calls, and which of them have no result yet.

    Calls without an id get one that no other call of the conversation has.
    """

    def __init__(self, contents: list[ContentShape]) -> None:
        parts = [part for content in contents for part in content.parts or ()]
        self._given = {part.function_call.id for part in parts if part.function_call}
        self._seen: set[str] = set()
        self._open: list[ToolCall] = []
        self._made = 0

    def model(self, place: str, parts: list[PartShape]) -> Message:
        """Read a model's turn. Thoughts that nobody signed are left behind, as nobody wants them
        back; the text of a signed one is all that was thought since the last."""
        texts: list[str] = []
        content: list[Text | Image] = []
        thoughts: list[Thought] = []
        calls: list[ToolCall] = []
        for number, part in enumerate(parts):
            where = f"{place}.parts[{number}]"
            kind = _kind(where, part)
            if kind == "function_response":
                raise _misplaced(f"{where}.functionResponse", "a result", "user")
            if kind == "function_call":
                calls.append(self._call(part))
            elif kind != "text":
                content.append(_image(where, part))
            elif part.thought:
                texts.append(part.text or "")
                if part.thought_signature:
                    thought = read_thought(part.thought_signature, "".join(texts))
                    thoughts.append(thought)
                    texts = texts if thought.redacted else []
            else:
                if part.text or not part.thought_signature:
                    content.append(Text(part.text or ""))
                if part.thought_signature:
                    thoughts.append(read_thought(part.thought_signature, ""))
        self._open = list(calls)
        said = _joined(content) if content or not (calls or thoughts) else None
        return Message(
            "assistant", said, tool_calls=tuple(calls), thoughts=tuple(filter(_sealed, thoughts))
        )

    def user(self, place: str, parts: list[PartShape]) -> list[Message]:
        """Read a user's turn: what was said between results is a message of its own."""
        if not parts:
            mend = "Send a text or at least one part"
            raise RequestError(f"{place}.parts", None, "the turn has no parts", mend)
        messages: list[Message] = []
        said: list[Text | Image] = []
        for number, part in enumerate(parts):
            where = f"{place}.parts[{number}]"
            kind = _kind(where, part)
            if kind == "function_call":
                raise _misplaced(f"{where}.functionCall", "a call", "model")
            if part.function_response is not None:
                if said:
                    messages.append(Message("user", _joined(said)))
                    said = []
                messages.append(self._result(f"{where}.functionResponse", part.function_response))
            else:
                said.append(Text(part.text or "") if kind == "text" else _image(where, part))
        return [*messages, Message("user", _joined(said))] if said else messages

    def _call(self, part: PartShape) -> ToolCall:
        called = part.function_call
        assert called is not None, "the part is a call"
        identity = called.id or self._new_id()
        self._seen.add(identity)
        arguments = canonical(called.args or {}).decode()
        return ToolCall(identity, called.name, arguments, read_signature(part.thought_signature))

    def _new_id(self) -> str:
        while (identity := f"call_{self._made}") in self._given:
            self._made += 1
        self._made += 1
        return identity

    def _result(self, place: str, result: ResultShape) -> Message:
        text, is_error = text_of(result.response)
        images = [
            inline_image(f"{place}.parts[{number}].inlineData", inline.mime_type, inline.data)
            for number, inline in enumerate(part.inline_data for part in result.parts or ())
        ]
        content: str | tuple[Text | Image, ...] = text
        if images:
            content = (Text(text), *images) if text else tuple(images)
        identity = self._answered(place, result)
        return Message("tool", content, tool_call_id=identity, is_error=is_error)

    def _answered(self, place: str, result: ResultShape) -> str:
        """Find the call that a result is of: by its id, else the first open one by its name."""
        for call in self._open:
            if call.id == result.id or (not result.id and call.name == result.name):
                self._open.remove(call)
                return call.id
        if result.id and result.id in self._seen:
            return result.id
        mend = "Send the model's turn with the call before it"
        if result.id:
            problem = "no call with this id comes before it"
            raise RequestError(f"{place}.id", result.id, problem, mend)
        problem = "no call of this function waits for a result"
        raise RequestError(f"{place}.name", result.name, problem, mend)


def _kind(place: str, part: PartShape) -> str:
    """The one thing that a part is."""
    found = [name for name in _DATA if getattr(part, name) is not None]
    if len(found) > 1:
        raise RequestError(place, None, "it is several things at once", "Send one in each part")
    if not found and not part.thought_signature:
        raise RequestError(place, None, "it is empty", "Send a text, an image, a call or a result")
    return found[0] if found else "text"


def _misplaced(place: str, what: str, role: str) -> RequestError:
    return RequestError(place, None, f"{what} is the {role}'s to send", f'Send it as "{role}"')


def _sealed(thought: Thought) -> bool:
    return thought.signature is not None or thought.redacted is not None


def _joined(content: list[Text | Image]) -> str | tuple[Text | Image, ...]:
    """One text as it is, anything else as parts."""
    if not content:
        return ""
    first = content[0]
    return first.text if len(content) == 1 and isinstance(first, Text) else tuple(content)


def _image(place: str, part: PartShape) -> Image:
    if (inline := part.inline_data) is not None:
        return inline_image(f"{place}.inlineData", inline.mime_type, inline.data)
    file = part.file_data
    assert file is not None, "the part is an image, inline or by its address"
    return file_image(f"{place}.fileData", file.mime_type, file.file_uri)

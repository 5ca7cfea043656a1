"""What a stream's pieces add up to, in every protocol."""

from __future__ import annotations

from cascade.types import (
    FinishReason,
    Kind,
    Message,
    Response,
    Thought,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from cascade.wire.failures import CallFailure, Malformed

__all__ = ["AssemblingReader", "Assembly", "Calling"]


class Calling:
    """A tool call that is still coming."""

    __slots__ = ("arguments", "id", "name", "signature")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.signature: str | None = None


class Assembly:
    """The answer so far. A reader puts in what it reads.

    Attributes:
        finish: why the model stopped; the answer is whole once it is there.
    """

    def __init__(self) -> None:
        self.id = ""
        self.model = ""
        self.created = 0
        self.texts: list[str] = []
        self.reasoning: list[str] = []
        self.refusals: list[str] = []
        self.thoughts: list[Thought] = []
        self.calls: list[Calling] = []
        self.logprobs: list[TokenLogprob] = []
        self.finish: FinishReason | None = None
        self.stop_sequence: str | None = None
        self.usage: Usage | None = None

    def begin(self, id: str | None, model: str | None) -> tuple[str | None, str | None]:  # noqa: A002
        """Keep who answers; return what of it is news: the answer's id and its model."""
        news = (None if self.id else id or None, None if self.model else model or None)
        self.id = self.id or id or ""
        self.model = self.model or model or ""
        return news

    def call(
        self,
        place: int,
        id: str | None = None,  # noqa: A002
        name: str | None = None,
        arguments: str = "",
        signature: str | None = None,
    ) -> ToolCallDelta:
        """Add a piece of the tool call at this place; one behind the last begins a new one."""
        if place == len(self.calls):
            self.calls.append(Calling())
        call = self.calls[place]
        call.arguments.append(arguments)
        new_id = id if id and not call.id else None
        new_name = name if name and not call.name else None
        call.id = call.id or id or ""
        call.name = call.name or name or ""
        call.signature = call.signature or signature
        return ToolCallDelta(place, new_id, new_name, arguments, signature)

    def response(self) -> Response:
        """Return the whole answer.

        Raises:
            Malformed: a call never got its function's name.
        """
        for call in self.calls:
            if not call.name:
                raise Malformed("the stream holds a tool call without a function's name")
        return self.partial()

    def partial(self) -> Response:
        """Return what came so far, its finish reason ``unknown`` while there is none."""
        return Response(
            message=Message(
                role="assistant",
                content="".join(self.texts) if self.texts else None,
                tool_calls=tuple(
                    ToolCall(call.id, call.name, "".join(call.arguments), call.signature)
                    for call in self.calls
                ),
                refusal="".join(self.refusals) if self.refusals else None,
                thoughts=tuple(self.thoughts),
            ),
            finish_reason=self.finish or "unknown",
            model=self.model,
            id=self.id,
            created=self.created,
            usage=self.usage,
            logprobs=tuple(self.logprobs) if self.logprobs else None,
            reasoning="".join(self.reasoning),
            stop_sequence=self.stop_sequence,
        )


class AssemblingReader:
    """What the readers of all protocols share: the answer so far, and whether it is whole."""

    def __init__(self) -> None:
        self._answer = Assembly()
        self._done = False

    @property
    def done(self) -> bool:
        """Whether the protocol's last word was seen; what follows it is skipped."""
        return self._done

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end: the protocol's finish was sent. A stream that stops
        before that was broken, however clean its connection closed."""
        return self._answer.finish is not None

    def response(self) -> Response:
        """Return the whole answer.

        Raises:
            CallFailure: the stream ended before the answer did.
        """
        if not self.complete:
            raise CallFailure(Kind.BROKEN, "the stream ended before the answer did")
        return self._answer.response()

    def partial(self) -> Response:
        """Return what came so far, its finish reason ``unknown`` while there is none. Its usage
        may be a running count."""
        return self._answer.partial()

    def _counted(self, usage: Usage | None) -> Response | None:
        """What came, where the event that says it is all brought its ``usage``."""
        return None if usage is None else self.partial()

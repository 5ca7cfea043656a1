"""Requests and answers that the Messages API can carry, as Hypothesis draws them."""

from __future__ import annotations

from hypothesis import strategies as st

from cascade.types import (
    FinishReason,
    Image,
    Mark,
    Message,
    Request,
    Response,
    ResponseFormat,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)
from cascade.wire.codec import canonical
from cascade.wire.shapes import FORMAT_NAME
from tests.wire.strategies import names, schemas, texts

said = texts.filter(bool)
marks: st.SearchStrategy[Mark | None] = st.sampled_from([None, "5m", "1h"])
objects = schemas.map(bytes.decode)  # JSON objects as text
object_schemas = st.dictionaries(names, st.booleans() | texts, max_size=3).map(
    lambda found: canonical({"type": "object", **found})
)

texts_with_marks = st.builds(Text, said, marks)
images = st.builds(
    Image,
    st.sampled_from(["https://example.org/cat.png", "data:image/png;base64,iVBORw0KGgo="]),
    mark=marks,
)
parts = st.lists(texts_with_marks | images, min_size=1, max_size=3).map(tuple)
instructions = said | st.lists(texts_with_marks, min_size=1, max_size=3).map(tuple)
seals = st.text("abcXYZ019+/=", min_size=1, max_size=12)
thoughts = st.lists(
    st.builds(Thought, texts, seals) | st.builds(Thought, redacted=seals), max_size=3
).map(tuple)
calls = st.builds(ToolCall, names, names, objects, mark=marks)


def _told_apart(content: tuple[Text, ...] | None) -> str | tuple[Text, ...] | None:
    """One plain text is no list: the wire cannot tell the two apart in an assistant's turn."""
    plain = content is not None and len(content) == 1 and content[0].mark is None
    return content[0].text if content and plain else content


answers_so_far = st.builds(
    Message,
    st.just("assistant"),
    st.lists(texts_with_marks, min_size=1, max_size=3).map(tuple).map(_told_apart),
    tool_calls=st.lists(calls, max_size=2).map(tuple),
    thoughts=thoughts,
) | st.builds(
    Message,
    st.just("assistant"),
    tool_calls=st.lists(calls, min_size=1, max_size=2).map(tuple),
    thoughts=thoughts,
)
users = st.builds(Message, st.just("user"), said | parts)
results = st.builds(
    Message,
    st.just("tool"),
    texts | parts,
    tool_call_id=names,
    is_error=st.booleans(),
    mark=marks,
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """Turns in any order; a later system's message stands between a user's turn and an
    assistant's, or ends the conversation."""
    found = [Message("system", draw(instructions))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        found += draw(st.lists(users | results, min_size=1, max_size=3))
        if draw(st.booleans()):
            found.append(Message("system", draw(instructions)))
        found.append(draw(answers_so_far))
    if draw(st.booleans()):
        found.append(draw(users))
    return tuple(found)


choices = st.sampled_from(
    [ToolChoice("auto"), ToolChoice("none"), ToolChoice("required"), ToolChoice("function", "f")]
)
tools = st.builds(Tool, names, st.none() | texts, object_schemas, st.none() | st.booleans(), marks)
efforts = st.sampled_from(["low", "medium", "high", "xhigh", "max"])


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request whose deciding half is at its defaults, since that half is never sent."""
    limit = draw(st.integers(2000, 100_000))
    given_tools = tuple(draw(st.lists(tools, max_size=2)))
    choice = draw(st.none() | choices) if given_tools else None
    alone = choice is not None and choice.mode != "none" and draw(st.booleans())
    forced = choice is not None and choice.mode in ("required", "function")
    thinks = not forced and draw(st.booleans())
    effort = draw(st.none() | efforts) if thinks else draw(st.sampled_from([None, "none"]))
    budget = draw(st.none() | st.integers(1024, limit - 1)) if thinks else None
    if effort in ("low", "high") and draw(st.booleans()):
        budget = 0
    samples = effort in (None, "none") and not budget
    messages = draw(conversations())
    if messages[-1].role == "tool" and budget:
        messages += (Message("user", "Go on."),)
    return Request(
        messages=messages,
        tools=given_tools,
        tool_choice=choice,
        parallel_tool_calls=False if alone else None,
        response_format=draw(
            st.none()
            | st.builds(ResponseFormat, st.just("json_schema"), st.just(FORMAT_NAME), schemas)
        ),
        max_tokens=limit,
        temperature=draw(st.none() | st.floats(0, 1)) if samples else None,
        top_p=draw(st.none() | st.floats(0, 1)) if samples else None,
        top_k=draw(st.none() | st.integers(0, 100)) if samples else None,
        stop=tuple(draw(st.lists(texts, max_size=3))),
        reasoning_effort=effort,
        reasoning_budget=budget,
        user=draw(st.none() | texts),
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """A usage whose parts do not exceed their wholes."""
    asked, answered = draw(st.integers(1, 10**6)), draw(st.integers(0, 10**6))
    cached = draw(st.integers(0, asked))
    written = draw(st.integers(0, asked - cached))
    hour = draw(st.integers(0, written))
    return Usage(asked, answered, cached, written, draw(st.integers(0, answered)), hour)


finishes: st.SearchStrategy[FinishReason] = st.sampled_from(
    ["stop", "length", "tool_calls", "content_filter"]
)


@st.composite
def responses(draw: st.DrawFn) -> Response:
    """An answer. A refusal is one by its finish reason, and its text is the refusal's."""
    finish = draw(finishes)
    text = draw(st.none() | said)
    sealed = draw(thoughts)
    told = "".join(thought.text for thought in sealed)
    refused = finish == "content_filter"
    return Response(
        message=Message(
            role="assistant",
            content=None if refused else text,
            tool_calls=tuple(
                draw(st.lists(st.builds(ToolCall, names, names, objects), max_size=3))
            ),
            refusal=text if refused else None,
            thoughts=sealed,
        ),
        finish_reason=finish,
        model=draw(names),
        id=draw(names),
        usage=draw(st.none() | usages()),
        reasoning=told or ("" if sealed else draw(texts)),
        stop_sequence=draw(st.none() | said) if finish == "stop" else None,
    )

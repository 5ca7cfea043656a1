"""Requests and answers that ``generateContent`` can carry, as Hypothesis draws them."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import strategies as st

from cascade.types import (
    FinishReason,
    Image,
    Message,
    Request,
    Response,
    ResponseFormat,
    Text,
    Thought,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)
from cascade.wire.codec import canonical
from cascade.wire.seals import GOOGLES
from cascade.wire.shapes import FORMAT_NAME
from tests.wire.strategies import likelihoods, names, schemas, texts, tokens

said = texts.filter(bool)
objects = schemas.map(bytes.decode)  # JSON objects as text
object_schemas = st.dictionaries(names, st.booleans() | texts, max_size=3).map(
    lambda found: canonical({"type": "object", **found})
)

# Google's signatures hold bytes of its own, never the word that others' are packed with.
_seals = st.binary(min_size=1, max_size=9).filter(lambda seal: not seal.startswith(b"cascade"))
googles = _seals.map(lambda seal: GOOGLES + b64encode(seal).decode())
foreign = st.text("abcXYZ019+/=", min_size=1, max_size=12)
inline = st.just(Image("data:image/png;base64,iVBORw0KGgo="))
images = inline | st.sampled_from(
    [Image("https://example.org/cat.png"), Image("https://example.org/cat")]
)


def _one_text(content: tuple[Text | Image, ...]) -> str | tuple[Text | Image, ...]:
    """One text is no list: the wire cannot tell the two apart."""
    first = content[0]
    return first.text if len(content) == 1 and isinstance(first, Text) else content


parts = st.lists(st.builds(Text, texts) | images, min_size=1, max_size=3).map(tuple).map(_one_text)
text_parts = st.lists(st.builds(Text, said), min_size=1, max_size=3).map(tuple).map(_one_text)
# A result is a text that may look like JSON of any kind, or like what results are wrapped in.
outputs = (
    texts
    | objects
    | objects.map(lambda text: f" {text}")
    | st.sampled_from(
        ['{"output":"x"}', '{"error":"x"}', '{"output":{"a":1}}', '{"error":"x","b":1}', "[1]", "{"]
    )
)
contents_of_results = outputs | st.builds(
    lambda text, found: (Text(text), *found) if text else tuple(found),
    texts,
    st.lists(inline, min_size=1, max_size=2),
)


@st.composite
def steps(draw: st.DrawFn, number: int) -> list[Message]:
    """What a model says, and the results of its calls, in any order."""
    ids = [f"id_{number}_{index}" for index in range(draw(st.integers(0, 3)))]
    calls = tuple(
        ToolCall(each, draw(names), draw(objects), draw(st.none() | googles)) for each in ids
    )
    content = draw(st.none() | text_parts) if calls else draw(text_parts)
    closing = [Thought(signature=draw(googles))] if draw(st.booleans()) else []
    thoughts = (*draw(st.lists(st.builds(Thought, texts, googles), max_size=2)), *closing)
    answered = draw(st.permutations(ids))
    return [
        Message("assistant", content, tool_calls=calls, thoughts=thoughts),
        *(draw(_results(each)) for each in answered),
    ]


def _results(call: str) -> st.SearchStrategy[Message]:
    return st.builds(
        Message, st.just("tool"), contents_of_results, tool_call_id=st.just(call)
    ) | st.builds(
        Message, st.just("tool"), texts, tool_call_id=st.just(call), is_error=st.just(True)
    )


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    found = [Message("system", draw(text_parts))] if draw(st.booleans()) else []
    users = st.builds(Message, st.just("user"), parts)
    found += draw(st.lists(users, min_size=1, max_size=2))
    for number in range(draw(st.integers(0, 2))):
        found += draw(steps(number))
        found += draw(st.lists(users, max_size=1))
    return tuple(found)


tools = st.builds(Tool, names, st.none() | texts, st.none() | object_schemas)
choices = st.sampled_from(
    [ToolChoice("auto"), ToolChoice("none"), ToolChoice("required"), ToolChoice("function", "f")]
)
formats = st.sampled_from([ResponseFormat("text"), ResponseFormat("json_object")]) | st.builds(
    ResponseFormat, st.just("json_schema"), st.just(FORMAT_NAME), object_schemas
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request whose deciding half is at its defaults, since that half is never sent."""
    logprobs = draw(st.booleans())
    effort = draw(st.sampled_from([None, "none", "minimal", "low", "medium", "high"]))
    given_tools = tuple(draw(st.lists(tools, max_size=2)))
    return Request(
        messages=draw(conversations()),
        tools=given_tools,
        tool_choice=draw(st.none() | choices) if given_tools else None,
        response_format=draw(st.none() | formats),
        max_tokens=draw(st.none() | st.integers(1, 100_000)),
        temperature=draw(st.none() | st.floats(0, 2)),
        top_p=draw(st.none() | st.floats(0, 1)),
        top_k=draw(st.none() | st.integers(1, 100)),
        seed=draw(st.none() | st.integers(-(2**31), 2**31 - 1)),
        stop=tuple(draw(st.lists(texts, max_size=3))),
        presence_penalty=draw(st.none() | st.floats(-2, 2)),
        frequency_penalty=draw(st.none() | st.floats(-2, 2)),
        logprobs=logprobs,
        top_logprobs=draw(st.none() | st.integers(0, 20)) if logprobs else None,
        reasoning_effort=effort,
        reasoning_budget=draw(st.none() | st.integers(1, 50_000)) if effort is None else None,
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """A usage whose parts do not exceed their wholes."""
    asked, answered = draw(st.integers(1, 10**6)), draw(st.integers(0, 10**6))
    cached = draw(st.integers(0, asked))
    return Usage(asked, answered, cached, reasoning_tokens=draw(st.integers(0, answered)))


@st.composite
def _thinking(draw: st.DrawFn) -> tuple[tuple[Thought, ...], str]:
    """Thoughts and the reasoning that they are: signed by whomever, or by nobody. Google may have
    signed the text instead."""
    seals = googles | foreign
    signed = st.builds(Thought, said, seals)
    if draw(st.booleans()):
        others = signed | st.builds(Thought, st.just(""), foreign)
        found = draw(st.lists(others | st.builds(Thought, redacted=foreign), max_size=3))
        return tuple(found), "".join(thought.text for thought in found)
    closing = (Thought(signature=draw(googles)),) if draw(st.booleans()) else ()
    return closing, draw(texts)


finishes: st.SearchStrategy[FinishReason] = st.sampled_from(["length", "content_filter", "unknown"])


@st.composite
def responses(draw: st.DrawFn) -> Response:
    text = draw(st.none() | said)
    logprobs = draw(st.none() | st.lists(tokens, min_size=1, max_size=4).map(tuple))
    if text and draw(st.booleans()):  # tokens that add up to the text
        logprobs = tuple(TokenLogprob(each, draw(likelihoods)) for each in text)
    ids = draw(st.lists(names, max_size=3, unique=True))
    calls = tuple(
        ToolCall(each, draw(names), draw(objects), draw(st.none() | googles | foreign))
        for each in ids
    )
    stopped: FinishReason = "tool_calls" if calls else "stop"
    thoughts, reasoning = draw(_thinking())
    return Response(
        message=Message("assistant", text, tool_calls=calls, thoughts=thoughts),
        finish_reason=draw(st.just(stopped) | finishes),
        model=draw(names),
        id=draw(names),
        usage=draw(st.none() | usages()),
        logprobs=logprobs,
        reasoning=reasoning,
    )

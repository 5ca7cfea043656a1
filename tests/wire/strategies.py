"""Requests and answers of the vocabulary, as Hypothesis draws them."""

from __future__ import annotations

from typing import get_args

from hypothesis import strategies as st

from cascade.types import (
    FinishReason,
    Image,
    Message,
    Request,
    Response,
    ResponseFormat,
    Text,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolChoice,
    TopLogprob,
    Usage,
)
from cascade.wire.codec import canonical

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.sampled_from("abcxyz_09"), min_size=1, max_size=8)
optional_flags = st.none() | st.booleans()

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
schemas = st.dictionaries(texts, _json, max_size=4).map(canonical)

images = st.builds(
    Image,
    st.sampled_from(["https://example.org/cat.png", "data:image/png;base64,iVBORw0KGgo="]),
    st.sampled_from([None, "auto", "low", "high"]),
)
parts = st.lists(st.builds(Text, texts) | images, min_size=1, max_size=3).map(tuple)
text_parts = st.lists(st.builds(Text, texts), min_size=1, max_size=3).map(tuple)
calls = st.builds(ToolCall, id=names, name=names, arguments=texts)
some_calls = st.lists(calls, min_size=1, max_size=3).map(tuple)

messages = st.one_of(
    st.builds(Message, st.sampled_from(["system", "developer"]), texts | text_parts),
    st.builds(Message, st.just("user"), texts | parts, name=st.none() | names),
    st.builds(Message, st.just("assistant"), texts | text_parts, refusal=st.none() | texts),
    st.builds(Message, st.just("assistant"), st.none() | texts, tool_calls=some_calls),
    st.builds(Message, st.just("assistant"), refusal=texts),
    st.builds(Message, st.just("tool"), texts | text_parts, tool_call_id=names),
)

tools = st.builds(Tool, names, st.none() | texts, st.none() | schemas, optional_flags)
choices = st.sampled_from(
    [ToolChoice("auto"), ToolChoice("none"), ToolChoice("required"), ToolChoice("function", "f")]
)
formats = st.sampled_from([ResponseFormat("text"), ResponseFormat("json_object")]) | st.builds(
    ResponseFormat,
    st.just("json_schema"),
    names,
    schemas,
    optional_flags,
    st.none() | texts,
)
biases = st.dictionaries(names, st.integers(-100, 100).map(float), max_size=3).map(
    lambda found: tuple(sorted(found.items()))
)


def _between(low: float, high: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(low, high)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request whose deciding half is at its defaults, since that half is never sent."""
    logprobs = draw(st.booleans())
    given_tools = tuple(draw(st.lists(tools, max_size=2)))
    return Request(
        messages=tuple(draw(st.lists(messages, min_size=1, max_size=4))),
        tools=given_tools,
        tool_choice=draw(st.none() | choices) if given_tools else None,
        parallel_tool_calls=draw(optional_flags) if given_tools else None,
        response_format=draw(st.none() | formats),
        max_tokens=draw(st.none() | st.integers(1, 100_000)),
        temperature=draw(_between(0, 2)),
        top_p=draw(_between(0, 1)),
        top_k=draw(st.none() | st.integers(1, 100)),
        seed=draw(st.none() | st.integers(-(2**63), 2**63 - 1)),
        stop=tuple(draw(st.lists(texts, max_size=3))),
        presence_penalty=draw(_between(-2, 2)),
        frequency_penalty=draw(_between(-2, 2)),
        logit_bias=draw(biases),
        logprobs=logprobs,
        top_logprobs=draw(st.none() | st.integers(0, 20)) if logprobs else None,
        reasoning_effort=draw(st.sampled_from([None, "low", "high"])),
        user=draw(st.none() | texts),
    )


likelihoods = st.floats(-50, 0) | st.just(-9999.0)
tokens = st.builds(
    TokenLogprob,
    texts,
    likelihoods,
    st.lists(st.builds(TopLogprob, texts, likelihoods), max_size=2).map(tuple),
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """A usage whose parts do not exceed their wholes."""
    asked, answered = draw(st.integers(1, 10**6)), draw(st.integers(0, 10**6))
    cached = draw(st.integers(0, asked))
    written = draw(st.integers(0, asked - cached))
    return Usage(asked, answered, cached, written, draw(st.integers(0, answered)))


# OpenAI has no word for an end that is not understood.
finishes: st.SearchStrategy[FinishReason] = st.sampled_from(
    [reason for reason in get_args(FinishReason) if reason != "unknown"]
)


@st.composite
def responses(draw: st.DrawFn, *, streamed: bool = False) -> Response:
    """An answer. A streamed one has no empty parts: a stream cannot tell empty from absent."""
    least = 1 if streamed else 0
    words = st.none() | texts.filter(lambda text: len(text) >= least)
    text = draw(words)
    logprobs = draw(st.none() | st.lists(tokens, min_size=least, max_size=4).map(tuple))
    if text and draw(st.booleans()):  # tokens that add up to the text
        logprobs = tuple(TokenLogprob(each, draw(likelihoods)) for each in text)
    return Response(
        message=Message(
            role="assistant",
            content=text,
            tool_calls=tuple(draw(st.lists(calls, max_size=3))),
            refusal=draw(words),
        ),
        finish_reason=draw(finishes),
        model=draw(names),
        id=draw(names),
        created=draw(st.integers(1, 2**32)),
        usage=draw(st.none() | usages()),
        logprobs=logprobs,
        reasoning=draw(texts),
    )

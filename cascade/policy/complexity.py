"""How demanding a request looks, from signals that anyone can read.

Signals give points (:mod:`cascade.policy.signals`); the sum gives the level. Nothing takes points
away, so more to do never looks like less. Only a request without any points whose *shape* is plain
(:mod:`cascade.policy.shapes`) is ``simple``. Where no shape is recognised the request is
``moderate``: the classifier abstains, and the evidence of the answer decides.

The level is no evidence that an answer is right. On recorded prompts it predicts the cheapest
model's failures no better than chance (``benchmarks/complexity.py``): it tells small tasks from
large ones, and a short question may still be one that a small model gets wrong.

The prompt is data. Nothing it says about models, price or its own difficulty is a signal, except
by making it longer. A high ``max_tokens`` is a permission, not a demand, and says nothing.

Limits, known and accepted: the words are English; in other languages only length, numbers,
formulas, code and layout are seen, so most such requests are ``moderate`` or above. A question in
everyday words is a look-up, however deep its subject. Of a long turn the first and the last 4,000
characters are read, so the work is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from cascade.policy.shapes import WORDS_ALONE, plain_shape, stands_alone
from cascade.policy.signals import Points, of_text, split_words
from cascade.types import Complexity, Level, Message, Request

VERSION = 1
"""Changes with every change of a table here: levels of different versions do not compare."""

COMPLEX_AT = 5
"""Points from which a request is ``complex``; from 1 it is ``moderate``."""

_WINDOW = 4_000  # characters read at each end of a turn
_READ_BACK = 12  # messages, at most, that a turn is read with where it does not stand alone
_CLOSING = 400  # characters of an assistant's turn that are read: its closing offer or question
_MANY_MESSAGES, _LONG_HISTORY = 8, 24_000  # messages; characters


def classify(request: Request) -> Complexity:
    """Return how demanding the request looks, and the signals that say so.

    Total and deterministic. It reads the last user turn, and the conversation before it where
    that turn is too short to stand alone.
    """
    text, continued = _matter(request.messages)
    seen = text if len(text) <= 2 * _WINDOW else f"{text[:_WINDOW]}\n{text[-_WINDOW:]}"
    words = split_words(seen)
    length = _length(text, len(words))
    points = 0
    reasons = [f"{length} words long"]
    if continued:
        reasons.append("a short turn, read with the conversation before it")
    for point, reason in chain(of_text(seen, words, length), _of_request(request)):
        points += point
        reasons.append(reason)
    level: Level = "complex" if points >= COMPLEX_AT else "moderate"
    if points == 0:
        shape = plain_shape(seen, words, request.max_tokens)
        level = "moderate" if shape is None else "simple"
        reasons.append(shape or "no plain question or small task recognised")
    return Complexity(level, tuple(reasons))


def _matter(messages: Sequence[Message]) -> tuple[str, bool]:
    """The text to judge, and whether it takes in earlier turns."""
    at = next((i for i in range(len(messages) - 1, -1, -1) if messages[i].role == "user"), None)
    if at is None:
        return "", False
    last = messages[at].text
    if at == 0 or len(last) > 2 * _WINDOW or stands_alone(last):
        return last, False
    turns = [last]
    for message in messages[max(0, at - _READ_BACK) : at][::-1]:
        if message.role == "assistant":
            turns.append(message.text[-_CLOSING:])
        elif message.role == "user":
            turns.append(message.text[-_WINDOW:])
            if len(turns[-1].split()) >= WORDS_ALONE:
                break
    return "\n".join(reversed(turns)), len(turns) > 1


def _length(text: str, counted: int) -> int:
    """Words, estimated where the text is long or its script sets no spaces."""
    if len(text) > 2 * _WINDOW:
        return len(text) // 6
    return counted if text.isascii() else max(counted, len(text.encode(errors="replace")) // 8)


def _of_request(request: Request) -> Iterator[Points]:
    messages = request.messages
    if len(messages) > _MANY_MESSAGES:
        yield 1, f"a conversation of {len(messages)} messages"
    if sum(len(message.text) for message in messages[:-1]) > _LONG_HISTORY:
        yield 1, "a long history"
    if request.tools and (request.tool_choice is None or request.tool_choice.mode != "none"):
        yield 1, "tools are offered"
    if any(message.role == "tool" for message in messages):
        yield 1, "works with tool results"
    if request.images:
        yield 1, "shows an image"
    if request.response_format is not None and request.response_format.kind == "json_schema":
        yield 1, "the answer must fit a schema"
    if request.reasoning_effort in ("high", "xhigh"):
        yield 2, "asks for high reasoning effort"

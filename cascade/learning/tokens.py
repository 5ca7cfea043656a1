"""Recorded log-probabilities of single tokens, and texts cut into tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from cascade.errors import Mistake
from cascade.types import TokenLogprob, TopLogprob

__all__ = ["logprobs_of", "split"]

_WORDS = re.compile(r"\s*\S+|\s+$")
_MEND = 'Write a list of {"token", "logprob", "top_logprobs"}, or of numbers beside `tokens`'


def split(text: str, tokens: int | None) -> Iterator[str]:
    """Cut a text into as many pieces as it had tokens, evenly; joined, they are the text.

    The first pieces are never the empty ones. Without a recorded number the pieces are words,
    each with the white space before it.
    """
    if not tokens:
        yield from _WORDS.findall(text)
        return
    size = len(text)
    begin = 0
    for number in range(1, tokens + 1):
        end = -(-number * size // tokens)  # rounded up
        yield text[begin:end]
        begin = end


def logprobs_of(place: str, value: Any, tokens: Any, text: str) -> tuple[TokenLogprob, ...] | None:
    """Return the log-probabilities: OpenAI's shape, its older one, or plain numbers.

    Numbers without tokens are spread evenly over the text.

    Raises:
        Mistake: they are in none of these shapes, or no logarithms of probabilities.
    """
    if isinstance(value, dict):
        tokens = value.get("tokens", tokens)
        value = value.get("content", value.get("token_logprobs"))
    if value is None:
        return None
    if not isinstance(value, list):
        raise Mistake(place, value, "they are no list", _MEND)
    if all(isinstance(each, dict) for each in value):
        return tuple(_token(f"{place}[{at}]", each) for at, each in enumerate(value))
    if tokens is None:
        tokens = list(split(text, len(value)))
    if not (isinstance(tokens, list) and len(tokens) == len(value)):
        problem = f"they are {len(value)} numbers, and `tokens` is no list of as many"
        raise Mistake(place, None, problem, _MEND)
    return tuple(
        TokenLogprob(str(token), _logprob(f"{place}[{at}]", number))
        for at, (token, number) in enumerate(zip(tokens, value, strict=True))
    )


def _token(place: str, entry: dict[str, Any]) -> TokenLogprob:
    return TokenLogprob(
        _name(place, entry),
        _logprob(f"{place}.logprob", entry.get("logprob")),
        tuple(
            TopLogprob(_name(place, rival), _logprob(f"{place}.top_logprobs", rival.get("logprob")))
            for rival in entry.get("top_logprobs") or ()
        ),
    )


def _name(place: str, entry: Any) -> str:
    token = entry.get("token") if isinstance(entry, dict) else None
    if not isinstance(token, str):
        raise Mistake(place, entry, "it has no token", _MEND)
    return token


def _logprob(place: str, number: object) -> float:
    if not isinstance(number, int | float) or isinstance(number, bool) or math.isnan(number):
        raise Mistake(place, number, "it is no number", _MEND)
    if number > 0:
        raise Mistake(place, number, "the logarithm of a probability is at most 0", _MEND)
    return float(number)

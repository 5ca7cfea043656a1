"""Plain shapes: a request that looks something up, asks for a small rewriting, or greets.

A shape is what makes a request without any signal simple; it never outweighs a signal.
"""

from __future__ import annotations

import re

from cascade.policy.signals import join_words, split_words, words_of

_BRIEF = (
    " one word ", " single word ", " yes or no ", " true or false ", " only the answer ",
    " just the answer ", " one sentence ", " one letter ", " single letter ", " single number ",
)  # fmt: skip
_LOOK_UP = words_of("who whom whose when where which what how")
_YES_OR_NO = words_of("is are was were do does did can could has have had will would")
_SMALL_TASKS = words_of(
    "translate summarise summarize rewrite rephrase paraphrase classify extract correct spell "
    "define list name convert capitalise capitalize proofread shorten tell give say state "
    "identify sort count"
)
_GREETINGS = words_of("hi hello hey thanks thank bye goodbye")
_POLITE = words_of("please kindly question q user problem")
_ABOUT_ITSELF = words_of(
    "simple simplest easy easiest trivial basic hard difficult complex complexity cheap cheaper "
    "cheapest expensive strong strongest small smallest big model models router routing tier "
    "rung level"
)
"""A sentence with one of these may speak of the request itself: it cannot make it plain."""
_POINTS_BACK = words_of(
    "it its that this they them these those he she one ones same above previous"
)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_SHORT_ANSWER = 32  # tokens
WORDS_ALONE = 12
"""A turn of so many words stands alone."""


def plain_shape(seen: str, words: list[str], max_tokens: int | None) -> str | None:
    """Name the plain shape of a text, None where there is none.

    ``max_tokens`` is the caller's limit: so low that only a short answer fits, it is a sign of one.
    """
    if 0 < len(words) <= 4 and words[0] in _GREETINGS:
        return "a greeting"
    shape = plain_sentence(seen)
    if shape is not None:
        return shape
    joined = join_words(words)
    brief = any(phrase in joined for phrase in _BRIEF)
    # In another script the demands could not be read: a low limit alone says too little.
    limited = max_tokens is not None and max_tokens <= _SHORT_ANSWER and seen.isascii()
    return "wants a short answer" if words and (brief or limited) else None


def plain_sentence(text: str) -> str | None:
    """Name the shape of the first plain sentence, None where there is none."""
    for sentence in _SENTENCE.findall(text):
        words = split_words(sentence)
        while words and words[0] in _POLITE:
            del words[0]
        if not words or not _ABOUT_ITSELF.isdisjoint(words):
            continue
        asks = sentence.endswith("?")
        if words[0] in _LOOK_UP or (asks and not _LOOK_UP.isdisjoint(words)):
            return "a plain question"
        if asks and words[0] in _YES_OR_NO:
            return "a yes-or-no question"
        if words[0] in _SMALL_TASKS and len(words) > 1:
            return f"a small task ({words[0]})"
    return None


def stands_alone(text: str) -> bool:
    """Whether a turn can be understood without the conversation before it."""
    words = split_words(text)
    if len(words) >= WORDS_ALONE:
        return True
    points_back = not _POINTS_BACK.isdisjoint(words)
    return not points_back and len(words) >= 4 and plain_sentence(text) is not None

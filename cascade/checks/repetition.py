"""Degenerate repetition: an answer that has fallen into a loop.

It must not doubt an honest table, list, program or poem, so it asks for much: a loop that runs to
the very end, or a long passage in which almost nothing is new.
"""

from __future__ import annotations

import re

_WINDOW = 20_000  # characters at the end that are looked at: a loop does not leave its end
_SEED = 24  # characters whose earlier occurrence proposes the unit's length

# A loop: (least characters, least rounds). Short units need many rounds, whole sentences fewer.
_LOOPS = ((100, 20), (400, 8))
_SIGNS_ONLY = 2_000  # characters that rulers, zeros and closing brackets may fill

# Marks of an answer's end that a server left in the text, often hundreds of them. What stands
# before them may be right.
_MARK = re.compile(r"(?:</s>|<eos>|<pad>|<end_of_turn>|<\|\w{1,24}\|>)\Z")
_LONGEST_MARK = 28
_BLANK = " \t\r\n.,;:!?"

_PASSAGE = 400  # words; a shorter passage is not judged by its variety
_VARIETY = 0.12  # least share of distinct word quadruples in it


def repeats(text: str) -> str | None:
    """Say in words how the text repeats itself; None where it does not."""
    tail = _without_padding(text[-_WINDOW:])
    return _loop(tail) or _monotony(tail)


def _without_padding(text: str) -> str:
    while True:
        text = text.rstrip(_BLANK)
        mark = _MARK.search(text, max(0, len(text) - _LONGEST_MARK))
        if mark is None:
            return text
        text = text[: mark.start()]


def _loop(tail: str) -> str | None:
    period = _period(tail)
    if period is None:
        return None
    length = _run(tail, period)
    rounds = length // period
    unit = tail[-period:]
    if not any(map(str.isalpha, unit)):
        long = length >= _SIGNS_ONLY
    else:
        long = any(length >= least and rounds >= times for least, times in _LOOPS)
    return f"repeats {_shown(unit)} {rounds} times at its end" if long else None


def _period(tail: str) -> int | None:
    """The distance to the nearest earlier occurrence of the last characters."""
    if len(tail) < 2 * _SEED:
        return None
    seed = tail[-_SEED:]
    earlier = tail.rfind(seed, 0, len(tail) - 1)
    return len(tail) - len(seed) - earlier if earlier >= 0 else None


def _run(tail: str, period: int) -> int:
    """How many characters at the end repeat with this period.

    A suffix repeats if it equals itself shifted by one period, and so do all shorter ones:
    bisection finds the longest.
    """
    low, high = period, len(tail)
    while low < high:
        middle = (low + high + 1) // 2
        start = len(tail) - middle
        if tail.startswith(tail[start + period :], start):
            low = middle
        else:
            high = middle - 1
    return low


def _monotony(tail: str) -> str | None:
    words = tail.split()[-_PASSAGE:]
    if len(words) < _PASSAGE:
        return None
    quadruples = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    share = len(set(quadruples)) / len(quadruples)
    return f"says little new in its last {_PASSAGE} words" if share < _VARIETY else None


def _shown(unit: str) -> str:
    return repr(unit if len(unit) <= 40 else unit[:39] + "…")

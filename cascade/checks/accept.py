"""Acceptance rules: ``mean_logprob >= -0.15 and output_tokens < 400``.

The grammar is *comparison (and comparison)\\**; a comparison is a name of
:data:`~cascade.types.EVIDENCE_NAMES`, one of ``>= > <= <`` and a number. A rule is parsed, never
evaluated.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import NoReturn, get_args

from cascade.types import EVIDENCE_NAMES, Comparison, Operator

_OPERATORS: dict[str, Operator] = {sign: sign for sign in get_args(Operator)}
_NUMBER = re.compile(r"[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+)?")
# A word, a number with its sign, an operator (right or wrong), or whatever else stands there.
_TOKEN = re.compile(r"[A-Za-z_]\w*|[+-]?[.\d][\w.]*(?:(?<=[eE])[+-]\d+)?|[<>=!≤≥]+|\S")
_MENDS = {
    "=>": "Write >=.",
    "=<": "Write <=.",
    "≥": "Write >=.",
    "≤": "Write <=.",
    "=": "Write >= or <=: a measurement is never exactly a number.",
    "==": "Write >= or <=: a measurement is never exactly a number.",
    "!=": "Write > or <: a measurement is never exactly a number.",
}
_FORM = "A rule reads: mean_logprob >= -0.15 and output_tokens < 400."


def parse_rule(text: str) -> tuple[Comparison, ...]:
    """Read an acceptance rule; its comparisons must all hold.

    Raises:
        ValueError: it is not a rule. The message names the position (counted from 1), what stands
            there, and how to mend it.
    """
    tokens = [(match.start() + 1, match.group()) for match in _TOKEN.finditer(text)]
    if not tokens:
        raise ValueError(f"the rule is empty. {_FORM}")
    tokens.append((len(text) + 1, ""))
    comparisons: list[Comparison] = []
    at = 0
    while True:
        comparisons.append(_comparison(tokens[at : at + 3]))
        at += 3
        position, word = tokens[at]
        if not word:
            return tuple(comparisons)
        if word != "and":
            _fail(position, word, "'and' or the end of the rule", _mend_and(word))
        at += 1


def _comparison(tokens: list[tuple[int, str]]) -> Comparison:
    position, name = tokens[0]
    if name not in EVIDENCE_NAMES:
        _fail(position, name, "a name of evidence", _mend_name(name))
    position, sign = tokens[1]
    operator = _OPERATORS.get(sign)
    if operator is None:
        _fail(position, sign, "a comparison", _MENDS.get(sign, "Write >=, >, <= or <."))
    position, digits = tokens[2]
    if not _NUMBER.fullmatch(digits):
        _fail(position, digits, "a number", "Write it like -0.15, .5 or 1e-3.")
    value = float(digits)
    if not math.isfinite(value):
        _fail(position, digits, "a finite number", "Write a smaller one.")
    return Comparison(name, operator, value)


def _mend_name(word: str) -> str:
    if _NUMBER.fullmatch(word):
        return "Write the name first: mean_logprob >= -0.15."
    near = difflib.get_close_matches(word.lower(), EVIDENCE_NAMES, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return f"{meant}Names are {', '.join(EVIDENCE_NAMES)}."


def _mend_and(word: str) -> str:
    if word.lower() in {"and", "&", ",", ";"}:
        return "Write 'and' between comparisons."
    if word.lower() in {"or", "|"}:
        return "A rule knows no 'or': all its comparisons must hold."
    if word in _OPERATORS:
        return "Write each comparison by itself, joined by 'and'."
    return _FORM


def _fail(position: int, found: str, wanted: str, mend: str) -> NoReturn:
    shown = f"'{found}' stands" if found else "the rule ends"
    raise ValueError(f"at character {position}, {shown} where {wanted} should be. {mend}")

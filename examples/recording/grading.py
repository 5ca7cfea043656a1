"""The grading rules of the demo recording: each gives an answer a score from 0 to 1.

A prompt names its rule in ``grade``; the rules read text only, no model judges another.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

Graded = tuple[float, str | None]
"""The score, and the answer as it was extracted from the text (None where there is none)."""

_SECONDS = 10


def grade(text: str, gold: str, rule: Mapping[str, Any]) -> Graded:
    """Grade one answer by the rule that its prompt names.

    Raises:
        KeyError: the prompt names a rule that does not exist.
    """
    return RULES[rule["rule"]](text, gold, rule)


def _mentions(text: str, _gold: str, rule: Mapping[str, Any]) -> Graded:
    """Share of the groups of which a term occurs; 0 beyond ``max_words`` or with a wrong term.

    A term is a word or several; ``x*`` is the beginning of one.
    """
    too_long = len(text.split()) > rule.get("max_words", sys.maxsize)
    if too_long or any(_occurs(term, text) for term in rule.get("wrong", ())):
        return 0.0, None
    found = [any(_occurs(term, text) for term in group) for group in rule["groups"]]
    return round(sum(found) / len(found), 3), None


def _occurs(term: str, text: str) -> bool:
    end = r"\w*" if term.endswith("*") else ""
    pattern = rf"(?<!\w){re.escape(term.rstrip('*'))}{end}(?!\w)"
    return re.search(pattern, text, re.IGNORECASE) is not None


def _number(text: str, gold: str, _rule: Mapping[str, Any]) -> Graded:
    """1 if the last number of the text is the right one."""
    numbers = re.findall(r"-?\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3})", "", text))
    final = numbers[-1] if numbers else None
    return float(final is not None and float(final) == float(gold)), final


def _label(text: str, gold: str, rule: Mapping[str, Any]) -> Graded:
    """1 if the right label occurs and no other one does."""
    found = [label for label in rule["labels"] if _occurs(label, text)]
    final = found[0] if len(found) == 1 else None
    return float(final == gold), final


def _json(text: str, gold: str, _rule: Mapping[str, Any]) -> Graded:
    """1 if the text, a code fence apart, is one JSON value equal to the right one."""
    fenced = re.fullmatch(r"\s*```(?:json)?\n(.*?)\n?```\s*", text, re.DOTALL)
    try:
        value = json.loads(fenced[1] if fenced else text)
    except ValueError:
        return 0.0, None
    return float(value == json.loads(gold)), json.dumps(value, ensure_ascii=False)


def _one_of(text: str, _gold: str, rule: Mapping[str, Any]) -> Graded:
    """1 if the text is one of the accepted ones, capitals and punctuation apart."""
    final = _plain(text)
    return float(final in {_plain(accepted) for accepted in rule["accept"]}), None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w' ]", " ", text.casefold()).split())


def _python(text: str, _gold: str, rule: Mapping[str, Any]) -> Graded:
    """1 if the first code block of the text passes the prompt's tests, in a process of its own.

    What the prompt forbids (``without``) must not occur in it.
    """
    block = re.search(r"```(?:python)?\n(.*?)(?:```|\Z)", text, re.DOTALL)
    code = block[1] if block else text
    if any(forbidden in code for forbidden in rule.get("without", ())):
        return 0.0, None
    program = "\n".join([code, *rule["tests"]])
    with tempfile.TemporaryDirectory() as empty:
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-c", program],
                cwd=empty,
                env={},
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 0.0, None
    return float(done.returncode == 0), None


RULES: dict[str, Callable[[str, str, Mapping[str, Any]], Graded]] = {
    "mentions": _mentions,
    "number": _number,
    "label": _label,
    "json": _json,
    "one_of": _one_of,
    "python": _python,
}

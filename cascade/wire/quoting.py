"""Quoting what a provider wrote: short, on one line, and without anything that looks like a key."""

from __future__ import annotations

import re

__all__ = ["first_label", "quoted"]

_LONGEST = 300
_READ = 4 * _LONGEST  # a key may begin within the piece that is quoted, and end behind it
_START = r"(?<![A-Za-z0-9])"
_KEY = re.compile(
    rf"{_START}Bearer\s+\S{{6,}}"
    # With the names that vendors give their keys.
    rf"|{_START}(?:sk|pk|rk|gsk|csk|xai|hf|r8|pplx|ghp|tgp|fw|nvapi)[-_][\w\-.*…]{{6,}}"
    rf"|{_START}(?:AIza|ya29\.|AKIA|ASIA|AQ\.|eyJ)[\w\-.]{{10,}}"
    # Named by what stands before it.
    r"|(?i:api[-_ ]?key|authorization|secret|password|token)[\"']?\s*(?:is\s*)?[:=]\s*[\"']?\S{8,}"
    # Vendors without a mark: one long word of digits and letters. Models' names have dashes.
    r"|(?<![A-Za-z0-9])(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{24,}"
)
_LONG_WORD = re.compile(r"[\w\-.]*\*{2,}[\w\-.*]*|[\w\-.]{16,}")
_LABEL = re.compile(r"[\w.\-]{1,60}")


def quoted(said: str, *, about_keys: bool) -> str:
    """Return a short piece of what was said, without keys; ``about_keys`` where the complaint is
    about one, and hence likely to quote it in part."""
    said = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    said = _KEY.sub("[key]", said[:_READ])
    if about_keys:
        said = _LONG_WORD.sub(lambda word: _hide(word.group()), said)
    if len(said) > _LONGEST:
        said = said[: _LONGEST - 1] + "…"
    return said


def first_label(labels: tuple[str, ...]) -> str:
    """Return the first of an error's codes that is one word, no bare number and no key."""
    return next((label for label in labels if _is_code(label)), "")


def _is_code(label: str) -> bool:
    if not _LABEL.fullmatch(label) or label.isdecimal() or _KEY.search(label):
        return False
    return len(label) < 16 or not any(c.isdigit() for c in label)


def _hide(word: str) -> str:
    secret = "*" in word or any(c.isdigit() for c in word)
    return "[key]" if secret else word

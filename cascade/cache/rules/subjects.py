"""What a question is about, as far as it matters to a cache: about now, or about the asker.

English only; other languages are taken for lasting and impersonal.
"""

from __future__ import annotations

import re

from cascade.types import Request

_WINDOW = 2_000  # characters from either end of the turn: the question is seldom in between

_NOW = re.compile(
    r"""\b(?:
      today(?:'s)? | tonight | tomorrow | yesterday | right\ now | just\ now | nowadays
    | at\ the\ moment | currently | (?:the\ )?current(?:ly)?\ (?!account|directory|user|thread|line)
    | latest | up[ -]to[ -]date | breaking\ news | so\ far\ this\ (?:week|month|year)
    | this\ (?:week|month|year|morning|afternoon|evening|weekend)
    | what(?:'s|\ is)?\ (?:the\ )?(?:time|date|day)\b(?!\ (?:complexity|series|format|type))
    | what\ time\ is\ it | is\ it\ (?:raining|open)\ ?(?:now)?
    | (?:weather|forecast|exchange\ rate|stock\ price|share\ price|score)\ (?:in|for|of|at|like)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_ME = re.compile(
    r"""\b(?:
      my\ (?:own\ )?(?:
        (?:\w+\ ){0,2}?(?:account|balance|order|orders|invoice|bill|subscription|plan|card|password
        |address|booking|reservation|parcel|package|delivery|payment|payments|salary|calendar
        |appointment|appointments|email|e-mail|emails|profile|data|contract|claim|ticket|tickets)
      )\b
    | (?:do|did|have|am|was|can|should)\ I\b(?=.*\b(?:owe|owed|paid|pay|order|ordered|book|booked
        |registered|subscribed|enrolled|scheduled|left|due)\b)
    | who\ am\ I\b | what(?:'s|\ is)\ my\b
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def is_about_now(request: Request) -> bool:
    """Whether the last user turn asks for what will be different soon."""
    return _NOW.search(_question(request)) is not None


def is_about_the_asker(request: Request) -> bool:
    """Whether the last user turn asks about the person who asks: their balance, their order."""
    return _ME.search(_question(request)) is not None


def _question(request: Request) -> str:
    text = next((m.text for m in reversed(request.messages) if m.role == "user"), "")
    if len(text) <= 2 * _WINDOW:
        return text
    return f"{text[:_WINDOW]}\n{text[-_WINDOW:]}"

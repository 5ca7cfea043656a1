"""What a question is about, as far as it matters to a cache: about now, or about the asker.

English only; other languages are taken for lasting and impersonal. Both patterns look for phrases
rather than words ("now" is also a way to begin a sentence). Where they err, they should find too
much: a question wrongly found costs a call, one that is missed a wrong answer.
"""

from __future__ import annotations

import re
from typing import Final

from cascade.types import Request

_WINDOW: Final = 1_000  # characters from either end of the turn: a document stands in between

_SPAN: Final = r"(?:day|week|weekend|month|quarter|year|season|morning|afternoon|evening|night)"

_NOW: Final = re.compile(
    rf"""\b(?:
      today | tonight | tomorrow | yesterday | nowadays | these\ days | currently | recently
    | (?:right|just|by|as\ of|until|up\ to|happening|going\ on|available|open|playing)\ now
    | now(?=\s*(?:[?!]|$|\.\s*$))                         # ... now?
    | (?:what|who|where|which|how|is|are)\b[^.?!\n]{{0,60}}\bnow\b
    | at\ (?:the\ moment|present) | at\ this\ (?:moment|time|point\ in\ time)
    | this\ {_SPAN} | (?:last|next|past|coming)\ {_SPAN}
    | (?:the|your|its|his|her|their|our|a|whose|what|which|who)(?:\ is|'s)?(?:\ the)?\ current
      (?=\ (?!in\b|is\b|of\b|and\b|at\b|that\b|through\b|across\b|flow|density|source|account
        |directory|user|thread|line|node|element|function|file|folder|row|loop|iteration)\w)
    | (?<!at\ the\ )latest | newest | up[ -]to[ -]date
    | most\ recent | recent\ (?:news|events?|developments?|changes|releases?|updates?)
    | (?:breaking|latest|any|the|world|local)\ news | news\ (?:about|on|from|in)\b | headlines
    | what(?:'s|\ is|\ are)?\ (?:the\ )?(?:date|time|day|month|year)
      (?=\s*(?:[?!.]|$|\ is\ it|\ are\ we|\ in\b|\ at\b|\ does\ it))
    | (?:do\ you\ know|tell\ me|have)\ (?:what|the)\ (?:time|date|day)\b(?!\ (?:complexity|series))
    | how\ (?:long|many\ (?:days|weeks|months|hours))\ (?:is\ it\ |are\ there\ |left\ )?
      (?:until|till|to\ go|since|ago)
    | weather\ (?:in|at|like|for|forecast|report|be|outside)
    | (?:how|what)(?:'s|\ is|\ will)\ the\ weather | forecast\ (?:for|in)
    | (?:exchange\ rate|(?:stock|share|oil|gold|bitcoin)\ price|traffic|score)
      \ (?:in|for|of|at|between|on)\b
    | is\ it\ (?:raining|snowing|sunny|cold|hot|open|dark)\b | still\ (?:alive|open|in\ office)
    )(?!\w)""",
    re.IGNORECASE | re.VERBOSE,
)

_OWNED: Final = r"""(?:account|address|appointment|balance|bank|bill|birthday|booking|calendar|card
    |cart|claim|contract|credit|data|delivery|deposit|doctor|e-?mail|flight|grade|health|history
    |income|insurance|invoice|job|loan|location|manager|medication|meeting|membership|message|money
    |mortgage|name|number|order|package|parcel|password|payment|pension|phone|plan|policy
    |prescription|profile|purchase|refund|rent|reservation|salary|schedule|score|statement
    |subscription|tax|team|ticket|transaction|transfer|usage|visa)(?:s|es|ies)?"""

_ASKER: Final = re.compile(
    rf"""\b(?:
      my\ (?:own\ )?(?:[\w'-]+\ ){{0,2}}?{_OWNED}\b
    | (?:what|where|when|who|which|how)(?:'s|\ is|\ are|\ was|\ were|\ do|\ does|\ did|\ much\ is
      |\ much\ are|\ many\ are)?\ my\b(?!\ (?:code|function|script|query|program|loop|regex))
    | who\ am\ I | where\ am\ I | how\ old\ am\ I | remember\ me | know\ about\ me
    | (?<!how\ )(?:do|did|have|am|was|will
      |how\ much\ (?:do|did|have)|how\ many\ \w+\ (?:do|did|have)|what\ (?:do|did|have)
      |when\ (?:do|did|have|am))\ I
      \ (?:still\ |already\ |ever\ )?
      (?:owe|owed|paid|pay|order|ordered|buy|bought|book|booked|registered|subscribed|enrolled
      |scheduled|due|spend|spent|have|got|eligible|entitled|insured|signed\ up)
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)


def is_about_now(request: Request) -> bool:
    """Whether the last user turn asks for what will be different soon."""
    return _NOW.search(_question(request)) is not None


def is_about_the_asker(request: Request) -> bool:
    """Whether the last user turn asks about the person who asks: their balance, their order."""
    return _ASKER.search(_question(request)) is not None


def _question(request: Request) -> str:
    """The last user turn, its spaces made plain; of a long one both ends."""
    text = next((m.text for m in reversed(request.messages) if m.role == "user"), "")
    if len(text) > 2 * _WINDOW:
        text = f"{text[:_WINDOW]}\n{text[-_WINDOW:]}"
    return re.sub(r"[^\S\n]+", " ", text.replace("\u2019", "'"))

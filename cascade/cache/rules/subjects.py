"""What a question is about, as far as it matters to a cache: about now, or about the asker.

English only; other languages are taken for lasting and impersonal. Both patterns look for phrases
rather than words ("now" is also a way to begin a sentence). Where they err, they should find too
much: a question wrongly found costs a call, one that is missed a wrong answer.
"""

from __future__ import annotations

import re
import string
from typing import Final

from cascade.types import Request

_WINDOW: Final = 1_000  # characters from either end of the turn: a document stands in between

_SPAN: Final = r"(?:day|week|weekend|month|quarter|year|season|morning|afternoon|evening|night)"

_OFFICE: Final = r"(?:president|chancellor|prime\ minister|king|queen|pope|ceo|champion|mayor)"
_PLACE: Final = r"(?:store|shop|museum|bank|pharmacy|restaurant|office|library|market|pool|gym)"

_NOW: Final = re.compile(
    rf"""(?<!\w)(?:
      today | tonight | tomorrow | yesterday | nowadays | these\ days | currently | recently
    | (?:right|just|by|as\ of|until|up\ to|happening|going\ on|available|open|playing)\ now
    | now(?=\s*(?:[?!]|$|\.\s*$))                         # ... now?
    | (?:what|who|where|which|how|is|are)\b[^.?!\n]{{0,60}}\bnow\b(?!\()
    | at\ (?:the\ moment|present) | at\ this\ (?:moment|time|point\ in\ time)
    | this\ {_SPAN} | (?:last|next|past|coming)\ {_SPAN} | upcoming | trending
    | next\ (?:train|bus|flight|tram|ferry|match|game|concert|election|holiday|eclipse|full\ moon)
    | (?:the|your|its|his|her|their|our|whose|what|which|who)(?:\ is|'s)?(?:\ the)?\ current
      (?=\ (?!in\b|is\b|of\b|and\b|at\b|that\b|through\b|across\b|flow|density|source|account
        |directory|user|thread|line|node|element|function|file|folder|row|loop|iteration)\w)
    | current\ (?:weather|events|affairs|time|date|year|temperature|version|price|status|score
      |situation|standings|(?:[\w-]+\ )?(?:price|rate)|{_OFFICE})s?
    | (?<!at\ the\ )latest | newest | up[ -]to[ -]date | what(?:'s|\ is)\ new
    | most\ recent | recent\ (?:news|events?|developments?|changes|releases?|updates?)
    | (?:breaking|latest|any|world|local)\ news | news\ (?:about|on|from|in)\b | headlines
    | (?:in|what(?:'s|\ is)|summari[sz]e|read|give\ me)\ the\ news
    | \A\s*(?:the\ )?(?:news|(?:local\ )?(?:time|temperature|weather|date)(?=\ (?:in|at)\b))
    | what(?:'s|\ is|\ are)?\ (?:the\ )?(?:date|time|day|month|year)
      (?=\s*(?:[?!.]|$|\ is\ it|\ are\ we|\ in\b|\ at\b|\ does\ it))
    | (?:what|which)\ (?:day|week|month|year|season)\ (?:of\ the\ \w+\ )?is\ (?:it|this)
    | what\ (?:is|was|will\ be)\ the\ (?:date|day|year)\b[^.?!\n]{{0,30}}\b(?:ago|from\ now)
    | (?:do\ you\ know|tell\ me|have)\ (?:what|the)\ (?:time|date|day)\b(?!\ (?:complexity|series))
    | how\ (?:long|many\ (?:days|weeks|months|hours))\ (?:is\ it\ |are\ (?:there\ )?|left\ )?
      (?:until|till|left|to\ go|since|ago)
    | \A\s*(?:days|weeks|months|hours|time)\ (?:until|till)
    | weather\ (?:in|at|like|for|forecast|report|be|outside)
    | (?:how|what)(?:'s|\ is|\ will)\ the\ (?:weather|traffic) | forecast\ (?:for|in)
    | (?:exchange\ rate|(?:oil|gold|bitcoin)\ price|traffic)\ (?:in|for|of|at|between|on)\b
    | (?:stock|share)\ prices? | (?:dollar|euro|pound|yen|usd|eur|gbp|jpy|chf)\ exchange\ rate
    | price\ of\ (?:bitcoin|gold|silver|oil|gas|petrol|ethereum) | how\ much\ is\ (?:a\ )?bitcoin
    | the\ score(?=\s*(?:\?|$)|\ (?:in|of|at|between)\ ) | live\ scores?
    | (?:happening|going\ on)\ in\ (?:the\ world|(?!(?:the|this|that|my|your|our)\b)\w+)
    | is\ the\ (?:[\w'-]+\ )?{_PLACE}\ (?:still\ )?open | is\ [\w.]+\ down(?=\s*\?)
    | is\ it\ (?:raining|snowing|sunny|cold|hot|open|dark)\b | still\ (?:alive|open|in\ office)
    | in\ (?:cinemas|theat(?:er|re)s)
    )(?!\w)""",
    re.VERBOSE,
)

_OWNED: Final = r"""(?:account|address|appointment|balance|bank|bill|booking|calendar|card
    |cart|claim|contract|credit|data|delivery|deposit|doctor|e-?mail|flight|grade|health|history
    |income|insurance|invoice|job|loan|location|manager|medication|meeting|membership|message|money
    |mortgage|name|number|order|package|parcel|password|payment|pension|phone|plan|policy
    |prescription|profile|purchase|refund|rent|reservation|salary|schedule|score|statement
    |subscription|tax|team|ticket|transaction|transfer|usage|visa)(?:s|es|ies)?"""

_ASKER: Final = re.compile(
    rf"""\b(?:
      my\ (?:own\ )?(?:[\w'-]+\ ){{0,2}}?{_OWNED}\b | status\ of\ (?:my|our)
    | our\ (?:bank\ )?(?:account|balance|bill|invoice|subscription|booking|reservation)s?
    | (?:what|where|when|who|which|how)(?:'s|\ is|\ are|\ was|\ were|\ do|\ does|\ did|\ much\ is
      |\ much\ are|\ many\ are)?\ my\b(?!\ (?:code|function|script|query|program|loop|regex|age)\b)
    # Further in they are the end of a riddle.
    | \A\s*(?:(?:who|where|how\ old)\ am\ i | what(?:'s|\ is)\ my\ age)
    | \A\s*where\ do\ i\ (?:live|work)
    | remember\ me | know\ about\ me | plan\ am\ i\ on | do\ i\ get\ paid
    | (?<!how\ )(?:do|did|have|am|was|will
      |how\ much\ (?:do|did|have)|how\ many\ \w+\ (?:do|did|have)|what\ (?:do|did|have)
      |when\ (?:do|did|have|am))\ i
      \ (?:still\ |already\ |ever\ )?
      (?:owe|owed|paid|pay|order|ordered|buy|bought|book|booked|registered|subscribed|enrolled
      |scheduled|due|spend|spent|have|got|eligible|entitled|insured|signed\ up)
    )\b""",
    re.VERBOSE,
)


_FIRST_PERSON: Final = frozenset(("i", "me", "my", "our"))
_MARKS: Final = (
    "\u2013\u2014\u2018\u201c\u201d\u201e\u2026\u00ab\u00bb\u00bf"  # dashes, quotes, dots
)
_SPACED: Final = str.maketrans(dict.fromkeys(string.punctuation + _MARKS, " "))


def is_about_now(request: Request) -> bool:
    """Whether the last user turn asks for what will be different soon."""
    return _NOW.search(_question(request)) is not None


def is_about_the_asker(request: Request) -> bool:
    """Whether the last user turn asks about the person who asks: their balance, their order."""
    question = _question(request)
    if _FIRST_PERSON.isdisjoint(question.translate(_SPACED).split()):
        return False  # quickly: most questions are about nobody
    return _ASKER.search(question) is not None


def _question(request: Request) -> str:
    """The last user turn in small letters (ten times faster than a search that ignores case), its
    spaces made plain; of a long one both ends."""
    text = next((m.text for m in reversed(request.messages) if m.role == "user"), "")
    if len(text) > 2 * _WINDOW:
        text = f"{text[:_WINDOW]}\n{text[-_WINDOW:]}"
    text = text.replace("\u2019", "'").lower()
    return _SPACES.sub(" ", text) if _ODD_SPACE.search(text) else text


_ODD_SPACE: Final = re.compile(r"[^\S\n ]|  ")
_SPACES: Final = re.compile(r"[^\S\n]+")

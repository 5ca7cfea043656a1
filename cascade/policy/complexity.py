"""How demanding a request looks, from signals that anyone can read.

Signals give points (the tables below); the sum gives the level. Nothing takes points away, so more
to do never looks like less. Only a request without any points whose *shape* is plain - a question
that looks something up, a small rewriting, a short answer asked for - is ``simple``. Where no shape
is recognised the request is ``moderate``: the classifier abstains, and the evidence of the answer
decides.

The prompt is data. Nothing it says about models, price or its own difficulty is a signal, except
by making it longer.

Limits, known and accepted: words are English; in other languages only length, numbers, formulas,
code and layout are seen, so such a request is at least ``moderate``. A question in everyday words
is a look-up, however deep its subject. Of a long turn the first and the last 4,000 characters are
read, so the work is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from cascade.types import Complexity, Level, Message, Request

VERSION = 1
"""Changes with every change of a table here: levels of different versions do not compare."""

COMPLEX_AT = 5
"""Points from which a request is ``complex``; from 1 it is ``moderate``."""

_WINDOW = 4_000  # characters read at each end of a turn
_LENGTHS = ((1_000, 3), (300, 2), (80, 1))  # words, points
_STANDS_ALONE = 12  # words; a shorter turn is read with the conversation before it
_READ_BACK = 12  # messages, at most, that such a turn is read with
_CLOSING = 400  # characters of an assistant's turn that are read: its closing offer or question
_MANY_MESSAGES, _LONG_HISTORY = 8, 24_000  # messages; characters
_LONG_WORD = 15  # letters; everyday English words are shorter
_MANY_NUMBERS = 3
_PARTS = ((6, 2), (3, 1))  # questions or list items, points
_OPTIONS = 3
_SHORT_ANSWER = 32  # tokens
_LONG_ANSWER = ((500, 3), (150, 1))  # words, points

_Points = tuple[int, str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CODE = _words(
    "code codebase function functions method regex regexp script sql query python javascript "
    "typescript java rust golang kotlin swift ruby php html css bash shell powershell algorithm "
    "algorithms api endpoint json yaml xml dockerfile kubernetes terraform compiler class "
    "program programme unittest pytest numpy pandas react django recursion linked async thread "
    "bug exception traceback segfault"
)
_MAKING = _words(
    "write implement create build code develop program fix debug refactor port convert extend "
    "rewrite complete generate make add return returns optimise optimize review"
)
_MATHEMATICS = _words(
    "mathematics mathematical math maths algebra calculus geometry integral integrals integrate "
    "derivative derivatives differentiate equation equations inequality theorem lemma polynomial "
    "matrix matrices eigenvalue eigenvalues vector vectors probability probabilities variance "
    "permutations combinatorics logarithm logarithms modulo factorial calculate compute solve "
    "evaluate simplify triangle hypotenuse percent percentage fraction fractions prime primes"
)
_DEMANDS = _words(
    "prove proof disprove derive derivation design architect architecture optimise optimize "
    "refactor debug diagnose diagnosis implement plan strategy analyse analyze analysis critique "
    "simulate formalise formalize forecast negotiate troubleshoot synthesise synthesize assess"
)
_REASONING = _words(
    "why explain explains explanation describe discuss justify reason reasoning interpret "
    "recommend advise advice should suggest improve review brainstorm elaborate infer deduce "
    "imply implications consequences relate affect cause causes mechanism happens"
)
_COMPARISON = _words(
    "compare compares comparing comparison versus vs contrast difference differences differ "
    "differs pros cons advantages disadvantages tradeoff tradeoffs drawbacks better worse best "
    "rather alternatives similarities"
)
_NEW_TEXT = _words("write compose draft create generate invent imagine rhyme")
_LONG_FORM = _words(
    "essay report article story chapter thesis dissertation whitepaper detailed comprehensive "
    "thorough exhaustive extensive guide tutorial curriculum proposal specification screenplay"
)
_SPECIALIST = _words(
    "quantum relativity relativistic entropy enthalpy thermodynamics thermodynamic lagrangian "
    "hamiltonian perturbation tensor photon photons boson bosons fermion fermions plasma "
    "semiconductor superconductor resonance diffraction wavelength spectroscopy isotope isotopes "
    "molecule molecules molecular covalent oxidation catalyst catalysis polymer polymers reagent "
    "stoichiometry titration enzyme enzymes protein proteins genome genomic allele alleles "
    "chromosome chromosomes mitosis meiosis mitochondria mitochondrial receptor receptors "
    "neurotransmitter synapse pathogen pathogenesis antibody antibodies antigen metabolism "
    "metabolic pharmacology clinical patient syndrome symptom symptoms carcinoma lesion dosage "
    "aetiology etiology prognosis epidemiology hypothesis regression bayesian stochastic "
    "asymptotic topology manifold homomorphism isomorphism eigenvector convex gradient theory "
    "jurisdiction statute tort liability plaintiff fiduciary arbitrage derivatives amortisation "
    "amortization elasticity macroeconomic epistemology ontology phenomenology cryptography "
    "cryptographic concurrency consensus distributed latency throughput kernel backpropagation "
    "neural transformer eigenstate orbital seismic tectonic aerodynamic turbulence viscosity"
)
_RECKONING = _words(
    "ago yesterday tomorrow later earlier twice half double triple each total altogether remaining "
    "left per sum average mean median more fewer less times date age"
)
_UNITS = {"word": 1, "words": 1, "page": 400, "pages": 400}  # in words
_KNOWN = frozenset({"how", "step"}).union(
    _CODE, _MATHEMATICS, _DEMANDS, _REASONING, _COMPARISON, _NEW_TEXT, _LONG_FORM, _SPECIALIST,
    _RECKONING, _UNITS,
)  # fmt: skip

_CODE_SIGNS = "`(){}<=;_"
_CODE_MARKS = (
    "```", "\ndef ", "\nclass ", "\nimport ", "#include", "();", ") {", "){", "=> ", "</", "/>",
    "public static", "console.log", "print(", "self.", "SELECT ",
)  # fmt: skip
_TRACE_MARKS = ("Traceback (most recent", "Exception in thread", "\n    at ", "panicked at ")
# An operation between numbers, an equation, a power: each starts at its sign, which is rare.
_FORMULA = re.compile(
    r"[-+*/=^×÷](?:(?<=[=^×÷])(?:(?<=[\w)].)|(?<=[\w)] .)) ?[\w(?-]"
    r"|(?<=[+*])(?:(?<=\d.)|(?<=\d .)) ?[\d(]|(?<=\d [-/]) \d)"
)
_MATHEMATICAL_SIGNS = re.compile("[√∫∑∏≤≥≠≈∞∂∇∈∀∃⊂∪∩π]")
_TEX = ("\\frac", "\\int", "\\sum", "\\sqrt", "$$")
_WAIVERS = (" no need to ", " don t ", " do not ", " without ")
_BRIEF = (
    " one word ", " single word ", " yes or no ", " true or false ", " only the answer ",
    " just the answer ", " one sentence ", " one letter ", " single letter ", " single number ",
)  # fmt: skip

_QUANTITIES = _words("many much old long far tall high big large heavy deep wide often fast hot")
_LOOK_UP = _words("who whom whose when where which what how")
_YES_OR_NO = _words("is are was were do does did can could has have had will would")
_SMALL_TASKS = _words(
    "translate summarise summarize rewrite rephrase paraphrase classify extract correct spell "
    "define list name convert capitalise capitalize proofread shorten tell give say state "
    "identify sort count format answer"
)
_GREETINGS = _words("hi hello hey thanks thank bye goodbye")
_POLITE = _words("please kindly question q user problem")
_ABOUT_ITSELF = _words(
    "simple simplest easy easiest trivial basic hard difficult complex complexity cheap cheaper "
    "cheapest expensive strong strongest small smallest big model models router routing tier "
    "rung level"
)
"""A sentence with one of these may speak of the request itself: it cannot make it plain."""
_POINTS_BACK = _words("it its that this they them these those he she one ones same above previous")

_BLANKS = bytes(code if code > 127 or chr(code).isalnum() else 32 for code in range(256)).lower()
_MORE_BLANKS = str.maketrans(dict.fromkeys("’‘“”„«»…–—¿¡。，？！、：；（）", " "))
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_ITEM = re.compile(r"\s*(?:[-*•]|\(?\d{1,2}[.):]|\(?[A-Ha-h][.):])\s")
_OPTION = re.compile(r"\s*\(?[A-Ha-h][.):]\s")


def classify(request: Request) -> Complexity:
    """Return how demanding the request looks, and the signals that say so.

    Total and deterministic. It reads the last user turn, and the conversation before it where
    that turn is too short to stand alone.
    """
    text, continued = _matter(request.messages)
    seen = text if len(text) <= 2 * _WINDOW else f"{text[:_WINDOW]}\n{text[-_WINDOW:]}"
    words = _split(seen)
    length = _length(text, len(words))
    signals = [*_of_text(seen, words, length), *_of_request(request)]
    points = sum(point for point, _ in signals)
    reasons = [f"{length} words long"]
    if continued:
        reasons.append("a short turn, read with the conversation before it")
    reasons += [reason for _, reason in signals]
    level: Level = "complex" if points >= COMPLEX_AT else "moderate"
    if points == 0:
        shape = _plain_shape(seen, words, request.max_tokens)
        level = "moderate" if shape is None else "simple"
        reasons.append(shape or "no plain question or small task recognised")
    return Complexity(level, tuple(reasons))


# What is read


def _matter(messages: Sequence[Message]) -> tuple[str, bool]:
    """The text to judge, and whether it takes in earlier turns."""
    at = next((i for i in range(len(messages) - 1, -1, -1) if messages[i].role == "user"), None)
    if at is None:
        return "", False
    last = messages[at].text
    if at == 0 or len(last) > 8 * _WINDOW or _stands_alone(last):
        return last, False
    turns = [last]
    for message in messages[max(0, at - _READ_BACK) : at][::-1]:
        if message.role == "assistant":
            turns.append(message.text[-_CLOSING:])
        elif message.role == "user":
            turns.append(message.text[-_WINDOW:])
            if len(turns[-1].split()) >= _STANDS_ALONE:
                break
    return "\n".join(reversed(turns)), len(turns) > 1


def _stands_alone(text: str) -> bool:
    words = _split(text)
    if len(words) >= _STANDS_ALONE:
        return True
    points_back = not _POINTS_BACK.isdisjoint(words)
    return not points_back and len(words) >= 4 and _plain_sentence(text) is not None


def _split(text: str) -> list[str]:
    """The words in lower case, punctuation gone. Bytes are much the fastest way through ASCII."""
    plain = text.encode(errors="replace").translate(_BLANKS).decode()
    return plain.split() if text.isascii() else plain.lower().translate(_MORE_BLANKS).split()


def _length(text: str, counted: int) -> int:
    """Words, estimated where the text is long or its script sets no spaces."""
    if len(text) > 2 * _WINDOW:
        return len(text) // 6
    return counted if text.isascii() else max(counted, len(text.encode(errors="replace")) // 8)


# Signals


def _of_text(seen: str, words: list[str], length: int) -> Iterator[_Points]:
    kinds = set(words)
    known = _KNOWN & kinds
    joined = f" {' '.join(words)} "
    for least, points in _LENGTHS:
        if length >= least:
            yield points, "long"
            break
    yield from _code(seen, kinds, known)
    yield from _mathematics(seen, kinds, known)
    yield from _tasks(words, known, joined)
    if not known.isdisjoint(_LONG_FORM):
        yield 2, "wants a long answer"
    if not known.isdisjoint(_UNITS):
        yield from _wanted_length(words)
    if not known.isdisjoint(_SPECIALIST) or max(map(len, kinds), default=0) >= _LONG_WORD:
        yield 1, "specialist or long words"
    yield from _layout(seen)


def _code(seen: str, kinds: set[str], known: frozenset[str]) -> Iterator[_Points]:
    if any([sign in seen for sign in _CODE_SIGNS]):  # a list: twice as fast as a generator
        if any(mark in seen for mark in _CODE_MARKS):
            yield 2, "contains code"
        if any(mark in seen for mark in _TRACE_MARKS):
            yield 1, "contains a stack trace"
    if not known.isdisjoint(_CODE):
        asks = not _MAKING.isdisjoint(kinds)
        yield (2, "asks for code") if asks else (1, "speaks of code")


def _mathematics(seen: str, kinds: set[str], known: frozenset[str]) -> Iterator[_Points]:
    """One signal, however many of its signs there are."""
    numbers = sum(map(str.isdecimal, kinds))
    if numbers >= _MANY_NUMBERS or (numbers and not known.isdisjoint(_RECKONING)):
        yield 2, "numbers to reckon with"
    elif not known.isdisjoint(_MATHEMATICS):
        yield 2, "asks for mathematics"
    elif (
        _FORMULA.search(seen)
        or ("\\" in seen and any(mark in seen for mark in _TEX))
        or (not seen.isascii() and _MATHEMATICAL_SIGNS.search(seen))
    ):
        yield 2, "contains a formula"


def _tasks(words: list[str], known: frozenset[str], joined: str) -> Iterator[_Points]:
    demands = known & _DEMANDS
    if demands:
        yield 2, f"a demanding task ({min(demands)})"
        if len(demands) > 1:
            yield 1, "several demanding tasks"
    reasoning = known & _REASONING
    if "explain" in reasoning and _waives_explanation(joined):
        reasoning -= {"explain"}
    if reasoning:
        yield 1, f"wants reasoning ({min(reasoning)})"
    elif "how" in known and _asks_how(words):
        yield 1, "wants reasoning (how)"
    elif "step" in known and " step by step " in joined:
        yield 1, "wants reasoning (step by step)"
    if not known.isdisjoint(_COMPARISON):
        yield 1, "compares"
    if not known.isdisjoint(_NEW_TEXT):
        yield 1, "asks for something new"


def _waives_explanation(joined: str) -> bool:
    """Whether explaining is named only to say that it is not wanted."""
    at = joined.find(" explain ")
    before = joined[max(0, at - 60) : at + 1]
    return joined.count(" explain ") == 1 and any(waiver in before for waiver in _WAIVERS)


def _asks_how(words: list[str]) -> bool:
    """Whether it asks how something is, beyond how many or how long."""
    return any(a == "how" and b not in _QUANTITIES for a, b in pairwise([*words, ""]))


def _wanted_length(words: list[str]) -> Iterator[_Points]:
    wanted = 0
    for before, number, unit in zip(["", *words], words, words[1:], strict=False):
        size = _UNITS.get(unit)
        if size is not None and number.isdecimal() and len(number) <= 6:
            thousands = before.isdecimal() and len(number) == 3 and len(before) <= 3
            wanted = max(wanted, int(before + number if thousands else number) * size)
    for least, points in _LONG_ANSWER:
        if wanted >= least:
            yield points, f"wants some {wanted} words"
            break


def _layout(seen: str) -> Iterator[_Points]:
    items = options = 0
    if seen.count("\n") >= 2:
        for line in seen.split("\n"):
            if _ITEM.match(line):
                items += 1
                options += _OPTION.match(line) is not None
    if options >= _OPTIONS:
        yield 1, "offers options to weigh"
    parts = max(seen.count("?"), items)
    for least, points in _PARTS:
        if parts >= least:
            yield points, f"{parts} parts"
            break


def _of_request(request: Request) -> Iterator[_Points]:
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


# Plain shapes


def _plain_shape(seen: str, words: list[str], max_tokens: int | None) -> str | None:
    if 0 < len(words) <= 4 and words[0] in _GREETINGS:
        return "a greeting"
    shape = _plain_sentence(seen)
    if shape is not None:
        return shape
    joined = f" {' '.join(words)} "
    brief = any(phrase in joined for phrase in _BRIEF)
    limited = max_tokens is not None and max_tokens <= _SHORT_ANSWER
    return "wants a short answer" if words and (brief or limited) else None


def _plain_sentence(text: str) -> str | None:
    for sentence in _SENTENCE.findall(text):
        words = _split(sentence)
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

"""What a text's words, signs and layout say about the work it asks for.

Tables of words and marks, with the points they are worth. A word counts once, however often it
occurs. A change of a table is a new ``VERSION`` in :mod:`cascade.policy.complexity`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Points = tuple[int, str]
"""What a signal is worth, and the signal in words."""

_LENGTHS = ((1_000, 3), (300, 2), (80, 1))  # words, points
_LONG_WORD = 15  # letters; everyday English words are shorter
_MANY_NUMBERS = 3
_PARTS = ((6, 2), (3, 1))  # questions or list items, points
_OPTIONS = 3
_LONG_ANSWER = ((500, 3), (150, 1))  # words, points


def words_of(text: str) -> frozenset[str]:
    """A table of words, written as a text."""
    return frozenset(text.split())


_CODE = words_of(
    "code codebase function functions method methods regex regexp script sql query python "
    "javascript typescript java golang kotlin php html css bash powershell algorithm algorithms "
    "api endpoint dockerfile kubernetes terraform compiler unittest pytest numpy "
    "pandas django recursion recursive async traceback segfault stacktrace"
)
_MAKING = words_of(
    "write implement create build code develop program fix debug refactor port convert extend "
    "rewrite generate make add return returns optimise optimize review"
)
_MATHEMATICS = words_of(
    "mathematics mathematical math maths algebra calculus geometry integral integrals integrate "
    "derivative derivatives differentiate equation equations inequality theorem lemma polynomial "
    "matrix matrices eigenvalue eigenvalues vector vectors probability probabilities variance "
    "permutations combinatorics logarithm logarithms modulo factorial calculate compute solve "
    "evaluate simplify triangle hypotenuse percent percentage fraction fractions prime primes"
)
_DEMANDS = words_of(
    "prove proof disprove derive derivation design architect architecture optimise optimize "
    "refactor debug diagnose diagnosis implement plan strategy analyse analyze analysis critique "
    "simulate formalise formalize forecast negotiate troubleshoot synthesise synthesize assess"
)
_REASONING = words_of(
    "why explain explains explanation describe discuss justify reason reasoning interpret "
    "recommend advise advice should suggest improve review brainstorm elaborate infer deduce "
    "imply implications consequences relate affect cause causes mechanism happens"
)
_COMPARISON = words_of(
    "compare compares comparing comparison versus vs contrast difference differences differ "
    "differs pros cons advantages disadvantages tradeoff tradeoffs offs drawbacks better worse "
    "best rather alternatives similarities"
)
_NEW_TEXT = words_of("write compose draft create generate invent imagine rhyme")
_LONG_FORM = words_of(
    "essay report article story chapter thesis dissertation whitepaper detailed comprehensive "
    "thorough exhaustive extensive guide tutorial curriculum proposal specification screenplay"
)
_SPECIALIST = words_of(
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
_RECKONING = words_of(
    "ago yesterday tomorrow later earlier twice half double triple each total altogether remaining "
    "left per sum average mean median more fewer less times date age"
)
_UNITS = {"word": 1, "words": 1, "page": 400, "pages": 400}  # in words
_KNOWN = frozenset({"how", "step"}).union(
    _CODE, _MATHEMATICS, _DEMANDS, _REASONING, _COMPARISON, _NEW_TEXT, _LONG_FORM, _SPECIALIST,
    _RECKONING, _UNITS,
)  # fmt: skip

# Bytes without which there is neither code nor formula; 0xC3 begins × and ÷.
_CODE_SIGNS, _FORMULA_SIGNS = b"`({<=;_", b"-+*/=^\xc3"
_PROSE = bytes(code for code in range(256) if code not in _CODE_SIGNS + _FORMULA_SIGNS)
_CODE_MARKS = (
    "\ndef ", "\nclass ", "\nimport ", "#include", "();", ") {", "){", "=> ", "</", "/>",
    "public static", "console.log", "print(", "self.", "SELECT ",
)  # fmt: skip
_TRACE_MARKS = ("Traceback (most recent", "Exception in thread", "\n    at ", "panicked at ")
# An operation between numbers, an equation, a power: each starts at its sign, which is rare.
_FORMULA = re.compile(
    r"[-+*/=^×÷](?:(?<=[=^×÷])(?:(?<=[\w)].)|(?<=[\w)] .)) ?[-(]?(?:\d|\w\w?\b|\?)"
    r"|(?<=[+*])(?:(?<=\d.)|(?<=\d .)) ?[\d(]|(?<=\d [-/]) \d)"
)
_MATHEMATICAL_SIGNS = re.compile("[√∫∑∏≤≥≠≈∞∂∇∈∀∃⊂∪∩π]")
_TEX = ("\\frac", "\\int", "\\sum", "\\sqrt", "$$")
# "No need to explain your answer": named only to say that it is not wanted.
_WAIVERS = (" no need to ", " don t ", " do not ")
_FORMALITIES = {
    "explain": (" explain your answer ", " explain your reasoning "),
    "write": (" write a complete sentence ", " write complete sentences ", " write anything "),
}
_QUANTITIES = words_of("many much old long far tall high big large heavy deep wide often fast hot")
_BLANKS = bytes(code if code > 127 or chr(code).isalnum() else 32 for code in range(256)).lower()
_MORE_BLANKS = "’‘“”„«»…–—¿¡。，？！、：；（）"
_ITEM = re.compile(r"\s*(?:[-*•]|\(?\d{1,2}[.):]|\(?[A-Ha-h][.):])\s")
_OPTION = re.compile(r"\s*\(?[A-Ha-h][.):]\s")


def split_words(text: str) -> list[str]:
    """The words in lower case, punctuation gone. Bytes are much the fastest way through ASCII."""
    plain = text.encode(errors="replace").translate(_BLANKS).decode()
    if not text.isascii():
        plain = plain.lower()
        for sign in _MORE_BLANKS:
            plain = plain.replace(sign, " ")
    return plain.split()


def join_words(words: list[str]) -> str:
    """The words with single spaces around each, so that phrases can be found."""
    return f" {' '.join(words)} "


def of_text(seen: str, words: list[str], length: int) -> Iterator[Points]:
    """Yield the signals of a text, given its words and how many of them it counts as."""
    kinds = set(words)
    # The characters that are rare in prose: most turns have none, and need no closer look.
    signs = set(seen.encode(errors="replace").translate(None, _PROSE))
    known = _KNOWN & kinds
    for least, points in _LENGTHS:
        if length >= least:
            yield points, "long"
            break
    yield from _code(seen, signs, kinds, known)
    yield from _mathematics(seen, signs, kinds, known)
    yield from _tasks(words, known)
    if not known.isdisjoint(_LONG_FORM):
        yield 2, "wants a long answer"
    if not known.isdisjoint(_UNITS):
        yield from _wanted_length(words)
    if not known.isdisjoint(_SPECIALIST) or max(map(len, kinds), default=0) >= _LONG_WORD:
        yield 1, "specialist or long words"
    yield from _layout(seen)


def _code(seen: str, signs: set[int], kinds: set[str], known: frozenset[str]) -> Iterator[Points]:
    if not signs.isdisjoint(_CODE_SIGNS):
        # A JSON fence shows the form of an answer or a record; other fences hold programs.
        fenced = seen.count("```") > 2 * seen.count("```json")
        if fenced or any(mark in seen for mark in _CODE_MARKS):
            yield 2, "contains code"
        if any(mark in seen for mark in _TRACE_MARKS):
            yield 1, "contains a stack trace"
    if not known.isdisjoint(_CODE):
        asks = not _MAKING.isdisjoint(kinds)
        yield (2, "asks for code") if asks else (1, "speaks of code")


def _mathematics(
    seen: str, signs: set[int], kinds: set[str], known: frozenset[str]
) -> Iterator[Points]:
    """One signal, however many of its signs there are."""
    numbers = sum(map(str.isdecimal, kinds))
    if numbers >= _MANY_NUMBERS or (numbers and not known.isdisjoint(_RECKONING)):
        yield 2, "numbers to reckon with"
    elif not known.isdisjoint(_MATHEMATICS):
        yield 2, "asks for mathematics"
    elif (
        (not signs.isdisjoint(_FORMULA_SIGNS) and _FORMULA.search(seen))
        or ("\\" in seen and any(mark in seen for mark in _TEX))
        or (not seen.isascii() and _MATHEMATICAL_SIGNS.search(seen))
    ):
        yield 2, "contains a formula"


def _tasks(words: list[str], known: frozenset[str]) -> Iterator[Points]:
    demands = known & _DEMANDS
    if demands:
        yield 2, f"a demanding task ({min(demands)})"
        if len(demands) > 1:
            yield 1, "several demanding tasks"
    reasoning = known & _REASONING
    if "explain" in reasoning and _waived("explain", words):
        reasoning -= {"explain"}
    if reasoning:
        yield 1, f"wants reasoning ({min(reasoning)})"
    elif "how" in known and _asks_how(words):
        yield 1, "wants reasoning (how)"
    elif "step" in known and " step by step " in join_words(words):
        yield 1, "wants reasoning (step by step)"
    if not known.isdisjoint(_COMPARISON):
        yield 1, "compares"
    creating = known & _NEW_TEXT
    if creating and not (creating == {"write"} and _waived("write", words)):
        yield 1, "asks for something new"


def _waived(word: str, words: list[str]) -> bool:
    """Whether a formality is named only to say that it is not wanted."""
    joined = join_words(words)
    at = max(joined.find(phrase) for phrase in _FORMALITIES[word])
    before = joined[max(0, at - 60) : at + 1] if joined.count(f" {word} ") == 1 else ""
    return at >= 0 and any(waiver in before for waiver in _WAIVERS)


def _asks_how(words: list[str]) -> bool:
    """Whether it asks how something is, beyond how many or how long."""
    at = -1
    for _ in range(words.count("how")):  # seldom more than once: a scan of all pairs costs 40 us
        at = words.index("how", at + 1)
        if at + 1 == len(words) or words[at + 1] not in _QUANTITIES:
            return True
    return False


def _wanted_length(words: list[str]) -> Iterator[Points]:
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


def _layout(seen: str) -> Iterator[Points]:
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

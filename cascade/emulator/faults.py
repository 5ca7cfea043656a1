"""What goes wrong at a provider, how often, and when: read from a text, drawn by a seed.

::

    429=0.3, hang=10%; seed=7
    429(retry-after=20)=0.2, cut(at=0.5)=0.1
    small/503=1, all=0.3

Parts are separated by commas or semicolons. Each is ``[MODEL/]FAULT[(PARAMETER=VALUE, …)]=SHARE``:
this share of the calls (of this model alone, where one is named) goes wrong in this way. Where
parts are of one model their shares add up, to at most 1. ``all`` spreads its share evenly over
every fault, and takes any parameter. ``seed=N`` (0 unless told) chooses which calls: the same
seed, model and number of the model's call draw the same fault, so that runs repeat.

``KINDS`` says what there is. Times are in seconds and real ones, whatever the emulator's speed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator

import msgspec

from cascade.errors import EmulatorError

__all__ = ["KINDS", "Fault", "Faults", "parse_faults"]


class FaultKind(msgspec.Struct, frozen=True):
    """What a fault does, and its parameters with what they are unless told."""

    means: str
    parameters: dict[str, str] = {}


_AT = {"at": ""}  # a share of the answer, drawn for each call unless told
_EVERY = {"every": "1"}
_SECONDS = {"seconds": "30"}
_RETRY_AFTER = {"retry-after": ""}

KINDS = {
    "reset": FaultKind("the connection is reset before any answer"),
    "429": FaultKind("rate limit, without Retry-After unless told", _RETRY_AFTER),
    "429-retry-after": FaultKind("rate limit with Retry-After", {"retry-after": "1"}),
    "500": FaultKind("server error", _RETRY_AFTER),
    "503": FaultKind("unavailable", _RETRY_AFTER),
    "529": FaultKind("overloaded", _RETRY_AFTER),
    "hang": FaultKind("no answer, not even headers"),
    "hang-after-headers": FaultKind("headers of a 200, then nothing"),
    "trickle": FaultKind("the right answer, a byte every so many seconds", _EVERY),
    "cut": FaultKind("the connection dies within the answer, after this share of it", _AT),
    "early-end": FaultKind("a clean 200 that ends without a finish; whole answers are empty", _AT),
    "malformed": FaultKind("broken JSON: within the whole answer, or one event of the stream", _AT),
    "html": FaultKind("a 200 with an HTML page"),
    "empty": FaultKind("a 200 with no choices in it"),
    "truncated": FaultKind("finish reason length, though no limit asked for it", _AT),
    "slow-first-token": FaultKind("nothing for so many seconds, then the answer", _SECONDS),
    "slow-headers": FaultKind("the right answer, its headers a byte every so often", _EVERY),
    "wrong-model": FaultKind("the right answer under another model's name"),
    "error-in-200": FaultKind("an error object with status 200"),
    "duplicate-length": FaultKind("the right answer under two different lengths"),
    "missing-length": FaultKind("the right answer without a length, ended by closing"),
    "garbage": FaultKind("bytes that are not HTTP"),
}

_PART = re.compile(
    r"(?:(?P<model>.+)/)?(?P<name>[^/()=]+?)\s*(?:\((?P<given>.*)\))?\s*=\s*(?P<share>[^=]+)"
)
_BETWEEN_PARTS = re.compile(r"[,;](?![^(]*\))")
_BETWEEN_PARAMETERS = re.compile(r"[,;]\s*(?=[a-z-]+\s*=)")  # a date's comma is none
_MEND = "Write FAULT=SHARE, such as 429=0.3,hang=0.1;seed=7"


class Fault(msgspec.Struct, frozen=True):
    """What goes wrong with one call.

    ``at`` is a share of the answer above 0 and below 1; ``every`` and ``seconds`` are seconds;
    ``retry_after`` is the header's text; ``noise`` are bytes at random.
    """

    name: str
    at: float = 0.5
    every: float = 1.0
    seconds: float = 0.0
    retry_after: str = ""
    noise: bytes = b""


class Chance(msgspec.Struct, frozen=True):
    """A fault, its share of the calls, and the one model it is for, if it is for one."""

    name: str
    share: float
    model: str | None
    parameters: dict[str, str]


class Faults(msgspec.Struct, frozen=True):
    """All that may go wrong."""

    chances: tuple[Chance, ...] = ()
    seed: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The faults that may happen."""
        return tuple(dict.fromkeys(chance.name for chance in self.chances))

    def draw(self, model: str, number: int) -> Fault | None:
        """Return what goes wrong with the model's so-manieth call; None if nothing does."""
        dice = random.Random(f"{self.seed}/{model}/{number}")
        left = dice.random()
        for chance in self.chances:
            if chance.model in (None, model):
                left -= chance.share
                if left < 0:
                    return _fault(chance, dice)
        return None


def parse_faults(spec: str, models: Iterable[str]) -> Faults:
    """Read a text in the grammar above; ``models`` are those that may be named.

    Raises:
        EmulatorError: it cannot be read, or names what is not there; the message says what is.
    """
    chances: list[Chance] = []
    seed = 0
    known = tuple(models)
    for part in filter(None, map(str.strip, _BETWEEN_PARTS.split(spec))):
        found = _PART.fullmatch(part)
        if found is None:
            raise EmulatorError(f"the fault {part!r} cannot be read. {_MEND}.")
        name, model = found["name"].strip(), found["model"]
        if name == "seed" and model is None:
            seed = _seed(found["share"])
            continue
        if model is not None and model not in known:
            raise EmulatorError(
                f"the fault {part!r} names a model that the recording lacks. It has "
                f"{', '.join(known)}."
            )
        chances += _chances(name, model, _share(part, found["share"]), found["given"])
    for model in (None, *known):
        total = sum(each.share for each in chances if each.model in (None, model))
        if total > 1 + 1e-9:
            of = "" if model is None else f" of {model}"
            raise EmulatorError(f"the shares{of} add up to {total:g}. Leave at most 1 in all.")
    return Faults(tuple(chances), seed)


def _chances(name: str, model: str | None, share: float, given: str | None) -> Iterator[Chance]:
    names = tuple(KINDS) if name == "all" else (name,)
    if unknown := [each for each in names if each not in KINDS]:
        raise EmulatorError(
            f"there is no fault {unknown[0]!r}. There are {', '.join(KINDS)}, and all."
        )
    parameters = dict(_parameters(name, given or ""))
    allowed = {key for each in names for key in KINDS[each].parameters}
    if strange := [key for key in parameters if key not in allowed]:
        takes = ", ".join(sorted(allowed)) or "none"
        raise EmulatorError(f"the fault {name} has no parameter {strange[0]!r}; it takes {takes}.")
    for each in names:
        own = KINDS[each].parameters
        told = {key: value for key, value in parameters.items() if key in own}
        chance = Chance(each, share / len(names), model, {**own, **told})
        _fault(chance, random.Random(0))  # so that a value that cannot be used is heard of now
        yield chance


def _parameters(name: str, given: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, map(str.strip, _BETWEEN_PARAMETERS.split(given))):
        key, equals, value = part.partition("=")
        if not equals or not value.strip():
            raise EmulatorError(
                f"the parameter {part!r} of the fault {name} has no value. Write {key}=VALUE."
            )
        yield key.strip(), value.strip()


def _fault(chance: Chance, dice: random.Random) -> Fault:
    told = chance.parameters
    at, noise = dice.uniform(0.05, 0.95), dice.randbytes(64)
    if told.get("at"):
        at = _number(chance.name, "at", told["at"])
        if not 0 <= at < 1:
            raise EmulatorError(
                f"the parameter at of the fault {chance.name} is {at:g}, which is no share of an "
                "answer. Write a number from 0 to below 1."
            )
    return Fault(
        chance.name,
        at=at,
        every=_number(chance.name, "every", told.get("every", "1")),
        seconds=_number(chance.name, "seconds", told.get("seconds", "0")),
        retry_after=told.get("retry-after", ""),
        noise=b"\x00" + noise,
    )


def _number(name: str, key: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise EmulatorError(
            f"the parameter {key} of the fault {name} is {text!r}, which is no number of at "
            "least 0."
        )
    return number


def _share(part: str, text: str) -> float:
    percent = text.strip().endswith("%")
    try:
        share = float(text.strip().removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise EmulatorError(f"the share in {part!r} is no number from 0 to 1. {_MEND}.")
    return share


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise EmulatorError(f"the seed {text!r} is no whole number. {_MEND}.") from None

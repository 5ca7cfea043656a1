"""The presets: what is asked of an answer before anything is calibrated.

A preset is a table of ordinary settings: a bar per level of complexity, and the rung at which a
request of that level starts. ``cascade check`` prints what it makes of each ladder. Nothing here
is calibrated: a bar on log-probabilities says how sure a model was of its words, not how often it
is right.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from cascade.types import LEVELS, Bar, Comparison, Level, Rung

PresetName = Literal["safe", "balanced", "cheap", "best"]
Start = Literal["first", "middle", "last"]
WhenUnsure = Literal["climb", "accept"]

DEFAULT_BAR = -0.10
"""The least mean log-probability (natural logarithm, per token) under ``balanced`` and ``safe``.

Chosen by what it means, not fitted: exp(-0.10) is 0.905, so the model gave each of its own tokens
nine chances in ten on geometric average. ``benchmarks/default_bar.py`` prints what that does on
the 585 recorded questions which carry log-probabilities (one-token answers, nine models).
At -0.10 it splits every one of them: 81 to 96 % of the answers that clear it are right, and 33 to
54 % of the rest. 42 % of llama3.1-8b's answers clear it (93 % of these are right, 45 % of the
rest), 83 % of gpt-4o-mini's (81 % and 33 %); gpt-4o, asked the same, is right on 96 and 86 %.
Long answers have lower means than one-token answers, so on them the bar climbs more often. It
promises nothing for other questions: only a calibration does.
"""

_SURE = Bar(rule=(Comparison("mean_logprob", ">=", DEFAULT_BAR),))
_SOUND = Bar(rule=())
_NEVER = Bar()


class Preset(msgspec.Struct, frozen=True):
    """A bar and a start for each level. A bar of None accepts unchecked."""

    says: str
    bars: dict[Level, Bar | None]
    starts: dict[Level, Start]


_RISING: dict[Level, Start] = {"simple": "first", "moderate": "first", "complex": "middle"}

PRESETS: dict[PresetName, Preset] = {
    "safe": Preset(
        "climbs on anything without evidence, simple requests included",
        {"simple": _SURE, "moderate": _SURE, "complex": _SURE},
        _RISING,
    ),
    "balanced": Preset(
        "takes any sound answer to a simple request, asks the others for log-probabilities",
        {"simple": _SOUND, "moderate": _SURE, "complex": _SURE},
        _RISING,
    ),
    "cheap": Preset(
        "takes any sound answer from the cheapest rung",
        {"simple": None, "moderate": None, "complex": None},
        {"simple": "first", "moderate": "first", "complex": "first"},
    ),
    "best": Preset(
        "starts at the reference; a lower rung answers in need only",
        {"simple": _NEVER, "moderate": _NEVER, "complex": _NEVER},
        {"simple": "last", "moderate": "last", "complex": "last"},
    ),
}


def bars(
    preset: PresetName, rungs: tuple[Rung, ...], when_unsure: WhenUnsure
) -> dict[Level, tuple[Bar | None, ...]]:
    """Return the bar of every rung for every level. A rung's own ``accept`` goes before the
    preset's bar, and the last rung, the reference, has none."""
    return {
        level: (
            *(_bar(PRESETS[preset].bars[level], rung, when_unsure) for rung in rungs[:-1]),
            None,
        )
        for level in LEVELS
    }


def starts(preset: PresetName, rungs: tuple[Rung, ...]) -> dict[Level, int]:
    """Return the index of the first rung to try for every level. The middle of two is the last."""
    places: dict[Start, int] = {"first": 0, "middle": len(rungs) // 2, "last": len(rungs) - 1}
    return {level: places[PRESETS[preset].starts[level]] for level in LEVELS}


def _bar(preset: Bar | None, rung: Rung, when_unsure: WhenUnsure) -> Bar | None:
    if rung.accept is not None:
        return rung.accept
    return None if preset is None else msgspec.structs.replace(preset, when_unsure=when_unsure)

"""From what pydantic found to what a person needs: the place, the value, the problem, the mend.

A value is shown only where it can be no key: never a whole table, never a provider's settings,
never a text that looks like a secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from cascade.config.schema import LONG, SHORT, keys_at
from cascade.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Place = tuple[str | int, ...]
"""Where a setting stands in the file: keys and positions, outermost first."""

LATER = frozenset({"tiers", "prompts", "targets", "decide.calibration", "cache.semantic"})
"""Places that the documentation of later versions names. This version refuses them."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SECRET = re.compile(r"(?i)\b(?:sk|pk|rk|gsk|xai|hf|ghp|key)[-_]\w|AIza|bearer\s|[a-z0-9]{32}")
_SHOWN_OF_PROVIDERS = {("protocol",), ("key_header",), ("api_version",), ("ca",)}
_PROBLEMS = {
    "string_type": ("it is not a text", "Write it in quotes."),
    "int_type": ("it is not a whole number", "Write digits, such as 3 or 400_000."),
    "int_from_float": ("it is not a whole number", "Write digits, such as 3 or 400_000."),
    "float_type": ("it is not a number", "Write a number without quotes, such as 0.05."),
    "finite_number": ("it is not finite", "Write a number such as 0.05."),
    "bool_type": ("it is neither true nor false", "Write true or false, without quotes."),
    "list_type": ("it is not a list", 'Write a list: ["…", "…"].'),
    "dict_type": ("it is not a table", "Write a table: { name = value }."),
    "too_short": ("it is empty", "Name at least one."),
    "string_too_short": ("it is empty", "Write a name."),
}


def written(path: Place) -> str:
    """Write a place as it would stand in the file: ``models."azure/gpt-4o".price.input``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE.fullmatch(part) else f'"{part}"'
            text += f".{name}" if text else name
    return text


def suggestion(name: str, known: Collection[str]) -> str:
    """Return the mend for a name that is not known: the nearest one, else all of them."""
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    if near:
        return f'Did you mean "{near[0]}"?'
    return f"Known here: {', '.join(sorted(known))}." if known else "Take it out."


def explain(details: ErrorDetails, variables: Mapping[Place, str]) -> ConfigError:
    """Turn one of pydantic's errors into ours. ``variables`` tells which environment variable
    set the value at a place."""
    path = path_of(details)
    problem, mend = _say(details, path)
    place = written(path)
    if variable := variables.get(path):
        place += f" (from ${variable})"
    return ConfigError(place, _shown(path, details), problem, mend)


def path_of(details: ErrorDetails) -> Place:
    """Return where the error is, without the marks pydantic puts in for unions and keys."""
    return tuple(part for part in details["loc"] if part not in (SHORT, LONG, "[key]"))


def _say(details: ErrorDetails, path: Place) -> tuple[str, str]:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "missing":
        return "it is missing", _ADDITIONS.get(str(path[-1]), "Add it.")
    if kind == "value_error":
        text = str(context["error"])
        return "it cannot be used", f"{text[:1].upper()}{text[1:].rstrip('.')}."
    if kind == "literal_error":
        return _not_one_of(details["input"], str(context["expected"]))
    if kind == "model_type":
        form = "endpoints" if path[2:3] == ("endpoints",) else path[0]
        return "it is neither of the two forms", _FORMS.get(form, _FORMS[""])
    if kind in _PROBLEMS:
        return _PROBLEMS[kind]
    text = details["msg"].removeprefix("Input should be ").removeprefix("String should ")
    return "it is out of range", f"It should be {text}."


_ADDITIONS = {
    "ladders": 'Add a table: [ladders] default = ["openai/gpt-4o-mini", "openai/gpt-4o"].',
    "endpoints": 'Add endpoints = ["PROVIDER/MODEL"].',
    "model": 'Add model = "PROVIDER/MODEL".',
    "input": "Add the price of an input token, in US dollars per million.",
    "output": "Add the price of an output token, in US dollars per million.",
}


_FORMS: dict[str | int, str] = {
    "rungs": 'Write "PROVIDER/MODEL", or a table: { endpoints = ["PROVIDER/MODEL"] }.',
    "endpoints": 'Write "PROVIDER/MODEL", or { model = "PROVIDER/MODEL", weight = 3 }.',
    "models": 'Write { input = 0.15, output = 0.60 }, or "free".',
    "": "Write a table: { name = value }.",
}


def _unknown(path: Place) -> tuple[str, str]:
    name, what = str(path[-1]), "table" if len(path) == 1 else "key"
    if written(path) in LATER:
        return f"this version does not know this {what} yet", "Take it out."
    return f"this {what} is unknown", suggestion(name, keys_at(path[:-1]))


def _not_one_of(value: object, expected: str) -> tuple[str, str]:
    options = re.findall(r"'([^']*)'", expected)
    if isinstance(value, str) and (near := get_close_matches(value, options, n=1, cutoff=0.6)):
        return "it is not one of the choices", f'Did you mean "{near[0]}"?'
    return "it is not one of the choices", f"Choose {' or '.join(options)}."


def _shown(path: Place, details: ErrorDetails) -> Any:
    value: object = details["input"]
    if details["type"] == "missing" or details["loc"][-1:] == ("[key]",):
        return None
    return showable(path, value)


def showable(path: Place, value: object) -> Any:
    """Return the value where it may be shown, else None."""
    if path[:1] == ("providers",) and path[2:] not in _SHOWN_OF_PROVIDERS:
        return None
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and not _SECRET.search(value):
        return value
    return None

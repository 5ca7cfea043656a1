"""Settings from the environment: ``CASCADE_DECIDE__PRESET=cheap`` is ``[decide] preset``.

Two underscores separate the levels. A value is read as TOML where it is TOML (``30``, ``true``,
``["a", "b"]``), else as a text.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

PREFIX = "CASCADE_"

_Place = tuple[str | int, ...]  # as in messages, which imports pydantic


def override(
    data: Mapping[str, Any], env: Mapping[str, str]
) -> tuple[dict[str, Any], dict[_Place, str]]:
    """Return the settings with those of the environment put in, and which variable set which.
    A variable has also set the tables that are there on its account alone.

    Neither argument is changed. A level that holds a value in the file is replaced by a table.
    """
    merged = dict(data)
    variables: dict[_Place, str] = {}
    for variable in sorted(env):
        if not variable.startswith(PREFIX) or "__" not in variable:
            continue
        path: list[str] = []
        table = merged
        *levels, last = variable.removeprefix(PREFIX).split("__")
        for level in levels:
            name = _name(level, table)
            path.append(name)
            below = table.get(name)
            if not isinstance(below, dict):
                variables[tuple(path)] = variable
            table[name] = dict(below) if isinstance(below, dict) else {}
            table = table[name]
        name = _name(last, table)
        table[name] = _value(env[variable])
        variables[(*path, name)] = variable
    return merged, variables


def _name(written: str, table: Mapping[str, Any]) -> str:
    """The table's own spelling of a name that environments know in capitals only."""
    return next((key for key in table if key.upper() == written.upper()), written.lower())


def _value(text: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["value"] if read.keys() == {"value"} else text

"""Find the configuration, read it, and say what is wrong with it."""

from __future__ import annotations

import copy
import itertools
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cascade.config.environment import override
from cascade.config.places import CONFIG_VARIABLE, HERE, named_config
from cascade.errors import ConfigError
from cascade.types import Tables

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from cascade.config.schema import File

ARGUMENTS = "arguments"
"""The source of a configuration that was given as names of models, without a file."""

_LADDERS = "CASCADE_LADDERS__"
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class Found(msgspec.Struct, frozen=True):
    """A configuration as it was read: its settings, where they are from, for people, and the
    folder where its relative paths start."""

    data: dict[str, Any]
    source: str
    folder: Path = Path()


def load(path: Path | None = None, env: Mapping[str, str] | None = None) -> Tables:
    """Read and compile the configuration.

    Searched in this order: ``path``, ``$CASCADE_CONFIG``, ``./config.toml`` where it has a table
    of ours. ``env`` is the environment, by default the process's own.

    Raises:
        ConfigError: there is none, or it has mistakes. The error is the first one, and says how
            many more there are.
    """
    env = os.environ if env is None else env
    return _only_or_first(*check(_find(path, env), env))


def from_names(names: Sequence[str], env: Mapping[str, str] | None = None) -> Tables:
    """Compile a ladder of models, cheapest first, as the two-line file would say it.

    The environment's settings hold, its ladders do not: names in a program go before it.

    Raises:
        ConfigError: a name is not ``PROVIDER/MODEL``, or a setting in the environment is wrong.
    """
    env = os.environ if env is None else env
    rest = {name: value for name, value in env.items() if not name.startswith(_LADDERS)}
    found = Found({"ladders": {"default": list(names)}}, ARGUMENTS)
    return _only_or_first(*check(found, rest))


def mistakes(path: Path | None = None, env: Mapping[str, str] | None = None) -> list[ConfigError]:
    """Return every mistake in the configuration; an empty list where there is none."""
    env = os.environ if env is None else env
    try:
        return check(_find(path, env), env)[1]
    except ConfigError as error:
        return [error]


def _only_or_first(tables: Tables | None, wrong: list[ConfigError]) -> Tables:
    if tables is not None:
        return tables
    first, *others = wrong
    if not others:
        raise first
    count = f"{len(others)} more mistake{'s' if len(others) > 1 else ''}"
    mend = f"{first.mend} There {'are' if len(others) > 1 else 'is'} {count}: see cascade check."
    raise ConfigError(first.place, first.value, first.problem, mend)


def _find(path: Path | None, env: Mapping[str, str]) -> Found:
    named = named_config(path, env)
    if named is not None:
        return Found(_ours(*named), str(named[0]), named[0].parent)
    passed_over = ""
    if HERE.is_file():
        data = _parse(HERE)
        if _is_ours(data):
            return Found(data, str(HERE))
        passed_over = f"; ./{HERE} has no table of ours"
    if any(name.startswith(_LADDERS) for name in env):
        return Found({}, "environment")
    raise ConfigError(
        "configuration",
        None,
        f"none was found (looked at --config, ${CONFIG_VARIABLE}, ./{HERE}{passed_over})",
        'Make one with "cascade init", or name models: Cascade("openai/…", "anthropic/…").',
    )


def _ours(path: Path, who: str) -> dict[str, Any]:
    data = _parse(path)
    if not _is_ours(data):
        raise ConfigError(
            str(path),
            None,
            f"{who} names it, but it has no table of ours",
            'It needs at least [ladders] default = ["PROVIDER/MODEL", …].',
        )
    return data


def _is_ours(data: Mapping[str, Any]) -> bool:
    from cascade.config.messages import LATER
    from cascade.config.schema import TABLES

    return not data.keys().isdisjoint(TABLES | LATER)


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            str(path), None, f"it cannot be read: {error.strerror}", "Check the path."
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            str(path), None, f"byte {error.start} is not UTF-8", "Save it as UTF-8."
        ) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax(path, text, str(error)) from None


def _syntax(path: Path, text: str, message: str) -> ConfigError:
    found = _POSITION.search(message)
    lines = text.splitlines() or [""]
    line, column = len(lines), len(lines[-1]) + 1
    if found and found[1]:
        line, column = int(found[1]), int(found[2])
    problem = f"this is not TOML: {_POSITION.sub('', message)}"
    return ConfigError(
        f"{path}, line {line}, column {column}", None, problem, "Mend the line and try again."
    )


def check(found: Found, env: Mapping[str, str]) -> tuple[Tables | None, list[ConfigError]]:
    """Compile a configuration that was read.

    Returns:
        The tables, None where there are mistakes; and the mistakes.
    """
    from pydantic import ValidationError

    from cascade.config.compile import compile_file
    from cascade.config.messages import explain
    from cascade.config.schema import File

    data, variables = override(found.data, env)
    try:
        return compile_file(File.model_validate(data), env, found.source, found.folder)
    except ValidationError as error:
        details = error.errors(include_url=False)
    wrong = [explain(detail, variables) for detail in details]
    if (rest := _without(data, details)) is not None:
        wrong += compile_file(rest, env, found.source, found.folder)[1]
    return None, wrong


def _without(data: dict[str, Any], details: list[ErrorDetails]) -> File | None:
    """Return the file without its malformed settings, so that the rest can be checked too; None
    where what is left would look wrong only because something is gone."""
    from pydantic import ValidationError

    from cascade.config.messages import path_of
    from cascade.config.schema import File

    data = copy.deepcopy(data)
    for detail in details:
        path = path_of(detail)
        if not _can_go(path):
            return None
        *parents, last = itertools.takewhile(lambda part: isinstance(part, str), path)
        table: Any = data
        for part in parents:
            table = table[part]
        table.pop(last, None)
    try:
        return File.model_validate(data)
    except ValidationError:
        return None


def _can_go(path: tuple[str | int, ...]) -> bool:
    """Whether no other setting refers to what stands there."""
    if path[0] in ("ladders", "providers") or "endpoints" in path:
        return False
    return len(path) > 2 or path[0] not in ("rungs", "models")

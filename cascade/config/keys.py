"""Providers' keys: read from the environment when a call needs one, kept nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cascade.errors import ConfigError, MissingKey
from cascade.types import Endpoint, Tables


def set_variable(variables: Iterable[str], env: Mapping[str, str]) -> str | None:
    """Return the first of these variables that holds something; None where none does."""
    return next((name for name in variables if env.get(name, "").strip()), None)


def key_of(endpoint: Endpoint, env: Mapping[str, str]) -> str | None:
    """Return the endpoint's key; None where its provider takes none.

    Raises:
        MissingKey: no variable that may hold it is set. The error names the variables.
        ConfigError: what the variable holds cannot be sent. The error names the variable, and
            never shows what it holds.
    """
    if not endpoint.key_variables:
        return None
    variable = set_variable(endpoint.key_variables, env)
    if variable is None:
        raise _missing(endpoint)
    if not _can_be_sent(env[variable].strip()):
        raise _unusable(endpoint, variable)
    return env[variable].strip()  # in no local name, which a crash report would show


def missing_keys(tables: Tables, env: Mapping[str, str]) -> list[ConfigError]:
    """Return one error for each key that the ladders need and the environment lacks or spoils."""
    found: dict[tuple[str, ...], ConfigError] = {}
    for rung in tables.rungs.values():
        for endpoint in rung.endpoints:
            try:
                key_of(endpoint, env)
            except ConfigError as error:
                found.setdefault(endpoint.key_variables, error)
    return list(found.values())


def keyless_rungs(tables: Tables, env: Mapping[str, str]) -> dict[str, list[ConfigError]]:
    """Return the rungs that have no endpoint with a key, each with what its endpoints lack.

    A rung with one endpoint that has its key, or needs none, can answer and is not among them.
    """
    keyless: dict[str, list[ConfigError]] = {}
    for rung in tables.rungs.values():
        lacks: list[ConfigError] = []
        for endpoint in rung.endpoints:
            try:
                key_of(endpoint, env)
            except ConfigError as error:
                lacks.append(error)
        if len(lacks) == len(rung.endpoints):
            keyless[rung.name] = lacks
    return keyless


def _can_be_sent(key: str) -> bool:
    """A header takes printable ASCII; what a web page adds to a copied key is neither."""
    return key.isascii() and key.isprintable()


def _missing(endpoint: Endpoint) -> MissingKey:
    variables = " or ".join(f"${name}" for name in endpoint.key_variables)
    return MissingKey(
        f"providers.{endpoint.provider}.key",
        None,
        f"{variables} is not set, and {endpoint.name} needs a key",
        f"Set it: export {endpoint.key_variables[0]}=… "
        f'(or key = "none" under [providers.{endpoint.provider}] where it takes none)',
    )


def _unusable(endpoint: Endpoint, variable: str) -> ConfigError:
    return ConfigError(
        f"providers.{endpoint.provider}.key",
        None,
        f"${variable} holds a character that no key has: an invisible one, a line break or one "
        "outside of ASCII",
        "Copy the key again, or type it.",
    )

"""Providers' keys: read from the environment when a call needs one, kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping

from cascade.errors import MissingKey
from cascade.types import Endpoint, Tables


def key_of(endpoint: Endpoint, env: Mapping[str, str]) -> str | None:
    """Return the endpoint's key; None where its provider takes none.

    Raises:
        MissingKey: no variable that may hold it is set. The error names the variables.
    """
    if not endpoint.key_variables:
        return None
    for variable in endpoint.key_variables:
        if key := env.get(variable, "").strip():
            return key
    raise _missing(endpoint)


def missing_keys(tables: Tables, env: Mapping[str, str]) -> list[MissingKey]:
    """Return one error for each key that the ladders need and the environment lacks."""
    found: dict[tuple[str, ...], MissingKey] = {}
    for rung in tables.rungs.values():
        for endpoint in rung.endpoints:
            try:
                key_of(endpoint, env)
            except MissingKey as error:
                found.setdefault(endpoint.key_variables, error)
    return list(found.values())


def _missing(endpoint: Endpoint) -> MissingKey:
    variables = " or ".join(f"${name}" for name in endpoint.key_variables)
    return MissingKey(
        f"providers.{endpoint.provider}.key",
        None,
        f"{variables} is not set, and {endpoint.name} needs a key",
        f"Set it: export {endpoint.key_variables[0]}=… "
        f'(or key = "none" under [providers.{endpoint.provider}] where it takes none)',
    )

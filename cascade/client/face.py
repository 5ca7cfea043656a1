"""What both faces have in common: how they are made."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cascade.types import Tables

if TYPE_CHECKING:
    import httpx

    from cascade.policy.model import Rule


class Face:
    """An object that answers requests by one configuration."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *models: str,
            tables: Tables | None = None,
            rule: Rule | None = None,
            transport: httpx.AsyncBaseTransport | None = None,
            data_dir: Path | str | None = None,
            environ: Mapping[str, str] | None = None,
        ) -> None: ...

    @classmethod
    def from_config(
        cls,
        path: Path | str | None = None,
        *,
        rule: Rule | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        data_dir: Path | str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """Read ``path``, ``$CASCADE_CONFIG`` or ``./config.toml``. The other arguments are the
        class's own.

        Raises:
            ConfigError: there is none, or it has a mistake.
        """
        from cascade.config.read import load

        tables = load(None if path is None else Path(path), environ)
        return cls(
            tables=tables, rule=rule, transport=transport, data_dir=data_dir, environ=environ
        )


def warn_of(face: Face, remedy: str) -> None:
    """Warn of an open object that the garbage collector found; not while the process ends, when
    all is closed anyway."""
    if not sys.is_finalizing():
        words = f"an open {type(face).__name__} was forgotten: close it with {remedy}"
        warnings.warn(words, ResourceWarning, stacklevel=3, source=face)

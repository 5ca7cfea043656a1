"""Where the configuration and the data lie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

CONFIG_VARIABLE = "CASCADE_CONFIG"
DATA_VARIABLE = "CASCADE_DATA"
HERE = Path("config.toml")


def data_dir(env: Mapping[str, str] | None = None) -> Path:
    """Return the folder for the cache and all else that is kept: ``$CASCADE_DATA``, or a folder
    of ours in the platform's user data directory. It is not created here. ``env`` is the
    environment, by default the process's own."""
    if named := (os.environ if env is None else env).get(DATA_VARIABLE):
        return Path(named).expanduser()
    from platformdirs import user_data_path

    return user_data_path("cascade", appauthor=False)


def named_config(path: Path | None, env: Mapping[str, str]) -> tuple[Path, str] | None:
    """Return the configuration somebody named and who did (``--config``, or the variable);
    None where nobody did and ``./config.toml`` is worth a look."""
    if path is not None:
        return path, "--config"
    if named := env.get(CONFIG_VARIABLE):
        return Path(named).expanduser(), f"${CONFIG_VARIABLE}"
    return None

"""The data directory's own secret: it keys the hashes, so that nobody else can make keys."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from cascade.errors import ConfigError

SIZE = 32


def load_secret(directory: Path) -> bytes:
    """Return the secret of a data directory; make it, with mode 0600, if there is none.

    Processes that race for it all get the same one.

    Raises:
        ConfigError: the file is not what was written, or cannot be read or written.
    """
    path = directory / "secret"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        path.chmod(0o600)
        secret = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            "the data directory", str(directory), str(error), "Choose another by $CASCADE_DATA."
        ) from error
    if len(secret) != SIZE:
        raise ConfigError(
            "the cache's secret",
            str(path),
            f"it has {len(secret)} bytes, not {SIZE}",
            "Remove the file; what was stored under it is lost then.",
        )
    return secret


def _make(path: Path) -> None:
    """Write it aside and link it into place: it appears whole, and the first one stays."""
    aside = path.with_name(f".secret-{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(SIZE))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        with suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink()

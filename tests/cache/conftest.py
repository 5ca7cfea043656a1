"""A cache on a real disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cascade.cache.disk import ResponseCache
from tests.cache.entries import opened


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the cache lies."""
    return tmp_path / "cache"


@pytest.fixture
def cache(directory: Path) -> Iterator[ResponseCache]:
    """An open cache."""
    cache = opened(directory)
    yield cache
    cache.close()

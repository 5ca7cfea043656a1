"""What every test shares."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """cascade runs on asyncio."""
    return "asyncio"

"""Two real servers for the whole run: the same small model with a wide and a narrow window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.model import Model, serving

TEMPLATE = Path(__file__).parent / "tools.jinja"


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """Two slots of 2,048 tokens each, and a template that knows tools."""
    log = tmp_path_factory.mktemp("wide") / "log"
    with serving(log, context=4096, slots=2, template=TEMPLATE) as model:
        yield model


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """One slot of 256 tokens, and the model's own template, which knows no tools."""
    log = tmp_path_factory.mktemp("narrow") / "log"
    with serving(log, context=256, slots=1) as model:
        yield model

"""A user's own rule in the engine: it decides, and what is wrong with it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cascade import AsyncCascade
from cascade.errors import ConfigError, Failed
from cascade.policy import Choice, Try, View
from tests.engine.scripted import provider
from tests.engine.setting import tables

pytestmark = pytest.mark.anyio


def raises(view: View, moves: tuple[Choice, ...]) -> Choice:
    raise RuntimeError("my own mistake")


def cheats(view: View, moves: tuple[Choice, ...]) -> Choice:
    return Try(17)


@pytest.mark.parametrize(
    ("rule", "words"),
    [(raises, "the rule raised RuntimeError('my own mistake')"), (cheats, "Try(option=17)")],
)
async def test_an_error_says_what_is_wrong_with_the_rule(
    rule: Any, words: str, tmp_path: Path
) -> None:
    async with (
        provider() as one,
        AsyncCascade(tables=tables(one.url, tmp_path), rule=rule, data_dir=tmp_path) as ai,
    ):
        with pytest.raises(Failed) as failed:
            await ai.complete("hello")
    assert words in str(failed.value)


def test_what_is_no_rule_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="callable"):
        AsyncCascade("openai/gpt-5.6-luna", rule=5)  # type: ignore[arg-type]

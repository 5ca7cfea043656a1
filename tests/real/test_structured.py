"""Structured output from a real server, which keeps to a schema by one protocol only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from cascade.client.asking import Options
from cascade.errors import Failed
from tests.real.ladders import DEAR, SOUND, Step, ask, opened
from tests.real.model import Model

pytestmark = [pytest.mark.real, pytest.mark.anyio]
QUESTION = "What is the capital of France?"


class Town(BaseModel):
    """A schema that a grammar can express: any model keeps to it."""

    model_config = ConfigDict(extra="forbid")
    town: Literal["Paris", "Lyon"]
    large: bool


TOWN = Options(temperature=0.0, max_tokens=100, response_format=Town)


def schema(**properties: Any) -> Options:
    """Ask for an object by a schema that says more than a grammar can."""
    wanted = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}
    named = {"name": "town", "schema": {**wanted, **properties}}
    return Options(
        temperature=0.0,
        max_tokens=100,
        response_format={"type": "json_schema", "json_schema": named},
    )


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_an_answer_that_fits_its_schema_is_accepted_and_parsed(
    tmp_path: Path, wide: Model, streamed: bool
) -> None:
    async with opened(tmp_path, Step("only", wide)) as ai:
        answer = await ask(ai, streamed, QUESTION, TOWN)
        assert (answer.outcome, answer.finish_reason) == ("accepted", "stop")
        assert answer.parse(Town) == Town.model_validate(json.loads(answer.text))


async def test_half_of_the_json_object_that_was_asked_for_is_refuted(
    tmp_path: Path, wide: Model
) -> None:
    options = Options(
        temperature=0.0, max_tokens=200, response_format={"type": "json_object"}, stop=["}"]
    )
    async with opened(tmp_path, Step("only", wide)) as ai:
        # The stop takes the brace away that the grammar demands: what is left is no JSON.
        with pytest.raises(Failed) as failed:
            await ai.complete(QUESTION, **options)
        (attempt,) = failed.value.attempts
        assert attempt.text.lstrip().startswith("{")
        assert attempt.result == "refuted"


async def test_a_schema_that_the_server_does_not_keep_to_makes_the_ladder_climb(
    tmp_path: Path, narrow: Model, wide: Model
) -> None:
    """By the Messages protocol this server takes ``output_config.format`` and ignores it."""
    small = Step("small", narrow, "anthropic", SOUND)
    async with opened(tmp_path, small, Step("strong", wide, price=DEAR)) as ai:
        answer = await ai.complete(QUESTION, **TOWN)
        first, second = answer.attempts
        assert (first.rung, first.result) == ("small", "refuted")
        assert first.why is not None
        assert first.why.startswith("not JSON")
        assert (second.rung, answer.basis) == ("strong", "reference")
        answer.parse(Town)


async def test_what_the_servers_grammar_does_not_know_is_checked_here(
    tmp_path: Path, narrow: Model, wide: Model
) -> None:
    """The grammar knows no ``dependentRequired``: the server says that it keeps to the schema."""
    steps = Step("small", narrow, accept=SOUND), Step("strong", wide)
    async with opened(tmp_path, *steps) as ai:
        with pytest.raises(Failed) as failed:
            await ai.complete(QUESTION, **schema(dependentRequired={"town": ["day"]}))
        assert [attempt.rung for attempt in failed.value.attempts] == ["small", "strong"]
        for attempt in failed.value.attempts:
            assert attempt.result == "refuted"
            assert attempt.why is not None
            assert "its JSON schema" in attempt.why
            assert attempt.cost


async def test_a_schema_that_the_server_cannot_read_makes_the_ladder_climb(
    tmp_path: Path, narrow: Model, wide: Model
) -> None:
    """Its answer is a 400 that blames the request, yet another server may read it."""
    options = schema(
        properties={"town": {"$ref": "#town"}},
        **{"$defs": {"town": {"$anchor": "town", "type": "string"}}},
    )
    steps = Step("small", narrow), Step("strong", wide, "anthropic")
    async with opened(tmp_path, *steps) as ai:
        with pytest.raises(Failed) as failed:
            await ai.complete(QUESTION, **options)
        small, strong = failed.value.attempts
        assert (small.rung, small.kind, small.cost) == ("small", "unsupported", 0)
        assert (strong.rung, strong.result) == ("strong", "refuted")

"""A request climbs its ladder over real sockets until an answer will do."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade import Failed
from tests.engine.scripted import dies, fails, garbles, provider, says
from tests.engine.setting import LADDER, SMALL, STRONG, Step, opened

pytestmark = pytest.mark.anyio

UNSURE = says("perhaps", logprob=-3.0)


async def test_a_sure_answer_is_taken_from_the_first_rung(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        answer = await ai.complete("Which rivers meet in Koblenz?")
    assert (answer.rung, answer.basis, answer.text) == ("small", "rule", "fine")
    assert [call.model for call in one.calls] == ["small"]
    assert answer.cost == 10 * 1_000_000 + 2 * 2_000_000


async def test_an_unsure_answer_climbs_and_both_calls_are_paid(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", UNSURE)
        one.on("strong", says("certainly"))
        answer = await ai.complete("Which rivers meet in Koblenz?")
    assert (answer.rung, answer.basis, answer.text) == ("strong", "reference", "certainly")
    assert [attempt.result for attempt in answer.attempts] == ["short", "accepted"]
    assert answer.cost == 14_000_000 + 140_000_000
    assert answer.saved == -14_000_000


async def test_missing_evidence_climbs_and_stays_missing(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says("no word of how sure", logprob=None))
        answer = await ai.complete("Which rivers meet in Koblenz?")
    assert answer.rung == "strong"
    assert answer.attempts[0].evidence.mean_logprob is None
    assert answer.attempts[0].result == "short"


async def test_missing_evidence_is_accepted_where_the_operator_says_so(tmp_path: Path) -> None:
    trusting = Step("small", settings={"when_unsure": "accept"})
    async with provider() as one, opened(one.url, tmp_path, (trusting, STRONG)) as ai:
        one.on("small", says("no word of how sure", logprob=None))
        answer = await ai.complete("Which rivers meet in Koblenz?")
    assert (answer.rung, answer.basis) == ("small", "unchecked")


async def test_the_stronger_rung_gets_the_callers_request_not_the_draft(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", UNSURE)
        await ai.complete("Which rivers meet in Koblenz?", system="Be brief.", seed=7)
    first, second = (call.body for call in one.calls)
    assert first["messages"] == second["messages"]
    assert first["seed"] == second["seed"] == 7
    assert "perhaps" not in str(second)


async def test_a_refuted_answer_climbs_and_never_comes_back(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says("  "))
        one.on("strong", *[fails(400, "no")] * 3)
        with pytest.raises(Failed) as caught:
            await ai.complete("Which rivers meet in Koblenz?")
    assert [attempt.result for attempt in caught.value.attempts] == ["refuted", "failed"]


async def test_a_schema_that_is_not_met_escalates(tmp_path: Path) -> None:
    form = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", says('{"sum": 3}'))
        one.on("strong", says('{"total": 3}'))
        answer = await ai.complete(
            "Add 1 and 2.",
            response_format={"type": "json_schema", "json_schema": {"name": "sum", "schema": form}},
        )
    assert answer.rung == "strong"
    assert "total" in (answer.attempts[0].why or "")


async def test_a_short_answer_in_hand_is_returned_in_need(tmp_path: Path) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", UNSURE)
        one.on("strong", fails(401, "bad key"))
        answer = await ai.complete("Which rivers meet in Koblenz?")
    assert (answer.outcome, answer.basis, answer.text) == ("best_effort", None, "perhaps")
    assert "below its bar" in answer.story()


async def test_in_need_an_error_comes_where_the_operator_wants_one(tmp_path: Path) -> None:
    decide = {"at_the_end": "error"}
    async with provider() as one, opened(one.url, tmp_path, decide=decide) as ai:
        one.on("small", UNSURE)
        one.on("strong", fails(401, "bad key"))
        with pytest.raises(Failed) as caught:
            await ai.complete("Which rivers meet in Koblenz?")
    assert [attempt.text for attempt in caught.value.attempts] == ["perhaps", ""]


@pytest.mark.parametrize(
    "broken",
    [
        fails(503, "full"),
        fails(500, "oops"),
        fails(401, "bad key"),
        fails(404, "no such model"),
        fails(400, "too long", code="context_length_exceeded"),
        garbles(b'{"choices": []}'),
        garbles(b'{"error": {"message": "overloaded", "code": "overloaded"}}'),
        garbles(b"<html>"),
        dies(),
    ],
)
async def test_a_rung_whose_only_endpoint_fails_is_climbed_past(
    tmp_path: Path, broken: object
) -> None:
    once = Step("small", settings={"calls": 1})
    async with provider() as one, opened(one.url, tmp_path, (once, STRONG)) as ai:
        one.on("small", broken)  # type: ignore[arg-type]
        answer = await ai.complete("Which rivers meet in Koblenz?")
    assert (answer.rung, answer.basis) == ("strong", "reference")
    assert answer.attempts[0].result == "failed"
    assert answer.attempts[0].kind is not None


async def test_quality_best_starts_at_the_reference_and_cheapest_takes_the_first(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path) as ai:
        one.on("small", UNSURE)
        best = await ai.complete("Which rivers meet in Koblenz?", quality="best")
        cheapest = await ai.complete("Which rivers meet in Koblenz?", quality="cheapest")
    assert (best.rung, best.basis) == ("strong", "reference")
    assert (cheapest.rung, cheapest.basis) == ("small", "unchecked")


async def test_three_rungs_are_climbed_in_their_order(tmp_path: Path) -> None:
    ladder = (SMALL, Step("medium"), STRONG)
    async with provider() as one, opened(one.url, tmp_path, ladder) as ai:
        one.on("small", UNSURE)
        one.on("medium", UNSURE)
        answer = await ai.complete("Which rivers meet in Koblenz?")
    assert [attempt.rung for attempt in answer.attempts] == ["small", "medium", "strong"]


async def test_log_probabilities_are_asked_for_only_where_something_reads_them(
    tmp_path: Path,
) -> None:
    async with provider() as one, opened(one.url, tmp_path, LADDER) as ai:
        one.on("small", UNSURE)
        await ai.complete("Which rivers meet in Koblenz?")
    small, strong = one.calls
    assert small.body["logprobs"] is True
    assert "logprobs" not in strong.body

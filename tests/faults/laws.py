"""What holds of every answer, however the provider behaves, and of all of them together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cascade import (
    Answer,
    AsyncCascade,
    Broken,
    CascadeError,
    DeadlineExceeded,
    Failed,
    Unavailable,
)
from cascade.cache.inspection import listing, verify
from cascade.cache.rules.entry import Codec
from cascade.cache.secret import load_secret
from cascade.emulator import Emulator
from cascade.learning.trace import Row
from cascade.types import Attempt
from tests.faults.load import Told
from tests.faults.world import CLOCKS, DEADLINE, PRICES, recorded

MARGIN = 1.0
"""Seconds by which a request may be late on a machine that does other work too."""

NOT_CALLED = ("an identical request was under way", "No call was made")
"""What a request says that has waited for others all its time."""


def broken_laws(told: Told) -> Iterator[str]:
    """What is wrong with a request's end."""
    # A live stream begins by its deadline, and ends by its own clocks.
    late = DEADLINE + (CLOCKS["total"] if told.ask.way == "live" else 0) + MARGIN
    if told.seconds > late:
        yield f"it took {told.seconds:.2f} s"
    if told.error is not None:
        yield from _of_an_error(told, told.error)
    elif told.answer is None:
        yield "it ended without an answer and without an error"
    else:
        yield from _of_an_answer(told, told.answer)


def _of_an_answer(told: Told, answer: Answer) -> Iterator[str]:
    right = recorded(told.ask.row, answer.endpoint).text
    cut = answer.finish_reason == "length"
    if answer.outcome == "accepted":
        # What streams as it comes has left before anybody can see that its model cuts it off.
        if cut and not may_leave_early(told, answer.rung):
            yield f"accepted though it ended by {answer.finish_reason}"
    elif answer.outcome != "best_effort":
        yield f"an answer of outcome {answer.outcome}"
    if cut and not (right.startswith(answer.text) and answer.text.strip()):
        yield f"cut off: {answer.text!r}, recorded {right!r}"
    if not cut and (answer.text != right or answer.finish_reason != "stop"):
        yield f"{answer.text!r} ended by {answer.finish_reason}, recorded {right!r}"
    if told.ask.way != "whole" and told.streamed != answer.text:
        yield f"streamed {told.streamed!r}, answered {answer.text!r}"
    if answer.cache == "miss" and not answer.attempts:
        yield "an answer that nobody was called for"


def may_leave_early(told: Told, rung: str) -> bool:
    """Whether pieces leave as they come: under ``live``, and from the reference in any stream."""
    return told.ask.way == "live" or (told.ask.way == "held" and rung.endswith("-strong"))


def _of_an_error(told: Told, error: CascadeError) -> Iterator[str]:
    attempts = attempts_of(told)
    if isinstance(error, Broken):
        last = attempts[-1]
        if not may_leave_early(told, last.rung):
            yield "broken, though nothing was to leave before it was accepted"
        if last.result not in ("failed", "refuted"):
            yield f"broken by a call that {last.result}"
    elif told.streamed:
        yield f"{type(error).__name__} after {told.streamed!r} had left"
    elif not isinstance(error, Failed):
        yield f"{type(error).__name__}: {error}"
    if isinstance(error, Unavailable):
        if "is closed for" not in str(error) and "is on trial" not in str(error):
            yield f"does not say why nobody was called: {error}"
    elif not attempts:
        waited = any(words in str(error) for words in NOT_CALLED)
        if not (isinstance(error, DeadlineExceeded) and waited):
            yield f"lists no attempt: {error}"


def attempts_of(told: Told) -> Sequence[Attempt]:
    """Every call that was made for a request alone."""
    if told.answer is not None:
        return told.answer.attempts
    attempts: Sequence[Attempt] = getattr(told.error, "attempts", ())
    return attempts


def stored_wrongly(directory: Path, rows: Sequence[Row]) -> list[str]:
    """What is in the cache and is not a whole recorded answer to the request it is stored for."""
    codec = Codec(load_secret(directory))
    wrong = [f"{key}: damaged" for key in verify(directory / "cache", codec)]
    for listed in listing(directory / "cache", codec):
        entry = listed.entry
        if entry is None:
            continue  # damaged, and named above
        right = recorded(rows[int(entry.tags[0])], entry.endpoint).text
        if entry.response.message.text != right or entry.response.finish_reason != "stop":
            wrong.append(f"{listed.key}: {entry.response.message.text!r}, recorded {right!r}")
    return wrong


def uncounted(ai: AsyncCascade, told: Sequence[Told], emulator: Emulator) -> list[str]:
    """Where the caller's account, the engine's and the provider's do not agree."""
    attempts = [attempt for each in told for attempt in attempts_of(each)]
    wrong = []
    if len(attempts) != ai.totals.calls:
        wrong.append(f"{len(attempts)} attempts were told of, {ai.totals.calls} were made")
    delivered = emulator.delivered
    calls = delivered.total.calls
    # A call that cost nothing and came to no end of its own may never have left. The transport
    # sends once more what a used connection's end has swallowed unread, as a reset may.
    left = [each for each in attempts if each.result != "refused"]
    unsure = sum(_may_be_unsent(each) for each in left)
    twice = delivered.faults.get("reset", 0)
    if not len(left) - unsure <= calls <= len(left) + twice:
        wrong.append(f"{len(left)} calls left, {unsure} of them perhaps; {calls} were counted")
    return [*wrong, *_unpaid(told, emulator)]


def _may_be_unsent(attempt: Attempt) -> bool:
    silent = attempt.kind in ("unavailable", "timed_out", "broken") or attempt.result in (
        "cancelled", "hedge_lost"
    )  # fmt: skip
    return not attempt.cost and silent


def _unpaid(told: Sequence[Told], emulator: Emulator) -> Iterator[str]:
    """What was delivered is paid for, and what the provider counted itself is never more than it
    delivered; estimates come on top. This provider makes answers at once, hence faster than an
    estimate takes any to be: of a call that was cut off, its output may be more."""
    for model, tally in emulator.delivered.by_model.items():
        read, written = PRICES[model]
        due = tally.input_tokens * read + tally.output_tokens * written
        paid = exact = unseen = 0
        for each in told:
            whole = each.ask.row.answers[model].output_tokens or 0
            for attempt in attempts_of(each):
                if not attempt.endpoint.endswith(f"/{model}"):
                    continue
                assert attempt.cost is not None, "every model has a price"
                paid += attempt.cost
                exact += 0 if attempt.estimated else attempt.cost
                if attempt.estimated and attempt.usage is not None:
                    unseen += max(0, whole - attempt.usage.output_tokens) * written
        if paid + unseen < due:
            yield f"{model}: {due} units were delivered, {paid} paid for"
        if exact > due:
            yield f"{model}: {exact} units were billed by count, {due} delivered"

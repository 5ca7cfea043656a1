"""From the answers of a run to its figures: quality, cost, shares and latency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from benchmarks.figures import aligned
from benchmarks.intervals import interval, mean
from benchmarks.prices import units
from benchmarks.rounds import percentile
from cascade import CascadeError, money
from cascade.learning.trace import RecordedAnswer, Recording
from cascade.types import Answer, Attempt

Figures = dict[str, Any]
N = TypeVar("N", int, float)


class Told(msgspec.Struct, frozen=True):
    """What a run gave: an answer a row, None where there was an error. ``calls`` is the
    provider's own count."""

    answers: list[Answer | None]
    errors: list[CascadeError]
    calls: int
    seconds: float


class _Calls:
    """The calls of a run, beside what was recorded of each."""

    def __init__(self, told: Told, recording: Recording, ladder: Sequence[str]) -> None:
        self.attempts: list[Attempt] = []
        self.recorded: list[RecordedAnswer] = []
        self.returned: list[RecordedAnswer] = []
        self.latencies: list[float | None] = []
        by_rung = {f"rung{number}": model for number, model in enumerate(ladder, start=1)}
        for row, answer in zip(recording.rows, told.answers, strict=True):
            if answer is None:
                continue
            asked = recording.said(row.turns)[0]  # the emulator's own choice among equal rows
            calls = [asked.answers[by_rung[attempt.rung]] for attempt in answer.attempts]
            self.attempts += answer.attempts
            self.recorded += calls
            self.returned.append(asked.answers[by_rung[answer.rung]])
            self.latencies.append(_sum([call.latency_s for call in calls]))

    def recorded_cost(self) -> int | None:
        """What the recording says the calls cost, in money units; None where it does not."""
        costs = [None if r.cost_usd is None else units(r.cost_usd) for r in self.recorded]
        return _sum(costs)

    def paid(self) -> int | None:
        """What the engine says they cost, in money units."""
        return _sum([attempt.cost for attempt in self.attempts])


def policy(told: Told, recording: Recording, ladder: Sequence[str]) -> Figures:
    """The figures of the first pass. Answers that share a call cost nothing of their own."""
    calls = _Calls(told, recording, ladder)
    answers = [answer for answer in told.answers if answer is not None]
    costs = [answer.cost_usd for answer in answers if answer.cost_usd is not None]
    rungs = Counter(answer.rung for answer in answers)
    paid, recorded = calls.paid(), calls.recorded_cost()
    return {
        **_quality([answer.score for answer in calls.returned]),
        **_cost(costs if len(costs) == len(answers) else []),
        "cost_usd": None if paid is None else money.to_usd(paid),
        "recorded_cost_usd": None if recorded is None else money.to_usd(recorded),
        "cost_is_exact": None if paid is None or recorded is None else paid == recorded,
        "rung_share": {
            model: rungs[f"rung{number}"] / max(1, len(answers))
            for number, model in enumerate(ladder, start=1)
        },
        "by_outcome": Counter(answer.outcome for answer in answers),
        "by_cache": Counter(answer.cache for answer in answers),
        "calls": told.calls,
        "estimated_share": mean([float(attempt.estimated) for attempt in calls.attempts]),
        "latency_s": _latency([answer.latency_s for answer in answers]),
        "recorded_latency_s": _latency(calls.latencies),
        "seconds": told.seconds,
    }


def passed(told: Told) -> Figures:
    """The figures of the second pass."""
    answers = [answer for answer in told.answers if answer is not None]
    return {
        "by_cache": Counter(answer.cache for answer in answers),
        "calls": told.calls,
        "cost_usd": _sum([answer.cost_usd for answer in answers]),
        "latency_s": _latency([answer.latency_s for answer in answers]),
        "seconds": told.seconds,
    }


def baseline(recording: Recording, model: str) -> Figures:
    """One model for everything, as recorded."""
    answers = [row.answers[model] for row in recording.rows if model in row.answers]
    costs = [answer.cost_usd for answer in answers if answer.cost_usd is not None]
    return {
        **_quality([answer.score for answer in answers]),
        **_cost(costs if len(costs) == len(answers) else []),
        "recorded_latency_s": _latency([answer.latency_s for answer in answers]),
    }


def _quality(scores: Sequence[float | None]) -> Figures:
    graded = [score for score in scores if score is not None]
    return {
        "quality": mean(graded),
        "quality_interval": interval(graded),
        "ungraded": len(scores) - len(graded),
    }


def _cost(usd: Sequence[float]) -> Figures:
    thousands = [1000 * cost for cost in usd]
    return {
        "cost_usd_per_1k": mean(thousands),
        "cost_usd_per_1k_interval": interval(thousands),
    }


def _latency(seconds: Sequence[float | None]) -> Figures:
    known = [value for value in seconds if value is not None]
    if not known or len(known) < len(seconds):
        return {"p50": None, "p99": None}
    return {"p50": percentile(known, 0.5), "p99": percentile(known, 0.99)}


def _sum(values: Sequence[N | None]) -> N | int | None:
    """The sum; None as soon as one of them is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


# --- for people ---


def show(report: Figures) -> str:
    """Write a report."""
    first, again = report["policy"], report["again"]
    strongest = list(report["baselines"].values())[-1]
    rows: list[tuple[str, ...]] = []
    rows.append(("", "quality", "95 %", "$ per 1k", "95 %", "x", "recorded p50", "p99", ""))
    rows.append(_row("the ladder", first, strongest))
    rows += [_row(name, figures, strongest) for name, figures in report["baselines"].items()]
    shares = ", ".join(f"{model} {share:.1%}" for model, share in first["rung_share"].items())
    exact = {True: "the same", False: "NOT THE SAME", None: "not known"}[first["cost_is_exact"]]
    ladder, bars = " > ".join(report["ladder"]), ", ".join(map(str, report["bars"]))
    paid, recorded = (_shown(first[name], ".9f") for name in ("cost_usd", "recorded_cost_usd"))
    lines = [
        f"{report['trace']}: {report['requests']} requests, ladder {ladder}, bars {bars}",
        aligned(rows),
        f"answered by: {shares}",
        f"calls {first['calls']}, usage estimated in {_shown(first['estimated_share'], '.1%')}",
        f"cost {paid} $, by the recording {recorded} $: {exact}",
        f"measured at speed {report['speed']:g}: {_times(first)}",
        f"again: {dict(again['by_cache'])}, calls {again['calls']}, {_times(again)}",
    ]
    lines += [f"failed: {error}" for error in report["failed"][:5]]
    if len(report["failed"]) > 5:
        lines.append(f"failed: {len(report['failed'])} in all")
    return "\n".join(lines)


def _row(name: str, figures: Figures, strongest: Figures) -> tuple[str, ...]:
    cost, most = figures["cost_usd_per_1k"], strongest["cost_usd_per_1k"]
    latency = figures["recorded_latency_s"]
    return (
        name,
        _shown(figures["quality"], ".4f"),
        _between(figures["quality_interval"]),
        _shown(cost, ".4f"),
        _between(figures["cost_usd_per_1k_interval"]),
        _shown(cost / most if cost is not None and most else None, ".3f"),
        _shown(latency["p50"], ".2f"),
        _shown(latency["p99"], ".2f"),
        "",
    )


def _times(figures: Figures) -> str:
    p50, p99 = (_shown(_ms(figures["latency_s"][name]), ".2f") for name in ("p50", "p99"))
    return f"latency p50 {p50} ms, p99 {p99} ms; {figures['seconds']:.1f} s in all"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def _between(bounds: tuple[float, float] | None) -> str:
    return "-" if bounds is None else f"{bounds[0]:.4f}..{bounds[1]:.4f}"


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)

"""How well the complexity level predicts that the cheapest recorded model fails.

    python benchmarks/complexity.py [RECORDING …]

For each recording: the levels' shares, how often the cheapest model (by its recorded cost) fails
at each, and the AUROC of the level as a predictor of that failure (a score below 1/2), with its
95 % bootstrap interval over rows. .5 is chance. The words of the classifier were not fitted to
these rows: within one kind of prompt little is to be expected, since all of them look alike.
The last lines are the time that one classification takes.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cascade.learning.trace import Recording, Row, read_trace
from cascade.policy.complexity import classify
from cascade.types import LEVELS, Message, Request

TRACES = Path(__file__).resolve().parents[2] / "shared" / "traces"
RESAMPLES = 1000

Case = tuple[int, bool]  # the level's rank, and whether the cheapest model failed


def request_of(row: Row) -> Request:
    """The request that the row records."""
    system = (Message("system", row.system),) if row.system else ()
    return Request(messages=(*system, Message("user", row.prompt)))


def cheapest(recording: Recording) -> tuple[str, str]:
    """The model of the least mean cost, and how that is known."""

    def mean(name: str) -> float | None:
        costs = [row.answers[name].cost_usd for row in recording.rows if name in row.answers]
        known = [cost for cost in costs if cost is not None]
        return sum(known) / len(known) if known else None

    priced = {name: cost for name in recording.models if (cost := mean(name)) is not None}
    if priced:
        return min(priced, key=priced.__getitem__), "by recorded cost"
    return recording.models[0], "the first one, no cost is recorded"


def cases_of(recording: Recording, model: str) -> list[Case]:
    """Level and failure of every row that the model answered and that was graded."""
    found = []
    for row in recording.rows:
        answer = row.answers.get(model)
        if answer is not None and answer.score is not None:
            found.append((LEVELS.index(classify(request_of(row)).level), answer.score < 0.5))
    return found


def auroc(cases: Sequence[Case]) -> float | None:
    """The chance that a failure has the higher level; ties count half. None without both kinds."""
    failed = Counter(level for level, fails in cases if fails)
    passed = Counter(level for level, fails in cases if not fails)
    pairs = failed.total() * passed.total()
    if not pairs:
        return None
    won = sum(
        n * m * (1.0 if a > b else 0.5 if a == b else 0.0)
        for a, n in failed.items()
        for b, m in passed.items()
    )
    return won / pairs


def interval(cases: list[Case], chance: random.Random) -> tuple[float, float]:
    """The 95 % bootstrap interval of the AUROC."""
    drawn = (auroc(chance.choices(cases, k=len(cases))) for _ in range(RESAMPLES))
    known = sorted(value for value in drawn if value is not None)
    return known[int(0.025 * len(known))], known[int(0.975 * len(known)) - 1]


def report(path: Path) -> list[Case]:
    """Print a recording's figures and return its cases."""
    recording = read_trace(path)
    model, known_by = cheapest(recording)
    cases = cases_of(recording, model)
    print(f"{path.name}: {len(cases)} prompts, cheapest {model} ({known_by})")
    show(cases)
    return cases


def show(cases: list[Case]) -> None:
    """Print shares, failures and AUROC."""
    for rank, level in enumerate(LEVELS):
        fails = [failed for at, failed in cases if at == rank]
        if fails:
            share = 100 * len(fails) / len(cases)
            print(f"  {level:9} {share:5.1f} %  fails {100 * sum(fails) / len(fails):5.1f} %")
    value = auroc(cases)
    if value is None or len({level for level, _ in cases}) == 1:
        print("  AUROC .500 (there is one level only)")
    else:
        low, high = interval(cases, random.Random(1))
        print(f"  AUROC {value:.3f} [{low:.3f}, {high:.3f}]")


def timing() -> None:
    """Print what one classification takes, in microseconds, beside plain lower().split()."""
    prose = (
        "The committee met on the first Monday of the month and talked about the new garden. " * 6
    )
    for name, text in (("500 characters", prose[:500]), ("1 MB", "word and " * 111_111)):
        request = Request(messages=(Message("user", text),))
        whole = least(lambda request=request: classify(request))
        bare = least(lambda text=text[:8000]: text.lower().split())
        print(f"{name}: {whole:.1f} us, lower().split() of what is read {bare:.1f} us")


def least(task: object, rounds: int = 2000) -> float:
    """The least time of a call, in microseconds."""
    assert callable(task)
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        task()
        best = min(best, time.perf_counter() - start)
    return best * 1e6


def main() -> None:
    """Print all figures."""
    paths = [Path(name) for name in sys.argv[1:]] or sorted(TRACES.glob("*.jsonl.gz"))
    cases = [case for path in paths for case in report(path)]
    if len(paths) > 1:
        print("all of them")
        show(cases)
    timing()


if __name__ == "__main__":
    main()

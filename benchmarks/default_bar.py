"""What a bar on the mean log-probability does, on recorded answers.

    python benchmarks/default_bar.py [RECORDING]

For each model and each bar: the share of answers that clear it, how many of those are right, how
many of the rest, and how often the reference (gpt-4o) is right on the answers that cleared it.
The default bar, ``cascade.config.presets.DEFAULT_BAR``, was chosen by what it means (the model
gave its own tokens nine chances in ten); this shows what that choice does, it does not fit it.
Answers without a recorded log-probability are left out: absent stays absent.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from cascade.config.presets import DEFAULT_BAR

RECORDING = Path(__file__).resolve().parents[2] / "shared" / "traces" / "qa.jsonl.gz"
REFERENCE = "gpt-4o"
BARS = (-0.02, -0.05, DEFAULT_BAR, -0.20, -0.50)


def read(path: Path) -> list[dict[str, Any]]:
    """Return the answers of every row, by model."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["answers"] for line in lines]


def share(scores: list[float]) -> str:
    """Write a mean score as a percentage; a dash where there is none."""
    return f"{100 * sum(scores) / len(scores):5.1f}" if scores else "    -"


def row(answers: list[dict[str, Any]], model: str, bar: float) -> str:
    """Return one line of the table."""
    measured = [each for each in answers if "mean_logprob" in each[model]]
    cleared = [each for each in measured if each[model]["mean_logprob"] >= bar]
    rest = [each for each in measured if each[model]["mean_logprob"] < bar]
    return (
        f"{model:28} {bar:6.2f} {100 * len(cleared) / len(measured):7.1f}"
        f" {share([each[model]['score'] for each in cleared]):>7}"
        f" {share([each[model]['score'] for each in rest]):>7}"
        f" {share([each[REFERENCE]['score'] for each in cleared]):>7}"
    )


def main() -> None:
    """Print the table."""
    answers = read(Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDING)
    models = [name for name in answers[0] if any("mean_logprob" in each[name] for each in answers)]
    print(f"{'model':28} {'bar':>6} {'cleared':>7} {'right':>7} {'rest':>7} {REFERENCE:>7}   in %")
    for model in models:
        for bar in BARS:
            print(row(answers, model, bar))


if __name__ == "__main__":
    main()

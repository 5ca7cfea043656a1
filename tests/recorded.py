"""Where the recorded data lies: beside the project, never in it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def recording(name: str) -> Path:
    """Return the path of a recorded file such as ``traces/qa.jsonl.gz``, or skip the test."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the recording {name} is not beside the project")
    return path

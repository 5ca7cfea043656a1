"""diskcache's maintained fork takes its place without a change: the same tests, the same files."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = "tests/cache"
RUN = """
import sys
import diskcache_community, diskcache_community.core
sys.modules["diskcache"] = diskcache_community
sys.modules["diskcache.core"] = diskcache_community.core
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-m", "not slow", *sys.argv[1:]]))
"""


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("diskcache_community") is None, reason="the fork is not installed"
)
def test_the_disk_tests_hold_on_the_maintained_fork() -> None:
    names = ("closing", "disk", "inspection", "opening", "tampering", "trouble")
    done = subprocess.run(
        [sys.executable, "-c", RUN, *(f"{HERE}/test_{name}.py" for name in names)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]

"""The wheel holds all that an installed cascade needs, and it runs from there."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROBE = """
from pathlib import Path
import cascade
from cascade import tokens
from cascade.emulator.demo import load_demo

assert Path(cascade.__file__).is_relative_to(Path.cwd()), cascade.__file__
demo = load_demo()
assert demo.config.is_relative_to(Path.cwd()), demo.config
print(len(demo.traffic), tokens.count("Which rivers meet in Koblenz?"))
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    [wheel] = directory.glob("cascade_engine-*.whl")
    target = directory / "unpacked"
    zipfile.ZipFile(wheel).extractall(target)
    return target


def test_it_holds_types_licence_vocabulary_and_the_demo(unpacked: Path) -> None:
    names = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert "cascade/py.typed" in names
    assert "cascade/data/o200k_base.xz" in names
    assert "cascade/data/demo/demo.jsonl" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "examples/", "benchmarks/")) for name in names)


def test_the_demo_is_found_in_an_installed_package(unpacked: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=unpacked,
        env={"PYTHONPATH": str(unpacked), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    requests, tokens = done.stdout.split()
    assert int(requests) >= 80
    assert int(tokens) > 0


def test_the_commands_run_as_a_module(unpacked: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cascade", "--version"],
        cwd=unpacked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("0.1.0")

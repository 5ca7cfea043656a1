"""The house keeps its shape: layers, pure rooms, small files, nothing private."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cascade"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PURE = ("policy", "checks", "wire", "cache/rules")
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint"})
PRIVATE = re.compile(r"(/home/|/root/|/work/|BEGIN [A-Z ]*PRIVATE KEY|sk-[A-Za-z0-9]{20,})")


def tracked_files() -> list[Path]:
    """Files that git tracks, or in an unpacked source distribution all of them."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        return [path for path in ROOT.rglob("*") if path.is_file()]
    return [ROOT / line for line in listed.stdout.splitlines()]


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_touch_nothing_outside_themselves(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in IMPURE_CALLS, f"{path.name}:{node.lineno}"
            assert not isinstance(node, ast.Global | ast.AsyncFunctionDef), path.name


def test_files_are_small_and_functions_fit_in_the_head() -> None:
    lengths = {path: path.read_text().count("\n") for path in SOURCES}
    assert statistics.median(lengths.values()) <= 220
    too_long = {path.name: lines for path, lines in lengths.items() if lines > 450}
    assert not too_long
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= 70, f"{path.name}:{node.lineno} {node.name} has {length} lines"


def test_a_broad_except_has_its_reason_beside_it() -> None:
    for path in SOURCES:
        lines = path.read_text().splitlines()
        for node in ast.walk(ast.parse("\n".join(lines))):
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = node.type is None or getattr(node.type, "id", "") in (
                "Exception",
                "BaseException",
            )
            if broad and not any(isinstance(n, ast.Raise) for n in node.body):
                beside = "\n".join(lines[node.lineno - 2 : node.lineno + 1])
                assert re.search(r"# [^n]|# noqa.* - ", beside), f"{path.name}:{node.lineno}"


def test_every_public_function_says_what_it_does() -> None:
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), f"{path} has no docstring"
        if path.name.endswith("_shapes.py"):
            continue  # structs named and laid out as the protocol's own documentation has them
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.name}:{node.lineno} {node.name}"


def test_nothing_private_is_in_the_project() -> None:
    for path in tracked_files():
        if not path.exists() or path == Path(__file__) or path.suffix in (".xz", ".gz"):
            continue
        found = PRIVATE.search(path.read_text(errors="replace"))
        assert found is None, path.relative_to(ROOT)


def test_versions_are_pinned_without_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    for pin in pins:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.+!-]+", pin), pin


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {_canonical(re.split(r"[<>=;\[ ]", need, maxsplit=1)[0]) for need in wanted}
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {_canonical(line.split("==")[0]) for line in pins if "==" in line}
    assert names <= pinned, names - pinned


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

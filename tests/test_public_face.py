"""The package's face: few names, loaded when they are used, and nothing heavy before that."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

import cascade

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"httpx", "aiohttp", "pydantic", "numpy", "structlog", "tiktoken", "genai_prices"}
HEAVY |= {"diskcache", "jsonschema_rs", "typer", "rich", "uvicorn"}


def imported_by(program: str) -> set[str]:
    """The packages that a new process has loaded after this program."""
    code = f"{program}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_there_are_few_names_in_order() -> None:
    assert len(cascade.__all__) == len(set(cascade.__all__)) <= 21
    assert list(cascade.__all__) == sorted(cascade.__all__)
    assert {"Cascade", "AsyncCascade", "Answer", "Attempt", "Message", "Request"} <= set(
        cascade.__all__
    )


@pytest.mark.parametrize("name", cascade.__all__)
def test_every_name_is_there_and_is_a_class_with_words(name: str) -> None:
    value = getattr(cascade, name)
    assert isinstance(value, type)
    assert value.__doc__
    assert value.__module__.startswith("cascade.")


def test_what_can_be_raised_at_a_caller_can_be_imported_by_its_name() -> None:
    raised = {"Broken", "CapTooLow", "Closed", "ConfigError", "DeadlineExceeded", "Failed"}
    raised |= {"MissingKey", "NotCached", "ParseError", "Rejected", "RequestError"}
    assert raised <= set(cascade.__all__)


def test_there_are_no_other_public_names() -> None:
    code = "import cascade, json; print(json.dumps([dir(cascade), sorted(vars(cascade))]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed, present = json.loads(done.stdout)
    assert listed == sorted(cascade.__all__)
    public = {name for name in present if not name.startswith("_")}
    assert public <= {*cascade.__all__, "TYPE_CHECKING", "Any", "annotations"}


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Cascada'"):
        _ = cascade.Cascada
    with pytest.raises(ImportError):
        importlib.import_module("cascade.nothing")


def test_submodules_do_not_hide_behind_names() -> None:
    for name in cascade.__all__:
        assert not isinstance(getattr(cascade, name), types.ModuleType)


def test_importing_it_loads_nothing_heavy() -> None:
    assert not imported_by("import cascade") & (HEAVY | {"asyncio", "msgspec"})


@pytest.mark.parametrize("name", ["Answer", "Request", "Message", "CascadeError"])
def test_the_vocabulary_loads_nothing_heavy(name: str) -> None:
    assert not imported_by(f"from cascade import {name}") & HEAVY


def test_the_errors_all_come_from_one_root() -> None:
    from cascade import errors

    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.CascadeError)


def test_the_version_is_the_distributions() -> None:
    from importlib.metadata import version

    assert version("cascade-engine")

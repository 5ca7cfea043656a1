"""An object that was opened and never closed is told of, and does not keep its thread."""

from __future__ import annotations

import gc
import inspect
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from cascade import AsyncCascade, Cascade, CascadeError
from tests.engine.scripted import provider, provider_in_thread
from tests.engine.setting import STRONG, tables

QUESTION = "Which rivers meet in Koblenz?"
ALONE = (STRONG,)
ROOT = Path(__file__).resolve().parents[2]


def ended(threads: set[threading.Thread]) -> bool:
    until = time.monotonic() + 5
    while any(thread.is_alive() for thread in threads):
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def started_since(before: set[threading.Thread]) -> set[threading.Thread]:
    return {each for each in set(threading.enumerate()) - before if each.name != "provider"}


def test_a_forgotten_one_warns_and_its_threads_end(tmp_path: Path) -> None:
    with provider_in_thread() as one:
        settings = tables(one.url, tmp_path, ALONE, cache={})
        before = set(threading.enumerate())
        ai = Cascade(tables=settings, data_dir=tmp_path)
        ai.complete(QUESTION)
        threads = started_since(before)
        assert {thread.name for thread in threads} >= {"cascade", "cascade-cache"}
        held = [ai]
        del ai
        with pytest.warns(ResourceWarning, match="open Cascade was forgotten: close it with `wi"):
            held.clear()
        assert ended(threads)


def test_one_that_was_never_used_ends_its_thread_without_a_word(tmp_path: Path) -> None:
    settings = tables("http://127.0.0.1:9/v1", tmp_path, ALONE)
    before = set(threading.enumerate())
    ai = Cascade(tables=settings, data_dir=tmp_path)
    threads = started_since(before)
    assert len(threads) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del ai
        gc.collect()
    assert ended(threads)


@pytest.mark.anyio
async def test_a_forgotten_asynchronous_one_warns(tmp_path: Path) -> None:
    async with provider() as one:
        settings = tables(one.url, tmp_path, ALONE)
        ai = AsyncCascade(tables=settings, data_dir=tmp_path)
        await ai.complete(QUESTION)
        engine, close = ai.engine, ai._close
        held = [ai]
        del ai
        with pytest.warns(ResourceWarning, match=r"AsyncCascade was forgotten.*aclose\(\)"):
            held.clear()
        assert engine is not None
        assert close is not None
        await close()


@pytest.mark.parametrize("face", [Cascade, AsyncCascade])
def test_one_that_could_not_be_made_is_no_forgotten_one(face: type[Cascade | AsyncCascade]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CascadeError):
            face("no slash", environ={})
        gc.collect()


_LEFT_OPEN = """
import asyncio, sys
from cascade import AsyncCascade, Cascade
ai = Cascade.from_config(sys.argv[1], data_dir=sys.argv[2], environ={})
print(ai.complete("a"))
left = ai.map(["a", "b", "c"])
print(next(left))
with ai.stream("d") as stream:
    pieces = stream.deltas()
    next(pieces)
"""


def test_a_process_that_ends_with_open_ones_ends_quietly(tmp_path: Path) -> None:
    with provider_in_thread() as one:
        tables(one.url, tmp_path, ALONE, cache={})
        command = [sys.executable, "-W", "always", "-c", _LEFT_OPEN]
        done = subprocess.run(
            [*command, str(tmp_path / "config.toml"), str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["fine", "fine"]


def test_both_faces_are_made_in_the_same_way() -> None:
    one, other = inspect.signature(Cascade), inspect.signature(AsyncCascade)
    assert one == other
    assert set(one.parameters) == {"models", "tables", "rule", "transport", "data_dir", "environ"}
    made = inspect.signature(Cascade.from_config)
    assert set(made.parameters) == {"path", "rule", "transport", "data_dir", "environ"}

"""The emulator as a process: it tells when it is ready, and a signal is a normal end."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cascade.emulator import emulate
from cascade.errors import EmulatorError

SCRIPT = """
import json, sys
from pathlib import Path
from cascade.emulator import emulate

def ready(url, models):
    print(json.dumps({"url": url, "models": models}), flush=True)

emulate(Path(sys.argv[1]), on_ready=ready)
"""


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    path = tmp_path / "slow.jsonl"
    answer = {"text": "done", "input_tokens": 1, "output_tokens": 1, "latency_s": 1}
    path.write_text(json.dumps({"prompt": "wait", "answers": {"slow": answer}}))
    return path


@contextmanager
def process(path: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            yield child, json.loads(child.stdout.readline())
        finally:
            child.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_and_without_a_word(
    slow: Path, number: signal.Signals
) -> None:
    with process(slow) as (child, ready):
        assert ready["models"] == ["slow"]
        with urllib.request.urlopen(f"{ready['url']}/health") as response:
            assert response.status == 200
        child.send_signal(number)
        rest, errors = child.communicate(timeout=30)
        assert (child.returncode, rest, errors) == (0, "", "")


def test_an_answer_under_way_is_finished_before_the_end(slow: Path) -> None:
    with process(slow) as (child, ready):
        parts = urlsplit(ready["url"])
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        body = {"model": "slow", "messages": [{"role": "user", "content": "wait"}]}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        limit = time.monotonic() + 30
        taken = 0
        while not taken and time.monotonic() < limit:
            with urllib.request.urlopen(f"{ready['url']}/emulator/delivered") as response:
                taken = json.load(response)["calls"]
        child.send_signal(signal.SIGTERM)
        answer = json.load(connection.getresponse())
        connection.close()
        assert answer["choices"][0]["message"]["content"] == "done"
        child.communicate(timeout=30)
        assert child.returncode == 0


def test_a_recording_that_is_not_there_is_an_error_before_anything_listens(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="cannot be read"):
        emulate(tmp_path / "none.jsonl", on_ready=lambda url, models: pytest.fail(url))

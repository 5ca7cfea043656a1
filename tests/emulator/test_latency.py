"""Answers take the recorded time, or the chosen share of it, and tokens leave as they are due.

Only lower bounds are asserted, and upper ones that are minutes away.
"""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from cascade.emulator import Emulator
from cascade.emulator.replies import reply_to
from cascade.errors import EmulatorError
from cascade.types import Message, Request
from tests.emulator.recordings import SMALL, taking
from tests.serving import running

# uvloop's timers count whole milliseconds and may fire one early.
TICK = 0.002


def ask(url: str, **options: Any) -> tuple[float, float]:
    """Ask, and return the seconds to the first byte and to the last."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    body = {"model": "slow", "messages": [{"role": "user", "content": "wait"}], **options}
    begin = time.monotonic()
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    response = connection.getresponse()
    assert response.status == 200
    response.read(1)
    first = time.monotonic() - begin
    response.read()
    connection.close()
    return first, time.monotonic() - begin


@pytest.mark.parametrize("stream", [False, True])
def test_speed_1_keeps_the_recorded_latency(stream: bool) -> None:
    with running(Emulator(taking(0.25))) as url:
        _, last = ask(url, stream=stream)
    assert last >= 0.25 - TICK


@pytest.mark.parametrize("stream", [False, True])
def test_speed_100_takes_a_hundredth_of_it(stream: bool) -> None:
    with running(Emulator(taking(20), speed=100)) as url:
        _, last = ask(url, stream=stream)
    assert 0.2 - TICK <= last < 20


@pytest.mark.parametrize("stream", [False, True])
def test_speed_0_takes_no_time(stream: bool) -> None:
    with running(Emulator(taking(600), speed=0)) as url:
        _, last = ask(url, stream=stream)
    assert last < 60


def test_tokens_are_spread_evenly_over_the_latency() -> None:
    with running(Emulator(taking(0.4, tokens=4))) as url:
        first, last = ask(url, stream=True)
    assert first >= 0.1 - TICK
    assert last >= 0.4 - TICK


def test_tokens_leave_when_they_are_due_and_not_before_the_rest() -> None:
    emulator = Emulator(taking(120, tokens=12_000))
    with running(emulator) as url:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        body = {"model": "slow", "messages": [{"role": "user", "content": "wait"}], "stream": True}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        response = connection.getresponse()
        response.read(1)
        assert emulator.delivered.total.output_tokens < 12_000
        connection.close()
        response.close()


def test_an_answer_without_a_recorded_latency_comes_at_once() -> None:
    row = SMALL.rows[0]
    request = Request(messages=(Message("user", row.prompt),))
    assert reply_to(request, row.answers["measured"]).duration == 0


def test_a_cut_answer_takes_its_share_of_the_latency() -> None:
    answer = taking(10, tokens=100).rows[0].answers["slow"]
    request = Request(messages=(Message("user", "wait"),), max_tokens=25)
    assert reply_to(request, answer).duration == 2.5


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_a_speed_that_makes_no_sense_is_refused(speed: float) -> None:
    with pytest.raises(EmulatorError, match="Give 1 for the recorded latencies"):
        Emulator(SMALL, speed=speed)

"""``Cache-Control`` of a request restricts what the cache may do for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cascade.server.tightening import tightened
from cascade.types import Message, Request
from tests.server.kit import ASKED, PATH

ASK = Request(messages=(Message("user", "?"),))


def ask(http: httpx.Client, control: str | None = None, **body: Any) -> httpx.Response:
    headers = {} if control is None else {"cache-control": control}
    return http.post(PATH, json={"model": "auto", "messages": ASKED} | body, headers=headers)


def test_no_cache_asks_again_and_keeps_the_answer(
    http: httpx.Client, calls: Callable[[], int]
) -> None:
    ask(http)
    fresh = ask(http, "no-cache")
    assert fresh.headers["cache-status"] == "cascade; fwd=request"
    assert fresh.headers["x-cascade-cache"] == "miss"
    assert calls() == 2
    assert ask(http).headers["x-cascade-cache"] == "exact"
    assert calls() == 2


def test_no_store_neither_reads_nor_keeps(http: httpx.Client, calls: Callable[[], int]) -> None:
    for _ in range(2):
        assert ask(http, "no-store").headers["x-cascade-cache"] == "off"
    assert ask(http).headers["x-cascade-cache"] == "miss"
    assert calls() == 3


def test_only_if_cached_calls_nobody_and_says_so_in_words_of_http(
    http: httpx.Client, calls: Callable[[], int]
) -> None:
    missing = ask(http, "only-if-cached")
    assert missing.status_code == 504
    assert missing.json()["error"]["code"] == "not_cached"
    message = missing.json()["error"]["message"]
    assert "Leave out Cache-Control: only-if-cached" in message
    assert "cache=" not in message
    assert missing.headers["x-should-retry"] == "false"
    assert calls() == 0
    ask(http)
    assert ask(http, "only-if-cached").headers["x-cascade-cache"] == "exact"
    assert ask(http, "only-if-cached", stream=True).headers["x-cascade-cache"] == "exact"
    assert ask(http, "only-if-cached, no-cache").status_code == 504
    assert ask(http, "only-if-cached, no-store").status_code == 504
    assert calls() == 1


def test_max_age_refuses_what_is_older(http: httpx.Client, calls: Callable[[], int]) -> None:
    ask(http)
    assert ask(http, "max-age=3600").headers["x-cascade-cache"] == "exact"
    assert ask(http, "max-age=0").headers["x-cascade-cache"] == "miss"
    assert calls() == 2


def test_a_header_cannot_loosen_what_the_body_asks(
    http: httpx.Client, calls: Callable[[], int]
) -> None:
    ask(http)
    for control in ("no-cache", "max-age=3600", "max-stale=99"):
        ask(http, control, cascade={"cache": "off"})
    assert calls() == 4


@pytest.mark.parametrize(
    ("cache", "control", "result"),
    [
        ("use", "", ("use", None)),
        ("use", "no-cache", ("refresh", None)),
        ("use", "No-Store", ("off", None)),
        ("use", "no-store, no-cache", ("off", None)),
        ("off", "no-cache", ("off", None)),
        ("refresh", "no-store", ("off", None)),
        ("use", "max-age=60", ("use", 60.0)),
        ("use", 'max-age="60" , max-age=30', ("use", 30.0)),
        ("use", "max-age=soon", ("use", 0.0)),
        ("use", "max-age=-1", ("use", 0.0)),
        ("use", "max-age", ("use", 0.0)),
        ("use", "only-if-cached, max-age=60", ("only", 60.0)),
        ("use", "only-if-cached, no-cache", ("only", 0.0)),
        ("only", "no-store", ("only", 0.0)),
        ("only", "max-age=60", ("only", 60.0)),
        ("use", "no-transform, min-fresh=5, x=y, ,=", ("use", None)),
    ],
)
def test_the_most_restrictive_wins(cache: Any, control: str, result: tuple[str, float]) -> None:
    headers = [(b"cache-control", control.encode())]
    asked = tightened(Request(ASK.messages, cache=cache), headers, 120.0)
    assert (asked.cache, asked.max_age) == result


def test_several_headers_count_as_one() -> None:
    headers = [(b"cache-control", b"no-cache"), (b"cache-control", b"max-age=5")]
    asked = tightened(ASK, headers, 120.0)
    assert (asked.cache, asked.max_age) == ("refresh", 5.0)


@pytest.mark.parametrize(
    ("own", "patience", "result"),
    [
        (None, b"600", None),
        (None, b"10", 9.5),
        (None, b"2.0", 1.9),
        (5.0, b"10", 5.0),
        (50.0, b"10", 9.5),
        (None, b"None", None),
        (None, b"nan", None),
        (None, b"0", None),
        (None, b"-3", None),
    ],
)
def test_the_clients_patience_is_a_deadline_if_it_is_shorter(
    own: float | None, patience: bytes, result: float | None
) -> None:
    request = Request(ASK.messages, deadline=own)
    asked = tightened(request, [(b"x-stainless-read-timeout", patience)], 120.0)
    assert asked.deadline == result

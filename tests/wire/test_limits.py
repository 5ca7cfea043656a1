"""Rate limits, as providers tell them in headers."""

from __future__ import annotations

import math

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.types import Bucket, RateLimits
from cascade.wire.limits import rate_limits, reset_wait

NOW = 1_790_000_000.0  # 2026-09-21T14:13:20Z

OPENAI = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-remaining-tokens": "29000",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-reset-tokens": "6m0s",
}
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2026-09-21T14:13:21Z",
    "anthropic-ratelimit-tokens-limit": "38000",
    "anthropic-ratelimit-tokens-remaining": "12000",
    "anthropic-ratelimit-tokens-reset": "2026-09-21T14:13:25Z",
    "anthropic-ratelimit-input-tokens-limit": "30000",
    "anthropic-ratelimit-input-tokens-remaining": "3000",
    "anthropic-ratelimit-input-tokens-reset": "2026-09-21T14:13:50Z",
    "anthropic-ratelimit-output-tokens-limit": "8000",
    "anthropic-ratelimit-output-tokens-remaining": "8000",
    "anthropic-ratelimit-output-tokens-reset": "2026-09-21T14:13:20Z",
    "anthropic-ratelimit-unified-status": "allowed",
    "anthropic-ratelimit-unified-5h-reset": "1790003600",
}


def test_openais_headers_are_read() -> None:
    assert rate_limits(OPENAI, NOW) == RateLimits(
        Bucket(499, NOW + 0.12, 500), Bucket(29_000, NOW + 360, 30_000)
    )


def test_anthropics_allowances_of_input_and_of_output_are_kept_apart() -> None:
    assert rate_limits(ANTHROPIC, NOW) == RateLimits(
        Bucket(49, NOW + 1, 50),
        Bucket(12_000, NOW + 5, 38_000),
        Bucket(3000, NOW + 30, 30_000),
        Bucket(8000, NOW, 8000),
    )


def test_httpx_headers_and_a_plain_mapping_say_the_same() -> None:
    for headers in (OPENAI, ANTHROPIC):
        shouted = {name.title(): value for name, value in headers.items()}
        expected = rate_limits(headers, NOW)
        assert rate_limits(httpx.Headers(headers), NOW) == expected
        assert rate_limits(httpx.Headers(shouted), NOW) == expected
        assert rate_limits(shouted, NOW) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "application/json", "retry-after": "3"},
        {"x-ratelimit-limit-requests": "500"},
        {"x-ratelimit-remaining-requests": "-1", "x-ratelimit-remaining-tokens": "-1"},
        {"x-ratelimit-remaining-requests": "many"},
        {"x-ratelimit-remaining-images": "5"},
        {"x-ratelimit-tokens-query-cost": "5"},
        {"x-ratelimit": "5"},
    ],
)
def test_nothing_is_known_where_nothing_is_told(headers: dict[str, str]) -> None:
    assert rate_limits(headers, NOW) is None
    assert rate_limits(httpx.Headers(headers), NOW) is None


@pytest.mark.parametrize(
    ("reset", "at"),
    [
        ("12ms", NOW + 0.012),
        ("1h2m3.5s", NOW + 3723.5),
        ("59.9s", NOW + 59.9),
        ("0s", NOW),
        ("30", NOW + 30),
        ("1790000060", NOW + 60),
        ("1790000060000", NOW + 60),
        ("2026-09-21T14:14:20Z", NOW + 60),
        ("Mon, 21 Sep 2026 14:14:20 GMT", NOW + 60),
        ("soon", None),
        ("", None),
    ],
)
def test_a_reset_is_a_wait_a_stamp_or_a_date(reset: str, at: float | None) -> None:
    told = {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": reset}
    assert rate_limits(told, NOW) == RateLimits(Bucket(1, at))


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        (  # Azure does not always know its limits
            {"x-ratelimit-remaining-requests": "7", "x-ratelimit-limit-requests": "-1"},
            RateLimits(Bucket(7)),
        ),
        (  # OpenRouter and Together name no kind
            {
                "X-RateLimit-Limit": "50",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "1790035200000",
            },
            RateLimits(Bucket(0, NOW + 35_200, 50)),
        ),
        (  # Mistral
            {
                "x-ratelimit-limit-req-minute": "6",
                "x-ratelimit-remaining-req-minute": "5",
                "ratelimitbysize-limit": "50000",
                "ratelimitbysize-remaining": "40000",
                "ratelimitbysize-reset": "24",
            },
            RateLimits(Bucket(5, None, 6), Bucket(40_000, NOW + 24, 50_000)),
        ),
        (  # Cerebras: a day's and a minute's
            {
                "x-ratelimit-limit-requests-day": "14400",
                "x-ratelimit-remaining-requests-day": "1440",
                "x-ratelimit-reset-requests-day": "33011.38",
                "x-ratelimit-limit-requests-minute": "30",
                "x-ratelimit-remaining-requests-minute": "29",
            },
            RateLimits(Bucket(1440, NOW + 33_011.38, 14_400)),
        ),
        (  # Fireworks
            {
                "x-ratelimit-remaining-tokens-prompt": "5000",
                "x-ratelimit-remaining-tokens-generated": "300",
            },
            RateLimits(None, None, Bucket(5000), Bucket(300)),
        ),
        (  # the IETF's forms, old, older and new
            {"RateLimit-Limit": "100", "RateLimit-Remaining": "50", "RateLimit-Reset": "30"},
            RateLimits(Bucket(50, NOW + 30, 100)),
        ),
        (
            {"RateLimit": "limit=100, remaining=50, reset=30"},
            RateLimits(Bucket(50, NOW + 30, 100)),
        ),
        (
            {"RateLimit": '"burst";r=50;t=30', "RateLimit-Policy": '"burst";q=100;w=60'},
            RateLimits(Bucket(50, NOW + 30, 100)),
        ),
    ],
)
def test_each_vendors_dialect_is_read(headers: dict[str, str], limits: RateLimits) -> None:
    assert rate_limits(headers, NOW) == limits


def test_without_limits_the_least_left_is_the_tightest() -> None:
    told = {
        "x-ratelimit-remaining-tokens-minute": "900",
        "x-ratelimit-limit-tokens-minute": "1000",
        "x-ratelimit-remaining-tokens-day": "800",
    }
    assert rate_limits(told, NOW) == RateLimits(tokens=Bucket(800))


def test_of_two_that_are_used_up_the_later_counts() -> None:
    told = {
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-reset": "2026-09-21T14:13:25Z",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-09-21T14:13:50Z",
    }
    assert reset_wait(rate_limits(told, NOW), NOW) == 30


@pytest.mark.parametrize(
    ("limits", "wait"),
    [
        (None, None),
        (RateLimits(), None),
        (RateLimits(Bucket(1, NOW + 5)), None),
        (RateLimits(Bucket(0)), None),
        (RateLimits(Bucket(0, NOW + 5)), 5.0),
        (RateLimits(Bucket(0, NOW - 5)), 0.0),
        (RateLimits(Bucket(0, NOW + 5), Bucket(0, NOW + 7)), 7.0),
        (RateLimits(Bucket(0, NOW + 5), Bucket(3, NOW + 7)), 5.0),
        (RateLimits(input_tokens=Bucket(0, NOW + 5), output_tokens=Bucket(0, NOW + 9)), 9.0),
    ],
)
def test_one_waits_for_what_is_used_up(limits: RateLimits | None, wait: float | None) -> None:
    assert reset_wait(limits, NOW) == wait


NAMES = st.one_of(
    st.sampled_from([*OPENAI, *ANTHROPIC, "ratelimit", "RateLimit-Policy", "x-ratelimit-reset"]),
    st.builds("x-ratelimit-{}".format, st.text()),
    st.text(),
)
VALUES = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["-1", "9" * 5000, "1m", "r=9;t=1e9", "0001-01-01T00:00:00+23:00", "1e308"]),
    st.datetimes().map(str),
    st.text(),
)


@given(st.dictionaries(NAMES, VALUES))
def test_no_header_is_too_strange(headers: dict[str, str]) -> None:
    limits = rate_limits(headers, NOW)
    for bucket in msgspec.structs.astuple(limits) if limits is not None else ():
        if bucket is not None:
            assert bucket.remaining >= 0
            assert bucket.limit is None or bucket.limit >= 0
            assert bucket.resets_at is None or math.isfinite(bucket.resets_at)

"""What a warm prefix is worth when a conversation might go back down the ladder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cascade.policy.switching import Warmth, kept_tokens, stays
from cascade.types import Endpoint, Price, ProtocolName, Usage

CHEAP_PRICE = Price(input=100_000, cached=10_000, cache_write=100_000, output=400_000)
DEAR_PRICE = Price(input=1_000_000, cached=100_000, cache_write=1_000_000, output=4_000_000)


def endpoint(name: str, price: Price | None, protocol: ProtocolName = "openai") -> Endpoint:
    """An endpoint of this price."""
    return Endpoint(name, "p", name, "http://p", protocol, price=price)


CHEAP, DEAR = endpoint("cheap", CHEAP_PRICE), endpoint("dear", DEAR_PRICE)
WARM = Warmth("strong", "dear", tokens=20_000, until=100.0)


def test_a_conversation_that_keeps_climbing_stays_where_it_is_warm() -> None:
    climbing = replace(WARM, turns=10, climbs=10)
    assert stays(CHEAP, DEAR, climbing, tokens=20_100, answer=50)


def test_one_that_seldom_climbs_goes_back_down() -> None:
    easy = replace(WARM, turns=10, climbs=0)
    assert not stays(CHEAP, DEAR, easy, tokens=20_100, answer=50)


def test_where_nothing_is_warm_the_cheaper_rung_is_cheaper() -> None:
    assert not stays(CHEAP, DEAR, replace(WARM, tokens=0), tokens=20_100, answer=50)


def test_an_unknown_price_decides_nothing() -> None:
    assert not stays(endpoint("x", None), DEAR, WARM, tokens=20_100, answer=50)
    assert not stays(CHEAP, endpoint("x", None), WARM, tokens=20_100, answer=50)


amounts = st.integers(0, 200_000)


@given(amounts, amounts, amounts, st.integers(0, 50), st.integers(0, 50))
def test_more_that_is_warm_never_speaks_for_leaving(
    warm: int, more: int, tokens: int, turns: int, climbs: int
) -> None:
    less = replace(WARM, tokens=warm, turns=turns + climbs, climbs=climbs)
    rather = replace(less, tokens=warm + more)
    if stays(CHEAP, DEAR, less, tokens, 100):
        assert stays(CHEAP, DEAR, rather, tokens, 100)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_the_chance_of_a_climb_is_never_taken_for_certain(turns: int, climbs: int) -> None:
    share = replace(WARM, turns=turns + climbs, climbs=climbs).climb_share
    assert 0 < share < 1


@pytest.mark.parametrize(
    ("protocol", "usage", "kept"),
    [
        ("openai", Usage(2_000, 100), 2_100),
        ("openai", Usage(1_000, 100), 0),
        ("gemini", Usage(5_000, 1), 5_001),
        ("anthropic", Usage(5_000, 1), 0),
        ("anthropic", Usage(5_000, 1, cached_tokens=3_000, cache_write_tokens=1_000), 4_000),
    ],
)
def test_what_is_kept_follows_the_rules_of_the_provider(
    protocol: ProtocolName, usage: Usage, kept: int
) -> None:
    assert kept_tokens(endpoint("e", CHEAP_PRICE, protocol), usage) == kept

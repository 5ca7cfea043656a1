"""Prices: the configuration's, else the price list's, else unknown; right or too high, never
too low."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as ListedUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from cascade.config.prices import UNKNOWN, look_up
from cascade.config.read import Found, check
from cascade.money import UNITS_PER_USD, bill
from cascade.types import Endpoint, Price, Usage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def endpoint(name: str, **model: object) -> Endpoint:
    data = {"ladders": {"default": [name]}, "models": {name: model} if model else {}}
    tables, found = check(Found(data, "test"), {})
    assert tables is not None, found
    return tables.ladders["default"].rungs[0].endpoints[0]


def test_the_configuration_goes_before_the_price_list() -> None:
    made = endpoint("openai/gpt-4o", price={"input": 1, "output": 2.5})
    assert made.price == Price(1_000_000, 1_000_000, 1_000_000, 2_500_000)
    assert made.price_source == "configuration"


def test_free_is_said_not_assumed() -> None:
    assert endpoint("ollama/x").price is None
    assert endpoint("ollama/x").price_source == UNKNOWN
    assert endpoint("ollama/x", price="free").price == Price(0, 0, 0, 0)


def test_a_model_that_no_price_list_knows_has_an_unknown_price() -> None:
    assert look_up("openai", "gpt-nobody-made", None, NOW).price is None
    assert look_up("nobody", "gpt-4o", None, NOW).price is None


def test_the_source_names_the_entry_that_matched() -> None:
    assert look_up("openai", "gpt-4o-mini", None, NOW).source == "genai-prices: openai/gpt-4o-mini"
    assert look_up("openai", "gpt-5.6", None, NOW).source.startswith(
        "genai-prices: openai/gpt-5.6-sol"
    )


def test_a_model_without_a_cache_price_pays_the_input_price_for_cached_tokens() -> None:
    price = look_up("groq", "llama-3.3-70b-versatile", None, NOW).price
    assert price is not None
    assert price.cached == price.cache_write == price.input


def test_a_dearer_rate_for_long_prompts_ends_the_context_window() -> None:
    listed = look_up("openai", "gpt-5.6-luna", None, NOW)
    assert listed.context == 272_000
    assert listed.price == Price(200_000, 20_000, 250_000, 1_200_000)
    assert "up to 272,000 input tokens" in listed.source


def test_a_longer_context_asked_for_is_paid_at_the_dearest_rate() -> None:
    listed = look_up("openai", "gpt-5.6-luna", 1_000_000, NOW)
    assert listed.context == 1_000_000
    assert listed.price == Price(400_000, 40_000, 500_000, 1_800_000)
    assert "above 272,000" in listed.source


def test_a_shorter_context_asked_for_is_paid_at_the_base_rate() -> None:
    listed = look_up("openai", "gpt-5.6-luna", 100_000, NOW)
    assert (listed.context, listed.price) == (
        100_000,
        look_up("openai", "gpt-5.6-luna", None, NOW).price,
    )


def test_the_dearest_hour_is_taken() -> None:
    price = look_up("deepseek", "deepseek-chat", None, NOW.replace(hour=20)).price
    assert price == Price(270_000, 70_000, 270_000, 1_100_000)


def test_a_price_that_has_started_replaces_the_one_before() -> None:
    before = look_up("openai", "gpt-5.6-luna", None, datetime(2026, 7, 1, tzinfo=UTC)).price
    assert before is not None
    assert before.input == 1_000_000


def test_a_price_per_request_is_unknown() -> None:
    listed = look_up("perplexity", "sonar", None, NOW)
    assert listed.price is None
    assert "not per token" in listed.source


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-5.6-luna"), ("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5")],
)
@given(data=st.data())
def test_a_bill_is_what_the_price_list_itself_calculates(
    provider: str, model: str, data: st.DataObject
) -> None:
    listed = look_up(provider, model, None, NOW)
    assert listed.price is not None
    assert listed.context is not None
    total = data.draw(st.integers(0, listed.context))
    cached = data.draw(st.integers(0, total))
    output = data.draw(st.integers(0, 100_000))
    usage = Usage(input_tokens=total, output_tokens=output, cached_tokens=cached)
    theirs = calc_price(
        ListedUsage(input_tokens=total, cache_read_tokens=cached, output_tokens=output),
        model,
        provider_id=provider,
        genai_request_timestamp=NOW,
    )
    assert Decimal(bill(listed.price, usage)) == theirs.total_price * UNITS_PER_USD

"""Money is exact: bills, caps, and every recorded cost."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.money import FREE, UNITS_PER_USD, bill, from_usd, show, to_usd, units_per_token
from cascade.types import Price, Usage
from tests.recorded import recording

# US dollars per million tokens, input and output: traces/README.md.
LIST_PRICES = {
    "llama3.2-1b": ("0.1", "0.1"),
    "llama3.2-3b": ("0.1", "0.1"),
    "llama3.1-8b": ("0.2", "0.2"),
    "llama3.1-70b": ("0.9", "0.9"),
    "llama3.1-405b": ("3", "3"),
    "qwen2.5-32b-coder-instruct": ("0.9", "0.9"),
    "qwen2.5-72b-instruct": ("0.9", "0.9"),
    "gpt-4o-mini": ("0.15", "0.6"),
    "gpt-4o": ("2.5", "10"),
}

list_price = st.decimals(min_value=0, max_value=1_000, places=6)
counts = st.integers(0, 2_000_000)


def price(input_: Decimal | str, output: Decimal | str) -> Price:
    units = units_per_token(input_)
    return Price(input=units, cached=units, cache_write=units, output=units_per_token(output))


@given(list_price)
def test_a_list_price_of_six_decimals_is_exact(usd: Decimal) -> None:
    assert units_per_token(usd) == Fraction(usd) * 1_000_000


@given(st.decimals(min_value=0, max_value=1_000, places=9))
def test_a_finer_price_is_rounded_up(usd: Decimal) -> None:
    exact = Fraction(usd) * 1_000_000
    assert exact <= units_per_token(usd) < exact + 1


@pytest.mark.parametrize("wrong", [-1, "x", "", float("nan"), float("inf"), "1,5"])
def test_what_is_no_price_is_refused(wrong: float | str) -> None:
    with pytest.raises(ValueError, match="price"):
        units_per_token(wrong)


@given(list_price, list_price, list_price, list_price, counts, counts, counts, counts)
def test_a_bill_is_exact_to_the_last_unit(
    input_: Decimal,
    cached: Decimal,
    write: Decimal,
    output: Decimal,
    plain: int,
    read: int,
    written: int,
    out: int,
) -> None:
    rates = Price(*map(units_per_token, (input_, cached, write, output)))
    usage = Usage(
        input_tokens=plain + read + written,
        output_tokens=out,
        cached_tokens=read,
        cache_write_tokens=written,
    )
    per_million = (
        Fraction(input_) * plain
        + Fraction(cached) * read
        + Fraction(write) * written
        + Fraction(output) * out
    )
    assert Fraction(bill(rates, usage), UNITS_PER_USD) == per_million / 1_000_000
    assert bill(rates, usage) <= rates.dearest_input * usage.input_tokens + rates.output * out


@given(counts, counts)
def test_own_machines_cost_nothing(tokens_in: int, tokens_out: int) -> None:
    assert bill(FREE, Usage(input_tokens=tokens_in, output_tokens=tokens_out)) == 0


@given(st.decimals(min_value=0, max_value=10_000, places=15))
def test_a_cap_is_never_more_than_was_written(usd: Decimal) -> None:
    assert Fraction(from_usd(usd), UNITS_PER_USD) <= Fraction(usd)
    assert Fraction(usd) - Fraction(from_usd(usd), UNITS_PER_USD) < Fraction(1, UNITS_PER_USD)


@given(st.integers(0, 10**14))
def test_what_is_shown_as_dollars_reads_back_as_the_same_amount(units: int) -> None:
    assert from_usd(repr(to_usd(units))) == pytest.approx(units, abs=1)


@pytest.mark.parametrize("name", ["qa", "gsm8k-short"])
def test_every_recorded_cost_is_reproduced_exactly(name: str) -> None:
    prices = {model: price(*listed) for model, listed in LIST_PRICES.items()}
    checked = 0
    with gzip.open(recording(f"traces/{name}.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            for model, answer in json.loads(line)["answers"].items():
                usage = Usage(answer["input_tokens"], answer["output_tokens"])
                assert bill(prices[model], usage) == from_usd(answer["cost_usd"]), (
                    model,
                    line[:60],
                )
                checked += 1
    assert checked == 9 * {"qa": 1_185, "gsm8k-short": 300}[name]


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (None, "an unknown price"),
        (0, "$0"),
        (21_600_000, "$0.0000216"),
        (123_000_000_000, "$0.1230"),
        (1_234_000_000, "$0.00123"),
    ],
)
def test_an_amount_is_shown_for_people(units: int | None, text: str) -> None:
    assert show(units) == text

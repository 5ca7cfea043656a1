"""The long form of a rung: endpoints with weights, their order, hedges and clocks."""

from __future__ import annotations

import tomllib

import pytest

from cascade.config.read import Found, check
from cascade.errors import ConfigError
from cascade.types import Rung, Tables

TWO = '["openai/gpt-4o", "openrouter/openai/gpt-4o"]'
WEIGHED = '["openai/gpt-4o", { model = "openrouter/openai/gpt-4o", weight = 3 }]'


def read(text: str) -> tuple[Tables | None, list[ConfigError]]:
    """Read what stands below a ladder of the rung m, and of n if there is one."""
    data = tomllib.loads(text)
    data["ladders"] = {"default": [name for name in ("m", "n") if name in data["rungs"]]}
    return check(Found(data, "test"), {})


def rung(text: str) -> Rung:
    tables, wrong = read(f"[rungs.m]\n{text}\n")
    assert tables is not None, wrong
    return tables.rungs["m"]


def mistake(text: str) -> ConfigError:
    _, (error,) = read(f"[rungs.m]\n{text}\n")
    return error


def test_endpoints_are_called_in_their_order_unless_the_file_says_otherwise() -> None:
    made = rung(f"endpoints = {TWO}")
    assert made.balance == "in_order"
    assert [endpoint.weight for endpoint in made.endpoints] == [1.0, 1.0]
    assert rung(f'endpoints = {TWO}\nbalance = "in_order"').balance == "in_order"
    assert rung(f'endpoints = {TWO}\nbalance = "weight"').balance == "weight"
    assert rung(f'endpoints = {TWO}\nbalance = "least_pending"').balance == "least_pending"


def test_an_endpoint_may_have_a_weight() -> None:
    made = rung(f'endpoints = {WEIGHED}\nbalance = "weight"')
    assert [(each.name, each.weight) for each in made.endpoints] == [
        ("openai/gpt-4o", 1.0),
        ("openrouter/openai/gpt-4o", 3.0),
    ]


def test_an_endpoint_in_the_long_form_needs_no_weight() -> None:
    assert rung('endpoints = [{ model = "openai/gpt-4o" }]').endpoints[0].weight == 1.0


def test_a_weight_belongs_to_its_rung_alone() -> None:
    tables, wrong = read(
        f'[rungs.m]\nendpoints = {WEIGHED}\nbalance = "weight"\n'
        '[rungs.n]\nendpoints = ["openrouter/openai/gpt-4o"]\n'
    )
    assert tables is not None, wrong
    assert tables.rungs["m"].endpoints[1].weight == 3.0
    assert tables.rungs["n"].endpoints[0].weight == 1.0


@pytest.mark.parametrize("balance", ["in_order", "least_pending"])
def test_a_weight_that_nothing_reads_is_a_mistake(balance: str) -> None:
    error = mistake(f'endpoints = {WEIGHED}\nbalance = "{balance}"')
    assert (error.place, error.value) == ("rungs.m.endpoints[1].weight", 3.0)
    assert balance in error.problem
    assert 'Write balance = "weight"' in error.mend


@pytest.mark.parametrize(
    ("text", "place", "mend"),
    [
        ('endpoints = ["openai/x"]\nbalance = "wait"', "rungs.m.balance", '"weight"'),
        ('endpoints = ["openai/x"]\nbalance = 3', "rungs.m.balance", "in_order or weight"),
        ('endpoints = [{ model = "openai/x", weight = 0 }]', "[0].weight", "greater than 0"),
        ('endpoints = [{ model = "openai/x", weight = -1 }]', "[0].weight", "greater than 0"),
        ('endpoints = [{ model = "openai/x", weight = inf }]', "[0].weight", "number such as"),
        ('endpoints = [{ model = "openai/x", weight = "3" }]', "[0].weight", "without quotes"),
        ('endpoints = [{ model = "openai/x", wieght = 3 }]', "[0].wieght", '"weight"'),
        ("endpoints = [{ weight = 3 }]", "[0].model", 'Add model = "PROVIDER/MODEL"'),
        ('endpoints = [{ model = "gpt" }]', "[0].model", '"PROVIDER/MODEL"'),
        ('endpoints = [{ model = "opnai/x" }]', "[0].model", '"openai"'),
        ("endpoints = [3]", "rungs.m.endpoints[0]", 'or { model = "PROVIDER/MODEL", weight = 3 }'),
        (
            'endpoints = ["openai/x", { model = "openai/x" }]',
            "rungs.m.endpoints[1].model",
            "Take one of them out",
        ),
        ('endpoints = ["openai/x"]\nhedge = "learnt"', "rungs.m.hedge", '"learned"'),
        ('endpoints = ["openai/x"]\nhedge = "learned"\ncalls = 1', "rungs.m.hedge", "calls = 2"),
    ],
)
def test_a_wrong_endpoint_has_place_and_mend(text: str, place: str, mend: str) -> None:
    error = mistake(text)
    assert error.place.endswith(place)
    assert mend in error.mend


def test_a_hedge_is_in_seconds_or_learned() -> None:
    fixed = rung(f"endpoints = {TWO}\nhedge = 4")
    assert (fixed.hedge, fixed.hedge_learned, fixed.watched) == (4.0, False, True)
    assert rung(f'endpoints = {TWO}\nhedge = "2 s"').hedge == 2.0
    learned = rung(f'endpoints = {TWO}\nhedge = "learned"\ntimeout = {{ first_token = 8 }}')
    assert (learned.hedge, learned.hedge_learned, learned.watched) == (None, True, True)
    none = rung(f"endpoints = {TWO}")
    assert (none.hedge, none.hedge_learned, none.watched) == (None, False, False)


def test_a_first_token_clock_in_the_file_is_known_for_the_operators_own() -> None:
    assert rung(f"endpoints = {TWO}\ntimeout = {{ first_token = 30 }}").first_token_set
    assert not rung(f"endpoints = {TWO}\ntimeout = {{ idle = 30 }}").first_token_set
    assert not rung(f"endpoints = {TWO}").first_token_set


def test_tools_that_only_the_strongest_rung_may_call() -> None:
    tables, _ = read('[rungs]\nm = "openai/x"\n[decide]\nstrong_for_tools = ["refund", "pay"]')
    assert tables is not None
    assert tables.decide.strong_for_tools == {"refund", "pay"}


@pytest.mark.parametrize(
    ("value", "place", "mend"),
    [
        ('"refund"', "decide.strong_for_tools", "Write a list"),
        ('[""]', "decide.strong_for_tools[0]", "Write a name"),
        ("[3]", "decide.strong_for_tools[0]", "in quotes"),
    ],
)
def test_tools_that_are_no_names_are_a_mistake(value: str, place: str, mend: str) -> None:
    _, (error,) = read(f'[rungs]\nm = "openai/x"\n[decide]\nstrong_for_tools = {value}')
    assert error.place == place
    assert mend in error.mend

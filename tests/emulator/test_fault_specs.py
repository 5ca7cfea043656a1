"""The text that says what goes wrong is read exactly, or refused with what would mend it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.cli import serving
from cascade.emulator import KINDS, Emulator, parse_faults
from cascade.errors import EmulatorError
from tests.emulator.asking import rivers

MODELS = ("small", "meta/large")


def test_parts_are_faults_with_their_shares_and_a_seed() -> None:
    faults = parse_faults("429=0.3, hang=10%; seed=7", MODELS)
    assert faults.names == ("429", "hang")
    assert [chance.share for chance in faults.chances] == [0.3, 0.1]
    assert faults.seed == 7
    assert parse_faults("", MODELS).chances == ()


def test_parameters_reach_the_fault() -> None:
    faults = parse_faults("429(retry-after=Wed, 21 Oct 2026 07:28:00 GMT)=1", MODELS)
    drawn = faults.draw("small", 1)
    assert drawn is not None
    assert drawn.retry_after == "Wed, 21 Oct 2026 07:28:00 GMT"
    cut = parse_faults("cut(at=0.25)=1", MODELS).draw("small", 1)
    assert cut is not None
    assert cut.at == 0.25


def test_a_model_may_have_faults_of_its_own_even_with_slashes_in_its_name() -> None:
    faults = parse_faults("meta/large/reset=1", MODELS)
    assert faults.draw("small", 1) is None
    drawn = faults.draw("meta/large", 1)
    assert drawn is not None
    assert drawn.name == "reset"


def test_all_spreads_its_share_evenly_over_every_fault_and_takes_any_parameter() -> None:
    faults = parse_faults("all(every=0.5)=0.3", MODELS)
    assert faults.names == tuple(KINDS)
    assert {chance.share for chance in faults.chances} == {0.3 / len(KINDS)}
    drawn = {fault.name: fault for n in range(3000) if (fault := faults.draw("small", n))}
    assert set(drawn) == set(KINDS)
    assert drawn["trickle"].every == drawn["slow-headers"].every == 0.5


@given(st.integers(0, 2**40), st.integers(1, 10_000))
def test_a_call_s_fault_is_a_matter_of_seed_model_and_number_alone(seed: int, number: int) -> None:
    spec = f"all=0.5;seed={seed}"
    first = parse_faults(spec, MODELS).draw("small", number)
    assert parse_faults(spec, MODELS).draw("small", number) == first


def test_shares_are_met() -> None:
    faults = parse_faults("500=0.2,small/reset=0.3", MODELS)
    drawn = [fault.name for n in range(5000) if (fault := faults.draw("small", n))]
    assert drawn.count("500") == pytest.approx(1000, abs=150)
    assert drawn.count("reset") == pytest.approx(1500, abs=150)
    assert len([n for n in range(5000) if faults.draw("meta/large", n)]) == pytest.approx(
        1000, abs=150
    )


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("418=0.1", "there is no fault '418'. There are reset, 429, "),
        ("429", "the fault '429' cannot be read. Write FAULT=SHARE"),
        ("429=often", "the share in '429=often' is no number from 0 to 1"),
        ("429=1.5", "is no number from 0 to 1"),
        ("429=0.6,hang=0.6", "the shares add up to 1.2. Leave at most 1"),
        ("429=0.6,small/hang=0.6", "the shares of small add up to 1.2"),
        ("tiny/429=0.1", "names a model that the recording lacks. It has small, meta/large"),
        ("hang(every=1)=0.1", "the fault hang has no parameter 'every'; it takes none"),
        ("429(at=1)=0.1", "has no parameter 'at'; it takes retry-after"),
        ("trickle(every=soon)=0.1", "parameter every of the fault trickle is 'soon'"),
        ("trickle(every)=0.1", "the parameter 'every' of the fault trickle has no value"),
        ("cut(at=1)=0.1", "which is no share of an answer"),
        ("seed=x", "the seed 'x' is no whole number"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_would_mend_it(spec: str, says: str) -> None:
    with pytest.raises(EmulatorError) as caught:
        parse_faults(spec, MODELS)
    assert says in str(caught.value)


def test_an_emulator_refuses_faults_that_cannot_be_read() -> None:
    with pytest.raises(EmulatorError, match="there is no fault 'oops'"):
        Emulator(rivers("small"), faults="oops=1")


def test_the_command_s_help_names_every_fault_and_its_parameters() -> None:
    named = [
        f"{name} ({', '.join(kind.parameters)})" if kind.parameters else name
        for name, kind in KINDS.items()
    ]
    listed = serving.FAULTS.replace("429, 429-retry-after, 500, 503, 529 (retry-after)", "§")
    assert listed.replace("§", ", ".join(named[1:6])) == ", ".join(named)

"""Every mistake is told with its place, its value and its mend; no key is ever told."""

from __future__ import annotations

import string
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.config.read import Found, check, load, mistakes
from cascade.config.schema import TABLES, keys_at
from cascade.errors import ConfigError

LADDER = '[ladders]\ndefault = ["openai/gpt-4o-mini", "openai/gpt-4o"]\n'


def wrong(text: str, env: dict[str, str] | None = None) -> list[ConfigError]:
    return check(Found(tomllib.loads(text), "test"), env or {})[1]


def the_one(text: str, env: dict[str, str] | None = None) -> ConfigError:
    (error,) = wrong(text, env)
    return error


@pytest.mark.parametrize(
    ("text", "place", "value", "mend"),
    [
        ('[decide]\npreset = "balancd"', "decide.preset", "balancd", '"balanced"'),
        ("[decide]\nmaxcost = 1", "decide.maxcost", 1, '"max_cost"'),
        ("[decide]\nmax_cost = -1", "decide.max_cost", -1, "greater than or equal to 0"),
        ("[decide]\nmax_cost = nan", "decide.max_cost", None, "a number such as"),
        ('[decide]\ndeadline = "soon"', "decide.deadline", "soon", '"90 s"'),
        ("[decide]\ndeadline = inf", "decide.deadline", None, "finite"),
        ("[decide]\nmin_output = 2.5", "decide.min_output", 2.5, "digits"),
        ('[decide]\nstart = { simple = "gpt" }', "decide.start.simple", "gpt", "openai/gpt-4o"),
        ('[decide]\ncalibration = "c.json"', "decide.calibration", "c.json", "Take it out"),
        ("[cache]\nenabled = 1", "cache.enabled", 1, "true or false"),
        ('[cache]\nsize = "1 XB"', "cache.size", "1 XB", '"1 GB"'),
        ('[cache]\nsemantic = "shadow"', "cache.semantic", "shadow", "Take it out"),
        ('[cache]\nsize = "1 kB"', "cache.entry_limit", 1_000_000, "below size"),
        ('[server]\nlisten = "8700"', "server.listen", "8700", "127.0.0.1:8700"),
        ('[server]\naliases = { x = "smal" }', "server.aliases.x", "smal", "auto"),
        (
            '[providers.mine]\nprotocol = "openia"',
            "providers.mine.protocol",
            "openia",
            '"openai"',
        ),
        (
            '[providers.mine]\nkey_header = "x-key"',
            "providers.mine.key_header",
            "x-key",
            '"x-api-key"',
        ),
        (
            '[providers.mine]\napi_version = "2024/10"',
            "providers.mine.api_version",
            "2024/10",
            '"2024-10-21"',
        ),
        ('[providers.mine]\nca = ""', "providers.mine.ca", "", "certificates/company.pem"),
        ("[providers.mine]\ncas = 1", "providers.mine.cas", None, '"ca"'),
        (
            '[providers.mine]\nbase_url = "https://x.test/v1?api-version=1"',
            "providers.mine.base_url",
            None,
            "api_version",
        ),
        ("[tiers.pro]\nmonthly_tokens = 1", "tiers", None, "Take it out"),
        ("[cahce]\nttl = 1", "cahce", None, '"cache"'),
        ('[rungs]\nx = "gpt-4o"', "rungs.x", "gpt-4o", '"PROVIDER/MODEL"'),
        ("[rungs]\nx = 3", "rungs.x", 3, '"PROVIDER/MODEL", or a table'),
        ('[rungs]\nx = "opnai/gpt-4o"', "rungs.x", "opnai/gpt-4o", '"openai"'),
        ('[rungs]\nauto = "openai/gpt-4o"', "rungs.auto", None, "Choose another"),
        ('[models.gpt]\nprice = "free"', "models.gpt", None, '"PROVIDER/MODEL"'),
        (
            '[models."openai/gpt-4o"]\nprice = "fre"',
            'models."openai/gpt-4o".price',
            "fre",
            '"free"',
        ),
        (
            '[models."openai/gpt-4o"]\nprice = { input = 1 }',
            'models."openai/gpt-4o".price.output',
            None,
            "Add the price of an output token",
        ),
        (
            '[models."openai/gpt-4o"]\nlacks = ["seed", "tempreature"]',
            'models."openai/gpt-4o".lacks[1]',
            "tempreature",
            '"temperature"',
        ),
        (
            '[models."opnai/gpt-4o"]\ncontext = 3',
            'models."opnai/gpt-4o"',
            "opnai/gpt-4o",
            '"openai"',
        ),
    ],
)
def test_a_wrong_setting_has_place_value_and_mend(
    text: str, place: str, value: object, mend: str
) -> None:
    error = the_one(LADDER + text)
    assert error.place == place
    assert mend in error.mend
    if value is not None:
        assert error.value == value


@pytest.mark.parametrize(
    ("line", "place", "mend"),
    [
        ("timeout = { first = 1 }", "rungs.m.timeout.first", '"first_token"'),
        ('timeout = { first_token = "x" }', "rungs.m.timeout.first_token", '"90 s"'),
        ("timeout = { total = 0 }", "rungs.m.timeout.total", "longer than 0"),
        ('accept = "mean >= 1"', "rungs.m.accept", "mean_logprob"),
        ('when_unsure = "clim"', "rungs.m.when_unsure", '"climb"'),
        ('pattern = "("', "rungs.m.pattern", "regular expression"),
        ('pattern = "(?=a)b"', "rungs.m.pattern", "looks around"),
        (f'pattern = "{"a" * 1_001}"', "rungs.m.pattern", "at most 1000"),
        ("calls = 0", "rungs.m.calls", "greater than or equal to 1"),
        ("calls = 1\nhedge = 2", "rungs.m.hedge", "calls = 2"),
        ("hedge = 9\ntimeout = { first_token = 8 }", "rungs.m.hedge", "below"),
        ("calls = true", "rungs.m.calls", "digits"),
        ("nonsense = 1", "rungs.m.nonsense", "Known here: accept, balance, calls"),
    ],
)
def test_a_wrong_setting_of_a_rung_has_place_and_mend(line: str, place: str, mend: str) -> None:
    error = the_one(f'{LADDER}[rungs.m]\nendpoints = ["openai/gpt-4o"]\n{line}\n')
    assert error.place == place
    assert mend in error.mend


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("[ladders]\n", "ladders", "no ladder named default"),
        ('[ladders]\nbatch = ["openai/gpt-4o"]', "ladders", "no ladder named default"),
        ("[ladders]\ndefault = []", "ladders.default", "empty"),
        ('[ladders]\ndefault = ["openai/a", "openai/a"]', "ladders.default[1]", "twice"),
        ('[ladders]\ndefault = "openai/a"', "ladders.default", "not a list"),
        ('[ladders]\ndefault = ["smal"]', "ladders.default[0]", "no rung"),
        ('[ladders]\ndefault = ["/x"]', "ladders.default[0]", "no model"),
        ('[rungs]\na = "openai/a"', "ladders", "missing"),
        ('[ladders]\ndefault = ["azure/a"]', "providers.azure.base_url", "missing"),
        ('[ladders]\ndefault = ["here/a"]', "ladders.default[0]", "no provider named here"),
        (
            '[ladders]\ndefault = ["m"]\n[rungs.m]\nendpoints = ["openai/a", "openai/a"]',
            "rungs.m.endpoints[1]",
            "twice",
        ),
        ('[ladders]\ndefault = ["a"]\na = ["a"]\n[rungs]\na = "openai/a"', "ladders.a", "too"),
    ],
)
def test_a_wrong_ladder_has_place_and_problem(text: str, place: str, problem: str) -> None:
    error = the_one(text)
    assert error.place == place
    assert problem in error.problem


def test_the_nearest_rung_is_suggested() -> None:
    error = the_one('[ladders]\ndefault = ["smal"]\n[rungs]\nsmall = "openai/gpt-4o"')
    assert 'Did you mean "small"?' in error.mend


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    text = (
        '[ladders]\ndefault = ["openai/gpt-4o", "openai/gpt-4o"]\n'
        '[cache]\nsize = "x"\n[decide]\npreset = "no"\nstart = { simple = "openai/x" }\n'
    )
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert {error.place for error in mistakes(path, {})} == {
        "cache.size",
        "decide.preset",
        "decide.start.simple",
        "ladders.default[1]",
    }
    with pytest.raises(ConfigError, match="There are 3 more mistakes: see cascade check"):
        load(path, {})


def test_an_unknown_price_with_a_cap_is_a_mistake_that_names_the_model() -> None:
    text = '[ladders]\ndefault = ["ollama/x"]\n'
    assert wrong(text) == []
    error = the_one(text + "[decide]\nmax_cost = 0.1")
    assert error.place == 'models."ollama/x".price'
    assert "max_cost = 0.1 needs it" in error.problem
    assert wrong(text + '[decide]\nmax_cost = 0.1\n[models."ollama/x"]\nprice = "free"') == []


SECRET = "sk-proj-VerySecret0123456789"


@pytest.mark.parametrize(
    "text",
    [
        f'[ladders]\ndefault = ["{SECRET}"]',
        f'[providers.openai]\nkey = "{SECRET}"',
        f'[providers.openai]\napi_key = "{SECRET}"',
        f'[providers]\nopenai = "{SECRET}"',
        f'[providers.openai]\nbase_url = "https://me:{SECRET}@example.com/v1"',
        f'[providers.openai]\nbase_url = "{SECRET}"',
        f'[providers.openai]\nproxy = "http://me:{SECRET}@example.com"',
        f'[providers.openai]\nproxy = "{SECRET}"',
        f'[providers.openai]\nca = "{SECRET}"',
        f'[providers.openai]\napi_version = "{SECRET}&"',
        f'[providers.openai]\nkey_header = "{SECRET}"',
        f'[providers.openai]\nprotocol = "{SECRET}"',
        f'[providers.openai]\nheaders = {{ Authorization = "Bearer {SECRET}" }}',
        f'[providers.openai]\nheaders = {{ x-team = "{SECRET}\\n" }}',
        f'[decide]\npreset = "{SECRET}"',
        f'[cache]\nkey = "{SECRET}"',
        f'[rungs.m]\nendpoints = "{SECRET}"',
        f'[rungs]\nm = "{SECRET}"',
        f'[models."openai/x"]\nlacks = ["{SECRET}"]',
    ],
)
def test_a_key_in_the_file_is_refused_without_being_shown(text: str) -> None:
    whole = text if text.startswith("[ladders]") else LADDER + text
    found = wrong(whole)
    assert found
    for error in found:
        assert SECRET not in f"{error} {error!r} {error.__dict__}"


def test_a_bad_address_in_the_environment_is_told_without_being_shown() -> None:
    error = the_one(LADDER, {"OPENAI_BASE_URL": f"https://me:{SECRET}@example.com"})
    assert "OPENAI_BASE_URL" in error.place
    assert SECRET not in str(error)


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["openai/gpt-4o", "small", "$KEY", "1 GB", "auto", "free", "first_token"]),
)
names = st.one_of(
    st.sampled_from(sorted(TABLES | keys_at(("rungs", "x")) | keys_at(("models", "x")))),
    st.sampled_from(sorted(keys_at(("providers", "x")) | keys_at(("rungs", "x", "endpoints", 0)))),
    st.sampled_from(["default", "openai", "openai/gpt-4o", "timeout", "price", "start"]),
    st.text(string.printable, min_size=1, max_size=6),
)
anything = st.recursive(
    leaves,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(names, anything, max_size=5), st.booleans())
def test_whatever_stands_in_a_file_ends_in_tables_or_in_mistakes(
    data: dict[str, Any], with_ladder: bool
) -> None:
    if with_ladder:
        data = {**data, "ladders": {"default": ["openai/gpt-4o-mini", "openai/gpt-4o"]}}
    tables, found = check(Found(data, "test"), {})
    assert (tables is None) == bool(found)
    for error in found:
        assert error.place
        assert error.problem
        assert error.mend.endswith((".", "?", ")"))

"""The configuration is found, read, and compiled to the tables it describes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from cascade.config.read import from_names, load, mistakes
from cascade.errors import ConfigError
from cascade.types import Bar, Clocks, Comparison, Price

TWO_LINES = """\
[ladders]
default = ["openai/gpt-4o-mini", "openai/gpt-4o"]
"""
EXAMPLE = Path(__file__).resolve().parents[2] / "config.toml"


def write(folder: Path, text: str, name: str = "config.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_two_lines_are_a_whole_configuration(tmp_path: Path) -> None:
    tables = load(write(tmp_path, TWO_LINES), {})
    ladder = tables.ladders["default"]
    assert [rung.name for rung in ladder.rungs] == ["openai/gpt-4o-mini", "openai/gpt-4o"]
    endpoint = ladder.rungs[0].endpoints[0]
    assert endpoint.base_url == "https://api.openai.com/v1"
    assert endpoint.key_variables == ("OPENAI_API_KEY",)
    assert endpoint.price == Price(
        input=150_000, cached=75_000, cache_write=150_000, output=600_000
    )
    assert endpoint.context == 128_000
    assert tables.decide.preset == "balanced"


def test_names_compile_to_the_same_tables_as_the_two_line_file(tmp_path: Path) -> None:
    from_file = load(write(tmp_path, TWO_LINES), {})
    named = from_names(("openai/gpt-4o-mini", "openai/gpt-4o"), {})
    assert msgspec.structs.replace(named, source=from_file.source) == from_file


def test_names_in_a_program_go_before_a_ladder_in_the_environment() -> None:
    env = {"CASCADE_LADDERS__DEFAULT": '["openai/gpt-4.1"]', "CASCADE_DECIDE__PRESET": "cheap"}
    tables = from_names(("openai/gpt-4o",), env)
    assert list(tables.rungs) == ["openai/gpt-4o"]
    assert tables.decide.preset == "cheap"


@pytest.mark.parametrize("names", [(), ("gpt-4o",), ("openai/gpt-4o", "openai/gpt-4o")])
def test_names_that_make_no_ladder_are_a_mistake(names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"ladders\.default"):
        from_names(names, {})


def test_the_example_at_the_top_of_the_project_is_right() -> None:
    tables = load(EXAMPLE, {})
    medium = tables.rungs["medium"]
    assert [endpoint.name for endpoint in medium.endpoints] == [
        "openai/gpt-5.6-terra",
        "azure/gpt-5.6-eu",
    ]
    assert medium.clocks == Clocks(connect=2.0, first_token=8.0, idle=15.0, total=60.0)
    assert medium.accept == Bar(rule=(Comparison("mean_logprob", ">=", -0.15),))
    assert (medium.calls, medium.hedge, medium.watched) == (3, 4.0, True)
    assert medium.endpoints[1].price == Price(
        input=2_500_000, cached=250_000, cache_write=3_100_000, output=10_000_000
    )
    assert medium.endpoints[1].context == 400_000
    assert tables.ladders["default"].starts == {"simple": 0, "moderate": 0, "complex": 1}
    assert (tables.cache.size, tables.cache.ttl) == (1_000_000_000, 604_800.0)
    assert (tables.server.host, tables.server.port) == ("127.0.0.1", 8700)
    assert tables.decide.max_cost == 50_000_000_000


def test_what_the_example_shows_as_a_comment_may_be_uncommented(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    lines = [
        line.removeprefix("# ") if line.startswith("# ") and " = " in line else line
        for line in text.splitlines()
    ]
    assert mistakes(write(tmp_path, "\n".join(lines)), {}) == []


def test_the_explicit_path_goes_before_the_variable_and_the_variable_before_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    explicit = write(tmp_path, TWO_LINES, "explicit.toml")
    named = write(tmp_path, TWO_LINES, "named.toml")
    write(tmp_path, TWO_LINES)
    env = {"CASCADE_CONFIG": str(named)}
    assert load(explicit, env).source == str(explicit)
    assert load(None, env).source == str(named)
    assert load(None, {}).source == "config.toml"


def test_no_configuration_at_all_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="cascade init"):
        load(None, {})


def test_a_file_in_the_folder_without_a_table_of_ours_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, 'title = "a blog"\n[params]\nmenu = true\n')
    with pytest.raises(ConfigError, match="has no table of ours"):
        load(None, {})
    ladders = '["openai/gpt-4o-mini"]'
    assert load(None, {"CASCADE_LADDERS__DEFAULT": ladders}).source == "environment"


def test_a_named_file_without_a_table_of_ours_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--config names it"):
        load(write(tmp_path, "x = 1\n"), {})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[ladders]\ndefault = ["a/b"\n[cache]\n', "line 3, column 1"),
        ("[ladders]\ndefault = \n", "line 2, column 11"),
        ('[ladders]\ndefault = ["a/b",', "line 2, column 18"),
    ],
)
def test_a_syntax_error_has_its_line_and_column(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        load(write(tmp_path, text), {})


def test_a_file_that_is_no_text_or_not_there_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(path, {})
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(path, {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TWO_LINES.encode())
    assert "default" in load(path, {}).ladders


def test_the_environment_overrides_single_settings(tmp_path: Path) -> None:
    env = {
        "CASCADE_DECIDE__PRESET": "cheap",
        "CASCADE_DECIDE__MAX_COST": "0.01",
        "CASCADE_CACHE__SIZE": "10 MB",
        "CASCADE_CACHE__ENABLED": "false",
        "CASCADE_SERVER__LISTEN": "127.0.0.1:0",
        "CASCADE_DATA": "/elsewhere",
    }
    tables = load(write(tmp_path, TWO_LINES), env)
    assert tables.decide.preset == "cheap"
    assert tables.decide.max_cost == 10_000_000_000
    assert (tables.cache.size, tables.cache.enabled) == (10_000_000, False)
    assert tables.server.port == 0


def test_the_environment_finds_a_name_by_its_capitals(tmp_path: Path) -> None:
    text = TWO_LINES + '[rungs.Small]\nendpoints = ["openai/gpt-4o-mini"]\n[ladders.x]\n'
    text = text.replace("[ladders.x]\n", "").replace('["openai/gpt-4o-mini", ', '["Small", ', 1)
    tables = load(write(tmp_path, text), {"CASCADE_RUNGS__SMALL__CALLS": "7"})
    assert tables.rungs["Small"].calls == 7


def test_a_mistake_from_the_environment_names_its_variable(tmp_path: Path) -> None:
    env = {"CASCADE_DECIDE__PRESET": "quick", "CASCADE_DECIDE__PRESETS": "cheap"}
    found = mistakes(write(tmp_path, TWO_LINES), env)
    assert {error.place for error in found} == {
        "decide.preset (from $CASCADE_DECIDE__PRESET)",
        "decide.presets (from $CASCADE_DECIDE__PRESETS)",
    }


def test_reading_loads_no_heavy_library(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cascade.config.read import load\n"
        "assert 'pydantic' not in sys.modules and 'genai_prices' not in sys.modules\n"
        "load(Path(sys.argv[1]), {})\n"
        "heavy = {'numpy', 'httpx', 'tiktoken', 'aiohttp', 'structlog', 'jsonschema_rs'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    path = write(tmp_path, TWO_LINES)
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_provider_of_ones_own_needs_no_price_list(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cascade.config.read import load\n"
        "load(Path(sys.argv[1]), {}); sys.exit('genai_prices' in sys.modules)"
    )
    path = write(
        tmp_path,
        '[ladders]\ndefault = ["here/a"]\n[providers.here]\nbase_url = "http://127.0.0.1:1/v1"\n',
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

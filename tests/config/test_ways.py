"""A provider's own proxy and authorities: what is taken, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from cascade.config.read import Found, check, load
from cascade.errors import ConfigError
from cascade.types import Endpoint

LADDER = '[ladders]\ndefault = ["mine/x"]\n[providers.mine]\nbase_url = "https://mine.test/v1"\n'


def endpoint(folder: Path, line: str, **env: str) -> Endpoint:
    path = folder / "config.toml"
    path.write_text(LADDER + line, encoding="utf-8")
    return load(path, env).ladders["default"].rungs[0].endpoints[0]


def mistake(folder: Path, line: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        endpoint(folder, line)
    return caught.value


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "below" / "own.pem"
    path.parent.mkdir()
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def test_a_file_of_authorities_starts_at_the_configurations_folder(
    tmp_path: Path, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert endpoint(tmp_path, 'ca = "below/own.pem"').ca == str(authority)
    assert endpoint(tmp_path, f'ca = "{authority}"').ca == str(authority)
    assert endpoint(tmp_path, "", CASCADE_PROVIDERS__MINE__CA="below/own.pem").ca == str(authority)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(LADDER + 'ca = "below/own.pem"')
    here = load(None, {}).ladders["default"].rungs[0].endpoints[0]
    assert here.ca == str(authority)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("absent.pem", "it cannot be read: No such file"),
        ("empty.pem", "it holds no certificate"),
        ("poem.pem", "it holds no certificate"),
        ("folder", "it cannot be read"),
    ],
)
def test_authorities_that_cannot_be_used_are_a_mistake(
    tmp_path: Path, name: str, problem: str
) -> None:
    (tmp_path / "empty.pem").touch()
    (tmp_path / "poem.pem").write_text("-----BEGIN CERTIFICATE-----\nroses\n")
    (tmp_path / "folder").mkdir()
    error = mistake(tmp_path, f'ca = "{name}"')
    assert (error.place, error.value) == ("providers.mine.ca", name)
    assert problem in error.problem
    assert "PEM" in error.mend


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:3128", "https://proxy.test", "http://[::1]:1"])
def test_a_proxy_is_an_address(tmp_path: Path, proxy: str) -> None:
    assert endpoint(tmp_path, f'proxy = "{proxy}"').proxy == proxy
    assert endpoint(tmp_path, f'proxy = "{proxy}/"').proxy == proxy


@pytest.mark.parametrize(
    ("proxy", "mend"),
    [
        ("http://me:hush@proxy.test:3128", "$HTTPS_PROXY may hold them"),
        ("http://me@proxy.test:3128", "$HTTPS_PROXY may hold them"),
        ("http://:hush@proxy.test:3128", "$HTTPS_PROXY may hold them"),
        ("socks5://me:hush@proxy.test", "$HTTPS_PROXY may hold them"),
        ("socks5://proxy.test:1080", "http://proxy.example.com:3128"),
        ("proxy.test:3128", "http://proxy.example.com:3128"),
        ("http://proxy.test:hush", "http://proxy.example.com:3128"),
        ("http://proxy.test/hush", "http://proxy.example.com:3128"),
        ("http://proxy.test?hush", "http://proxy.example.com:3128"),
        ("http:// proxy.test", "http://proxy.example.com:3128"),
        ("", "http://proxy.example.com:3128"),
    ],
)
def test_what_is_no_proxy_or_holds_a_password_is_told_without_being_shown(
    tmp_path: Path, proxy: str, mend: str
) -> None:
    error = mistake(tmp_path, f'proxy = "{proxy}"')
    assert (error.place, error.value) == ("providers.mine.proxy", None)
    assert mend in error.mend
    assert "hush" not in str(error)


def test_without_a_word_the_environment_decides() -> None:
    data = {"ladders": {"default": ["openai/x"]}}
    tables, _ = check(Found(data, "test"), {"HTTPS_PROXY": "http://127.0.0.1:1"})
    assert tables is not None
    made = tables.ladders["default"].rungs[0].endpoints[0]
    assert (made.proxy, made.ca) == (None, None)

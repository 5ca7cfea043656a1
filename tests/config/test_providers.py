"""The catalogue, the addresses that are called, and the keys that go there."""

from __future__ import annotations

from typing import get_args

import pytest

from cascade.config.catalogue import PROVIDERS
from cascade.config.keys import key_of, missing_keys
from cascade.config.places import data_dir
from cascade.config.read import Found, check
from cascade.errors import MissingKey
from cascade.policy.parameters import PARAMETERS
from cascade.types import Endpoint, Tables
from cascade.types.parameters import Lackable


def tables(data: dict[str, object], **env: str) -> Tables:
    made, found = check(Found(data, "test"), env)
    assert made is not None, found
    return made


def endpoint(
    name: str, provider: dict[str, object] | None = None, env: dict[str, str] | None = None
) -> Endpoint:
    data: dict[str, object] = {"ladders": {"default": [name]}}
    if provider is not None:
        data["providers"] = {name.partition("/")[0]: provider}
    return tables(data, **(env or {})).ladders["default"].rungs[0].endpoints[0]


@pytest.mark.parametrize("name", sorted(PROVIDERS.keys() - {"azure"}))
def test_every_provider_of_the_catalogue_needs_no_entry(name: str) -> None:
    made = endpoint(f"{name}/some-model")
    assert made.base_url == PROVIDERS[name].base_url
    assert not made.base_url.endswith("/")
    assert made.model == "some-model"


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_a_provider_lacks_is_something_a_request_can_use(name: str) -> None:
    assert PROVIDERS[name].lacks <= set(get_args(Lackable))


def test_a_model_may_lack_every_parameter_that_the_policy_knows() -> None:
    assert set(get_args(Lackable)) == PARAMETERS | {"stream_options", "system_turns"}


@pytest.mark.parametrize(
    ("model", "env", "base_url"),
    [
        ("openai/x", {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"}, "http://127.0.0.1:9/v1"),
        ("openai/x", {"OPENAI_BASE_URL": ""}, "https://api.openai.com/v1"),
        ("anthropic/x", {"ANTHROPIC_BASE_URL": "https://gate.test"}, "https://gate.test/v1"),
        ("google/x", {"GOOGLE_GEMINI_BASE_URL": "https://g.test/"}, "https://g.test/v1beta"),
        (
            "azure/x",
            {"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com/"},
            "https://x.openai.azure.com/openai/v1",
        ),
        ("ollama/x", {"OLLAMA_HOST": "0.0.0.0"}, "http://127.0.0.1:11434/v1"),
        ("ollama/x", {"OLLAMA_HOST": "box:1234"}, "http://box:1234/v1"),
        ("ollama/x", {"OLLAMA_HOST": "https://box"}, "https://box:11434/v1"),
        ("ollama/x", {"OLLAMA_HOST": "[::1]:1"}, "http://[::1]:1/v1"),
        ("mistral/x", {"OPENAI_BASE_URL": "http://127.0.0.1:9"}, "https://api.mistral.ai/v1"),
    ],
)
def test_a_base_url_in_the_environment_counts_for_its_own_provider(
    model: str, env: dict[str, str], base_url: str
) -> None:
    assert endpoint(model, env=env).base_url == base_url


def test_the_file_goes_before_the_environment() -> None:
    provider: dict[str, object] = {"base_url": "https://mine.test/v1/"}
    made = endpoint("openai/x", provider, {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    assert made.base_url == "https://mine.test/v1"
    assert made.key_variables == ("OPENAI_API_KEY",)


def test_a_provider_of_ones_own_takes_the_key_that_the_file_names() -> None:
    base: dict[str, object] = {"base_url": "http://127.0.0.1:9/v1"}
    assert endpoint("mine/a/b", base).model == "a/b"
    assert endpoint("mine/x", base).key_variables == ()
    assert endpoint("mine/x", {**base, "key": "none"}).key_variables == ()
    assert endpoint("mine/x", {**base, "key": "$MINE"}).key_variables == ("MINE",)
    assert endpoint("mine/x", {**base, "headers": {"x-team": "a"}}).headers == (("x-team", "a"),)


def test_a_key_is_read_when_it_is_needed_and_stands_in_no_table() -> None:
    secret = "sk-not-to-be-seen"
    made = tables({"ladders": {"default": ["openai/x"]}}, OPENAI_API_KEY=secret)
    assert secret not in repr(made)
    one = made.ladders["default"].rungs[0].endpoints[0]
    assert key_of(one, {"OPENAI_API_KEY": f" {secret}\n"}) == secret


def test_the_first_variable_that_is_set_wins() -> None:
    made = endpoint("google/x")
    assert key_of(made, {"GEMINI_API_KEY": "b", "GOOGLE_API_KEY": "a"}) == "a"
    assert key_of(made, {"GEMINI_API_KEY": "b", "GOOGLE_API_KEY": ""}) == "b"


def test_a_provider_that_takes_no_key_gets_none() -> None:
    assert key_of(endpoint("ollama/x"), {}) is None


def test_a_missing_key_names_the_variable_and_the_mend() -> None:
    with pytest.raises(MissingKey, match=r"\$OPENAI_API_KEY is not set.*export OPENAI_API_KEY="):
        key_of(endpoint("openai/x"), {})


def test_each_missing_key_is_told_once() -> None:
    made = tables({"ladders": {"default": ["openai/x", "ollama/y", "openai/z", "groq/w"]}})
    found = missing_keys(made, {"GROQ_API_KEY": "g"})
    assert [error.place for error in found] == ["providers.openai.key"]
    assert missing_keys(made, {"GROQ_API_KEY": "g", "OPENAI_API_KEY": "o"}) == []


def test_the_data_folder_is_the_variables_or_the_platforms() -> None:
    assert str(data_dir({"CASCADE_DATA": "/tmp/there"})) == "/tmp/there"
    assert data_dir({}).name == "cascade"

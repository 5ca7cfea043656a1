"""Which protocol a provider speaks, what it carries, and how the key goes there."""

from __future__ import annotations

from typing import get_args

import pytest

from cascade.config.catalogue import PROVIDERS
from cascade.config.protocols import ANTHROPIC_VERSION, PROTOCOLS, SAMPLING
from cascade.config.read import Found, check, from_names
from cascade.errors import ConfigError
from cascade.policy.parameters import dropped, hindrance
from cascade.types import Endpoint, Message, ProtocolName, Request, ResponseFormat
from cascade.types.parameters import Lackable

AZURE = {"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com"}
DEPLOYMENT = "https://x.openai.azure.com/openai/deployments/eu"


def compiled(
    name: str, provider: dict[str, object], model: dict[str, object], env: dict[str, str]
) -> tuple[Endpoint | None, list[ConfigError]]:
    data = {
        "ladders": {"default": [name]},
        "providers": {name.partition("/")[0]: provider},
        "models": {name: model},
    }
    tables, wrong = check(Found(data, "test"), env)
    return tables.ladders["default"].rungs[0].endpoints[0] if tables else None, wrong


def endpoint(
    name: str,
    provider: dict[str, object] | None = None,
    model: dict[str, object] | None = None,
    env: dict[str, str] | None = None,
) -> Endpoint:
    made, wrong = compiled(name, provider or {}, model or {}, env or {})
    assert made is not None, wrong
    return made


def the_mistake(
    name: str, provider: dict[str, object], env: dict[str, str] | None = None
) -> ConfigError:
    _, (error,) = compiled(name, provider, {}, env or {})
    return error


def asking(**fields: object) -> Request:
    return Request(messages=(Message("user", "?"),), **fields)  # type: ignore[arg-type]


def test_names_in_a_program_lead_to_the_vendors_own_protocols() -> None:
    rungs = from_names(("anthropic/claude-haiku-4-5", "google/gemini-2.5-pro"), {}).rungs
    claude, gemini = (rung.endpoints[0] for rung in rungs.values())
    assert (claude.protocol, claude.base_url) == ("anthropic", "https://api.anthropic.com/v1")
    assert (claude.key_header, claude.key_variables[0]) == ("x-api-key", "ANTHROPIC_API_KEY")
    assert claude.headers == (("anthropic-version", ANTHROPIC_VERSION),)
    assert gemini.protocol == "gemini"
    assert gemini.base_url == "https://generativelanguage.googleapis.com/v1beta"
    assert gemini.key_header == "x-goog-api-key"
    assert claude.price is not None
    assert gemini.price is not None


def test_every_other_provider_speaks_openais() -> None:
    others = PROVIDERS.keys() - {"anthropic", "google"}
    assert {PROVIDERS[name].protocol for name in others} == {"openai"}


def test_the_version_is_the_one_that_the_vendors_own_client_sends() -> None:
    constants = pytest.importorskip("anthropic._constants")
    assert constants.ANTHROPIC_API_VERSION == ANTHROPIC_VERSION


@pytest.mark.parametrize(
    ("env", "header"),
    [
        ({"ANTHROPIC_API_KEY": "a"}, "x-api-key"),
        ({"ANTHROPIC_AUTH_TOKEN": "b"}, "authorization"),
        ({"ANTHROPIC_API_KEY": "a", "ANTHROPIC_AUTH_TOKEN": "b"}, "x-api-key"),
        ({"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": "b"}, "authorization"),
        ({}, "x-api-key"),
    ],
)
def test_anthropics_token_goes_as_a_bearer_and_its_key_does_not(
    env: dict[str, str], header: str
) -> None:
    assert endpoint("anthropic/x", env=env).key_header == header


def test_a_token_named_in_the_file_goes_as_a_bearer_too_unless_the_file_says_how() -> None:
    mine: dict[str, object] = {
        "protocol": "anthropic",
        "base_url": "https://gate.test",
        "key": "$ANTHROPIC_AUTH_TOKEN",
    }
    assert endpoint("mine/x", mine).key_header == "authorization"
    assert endpoint("mine/x", {**mine, "key_header": "x-api-key"}).key_header == "x-api-key"


@pytest.mark.parametrize("protocol", get_args(ProtocolName))
def test_a_provider_of_ones_own_speaks_any_protocol(protocol: ProtocolName) -> None:
    mine: dict[str, object] = {"base_url": "https://mine.test", "protocol": protocol}
    made = endpoint("mine/x", mine)
    assert made.protocol == protocol
    assert made.key_header == PROTOCOLS[protocol].key_header
    assert made.key_variables == ()
    assert made.lacks >= PROTOCOLS[protocol].lacks


def test_a_version_in_the_files_headers_takes_the_place_of_ours() -> None:
    older: dict[str, object] = {"headers": {"Anthropic-Version": "2023-06-01", "x-team": "a"}}
    made = endpoint("anthropic/x", older)
    assert made.headers == (("anthropic-version", "2023-06-01"), ("x-team", "a"))


def test_sampling_is_lacked_from_the_version_on_that_refuses_it() -> None:
    assert endpoint("anthropic/x").lacks >= SAMPLING
    older: dict[str, object] = {"headers": {"anthropic-version": "2023-06-01"}}
    assert endpoint("anthropic/x", older).lacks == PROTOCOLS["anthropic"].lacks


def test_what_a_model_lacks_replaces_the_catalogues_word_and_never_the_protocols() -> None:
    taking_all: dict[str, object] = {"lacks": []}
    assert endpoint("anthropic/x", model=taking_all).lacks == PROTOCOLS["anthropic"].lacks
    assert endpoint("openai/x", model=taking_all).lacks == PROTOCOLS["openai"].lacks
    assert endpoint("openai/x").lacks == PROTOCOLS["openai"].lacks | {"top_k"}
    named = endpoint("google/x", model={"lacks": ["seed"]}).lacks
    assert named == PROTOCOLS["gemini"].lacks | {"seed"}


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        ("claude-3-7-sonnet-latest", {"reasoning_effort", "system_turns"}),
        ("claude-sonnet-4-20250514", {"reasoning_effort", "system_turns"}),
        ("claude-haiku-4-5-20251001", {"reasoning_effort", "system_turns"}),
        ("claude-sonnet-4-5", {"reasoning_effort", "system_turns"}),
        ("claude-opus-4-5", {"system_turns", "reasoning_effort"}),
        ("claude-sonnet-4-6", {"system_turns"}),
        ("anthropic.claude-opus-4-6-v1", {"system_turns"}),
        ("claude-opus-4-7", {"system_turns", "reasoning_budget", *SAMPLING}),
        ("claude-opus-4-8", {"reasoning_budget", *SAMPLING}),
        ("claude-sonnet-5", {"reasoning_budget", *SAMPLING}),
        ("claude-haiku-5-5", {"reasoning_budget", *SAMPLING}),
        ("some-other-model", set()),
    ],
)
def test_what_a_claude_refuses_follows_its_name(model: str, refused: set[str]) -> None:
    own = PROTOCOLS["anthropic"].lacks
    older: dict[str, object] = {"headers": {"anthropic-version": "2023-06-01"}}
    assert endpoint(f"anthropic/{model}", older).lacks - own == refused
    assert endpoint(f"anthropic/{model}", older, {"lacks": ["user"]}).lacks - own == {"user"}
    assert endpoint(f"openrouter/{model}").lacks == PROTOCOLS["openai"].lacks


@pytest.mark.parametrize("protocol", get_args(ProtocolName))
def test_what_a_protocol_lacks_is_something_a_request_can_use(protocol: ProtocolName) -> None:
    assert PROTOCOLS[protocol].lacks <= set(get_args(Lackable))


def test_a_schema_is_for_anthropic_and_any_json_is_not() -> None:
    lacks = endpoint("anthropic/x").lacks
    schema = ResponseFormat("json_schema", "n", b"{}")
    assert hindrance(asking(response_format=schema), lacks) is None
    assert hindrance(asking(response_format=ResponseFormat("text")), lacks) is None
    assert hindrance(asking(response_format=ResponseFormat("json_object")), lacks) == "json_object"
    for other in ("openai/x", "google/x", "mistral/x"):
        any_json = asking(response_format=ResponseFormat("json_object"))
        assert hindrance(any_json, endpoint(other).lacks) is None


@pytest.mark.parametrize("name", ["openai", "azure", "groq", "deepseek"])
def test_top_k_is_dropped_where_the_vendor_refuses_it(name: str) -> None:
    assert dropped(asking(top_k=3), endpoint(f"{name}/x", env=AZURE).lacks) == ("top_k",)


@pytest.mark.parametrize("name", ["vllm", "ollama", "together", "openrouter", "mistral", "google"])
def test_top_k_is_sent_where_the_vendor_takes_it(name: str) -> None:
    assert dropped(asking(top_k=3), endpoint(f"{name}/x").lacks) == ()


def test_a_vendors_openai_compatible_address_is_still_to_be_had() -> None:
    beside: dict[str, object] = {
        "protocol": "openai",
        "base_url": "https://generativelanguage.googleapis.com/v1beta/openai",
    }
    made = endpoint("google/x", beside)
    assert (made.protocol, made.key_header) == ("openai", "authorization")
    assert made.key_variables == ("GOOGLE_API_KEY", "GEMINI_API_KEY")
    claude = endpoint("anthropic/x", {**beside, "base_url": "https://api.anthropic.com/v1"})
    assert claude.headers == ()
    assert "response_format" in claude.lacks


def test_another_protocol_needs_its_address() -> None:
    error = the_mistake("google/x", {"protocol": "openai"})
    assert error.place == "providers.google.base_url"
    assert "openai is not spoken at google's usual address" in error.problem
    assert "take protocol out" in error.mend


def test_azures_key_has_a_header_of_its_own() -> None:
    assert endpoint("azure/x", env=AZURE).key_header == "api-key"


@pytest.mark.parametrize(
    ("provider", "env", "query"),
    [
        ({}, AZURE, ()),
        ({"api_version": "preview"}, AZURE, (("api-version", "preview"),)),
        ({"base_url": DEPLOYMENT, "api_version": "2024-10-21"}, {}, ("2024-10-21",)),
        ({"base_url": DEPLOYMENT}, {"AZURE_OPENAI_API_VERSION": "2024-06-01"}, ("2024-06-01",)),
        (
            {"base_url": DEPLOYMENT, "api_version": "2024-10-21"},
            {"AZURE_OPENAI_API_VERSION": "2024-06-01"},
            ("2024-10-21",),
        ),
        ({}, {**AZURE, "AZURE_OPENAI_API_VERSION": "preview"}, ("preview",)),
        ({}, {**AZURE, "AZURE_OPENAI_API_VERSION": "2024-06-01"}, ()),
    ],
)
def test_azures_version_is_the_files_or_the_environments(
    provider: dict[str, object], env: dict[str, str], query: tuple[object, ...]
) -> None:
    expected = tuple(v if isinstance(v, tuple) else ("api-version", v) for v in query)
    assert endpoint("azure/x", provider, env=env).query == expected


def test_azures_endpoint_may_hold_the_whole_path() -> None:
    assert endpoint("azure/x", env={"AZURE_OPENAI_ENDPOINT": DEPLOYMENT}).base_url == DEPLOYMENT
    assert endpoint("azure/x", env=AZURE).base_url == "https://x.openai.azure.com/openai/v1"


def test_azures_version_is_nobody_elses() -> None:
    assert endpoint("openai/x", env={"AZURE_OPENAI_API_VERSION": "preview"}).query == ()


def test_a_version_is_no_matter_of_the_address_elsewhere() -> None:
    error = the_mistake("anthropic/x", {"api_version": "2023-06-01"})
    assert (error.place, error.value) == ("providers.anthropic.api_version", "2023-06-01")
    assert "under headers" in error.mend


def test_a_version_in_the_environment_that_is_none_is_told_without_being_shown() -> None:
    error = the_mistake("azure/x", {}, {**AZURE, "AZURE_OPENAI_API_VERSION": "sk-secret&x=1"})
    assert "AZURE_OPENAI_API_VERSION" in error.place
    assert "sk-secret" not in str(error)


@pytest.mark.parametrize("name", sorted(PROVIDERS.keys() - {"azure"}))
def test_a_catalogued_address_is_its_vendors_own(name: str) -> None:
    base_url = PROVIDERS[name].base_url
    assert base_url is not None
    assert PROVIDERS[name].owns(base_url)
    assert not PROVIDERS[name].owns("https://example.com/v1")


def test_hosts_below_a_vendors_are_its_own_and_those_that_look_like_it_are_not() -> None:
    assert PROVIDERS["openai"].owns("https://eu.api.openai.com/v1")
    assert not PROVIDERS["openai"].owns("https://api.openai.com.evil.test/v1")
    assert not PROVIDERS["openai"].owns("https://notapi.openai.com/v1")
    assert PROVIDERS["azure"].owns("https://mine.openai.azure.com/openai/v1")
    assert not PROVIDERS["azure"].owns("https://gate.test/openai/v1")


@pytest.mark.parametrize("name", sorted(PROVIDERS.keys() | {"mine"}))
def test_a_provider_gets_its_own_vendors_key_and_no_other(name: str) -> None:
    made = endpoint(f"{name}/x", {"base_url": "https://elsewhere.test/v1"})
    own = PROVIDERS[name].key_variables if name in PROVIDERS else ()
    assert made.key_variables == own

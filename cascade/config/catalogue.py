"""The providers that need no entry in the configuration, by name.

What a vendor's models answer with an error (OpenAI: ``top_k``) or silently ignore stands in
``lacks``, so that a request which needs it goes elsewhere instead of being half obeyed.
``[models]`` overrides it. What the protocol itself cannot carry stands in
:mod:`cascade.config.protocols`, what single models refuse in :mod:`cascade.config.claude`.

A vendor's key variable belongs to that vendor's hosts. Another host gets the key only where the
configuration file or a base URL in the operator's environment names that host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from cascade.types import KeyHeader, ProtocolName
from cascade.types.parameters import Lackable

LimitParameter = Literal["max_tokens", "max_completion_tokens"]

BEARER_VARIABLES = frozenset({"ANTHROPIC_AUTH_TOKEN"})
"""What these hold is a bearer token, whatever header carries the provider's keys."""


class Provider(msgspec.Struct, frozen=True):
    """Where a provider's models are called, how, and with whose key.

    ``base_url`` is what the protocol's own path is appended to; None where every customer has
    another one. The first of ``key_variables`` that is set holds the key; without any, none is
    sent. ``key_header`` is None where the protocol's own carries it. ``hosts`` are the vendor's,
    with all below them; without any, the base URL's. ``prices`` is the provider's name in
    genai-prices, None where it lists none of them. ``lacks`` is of the vendor's own protocol,
    ``lacks_as_openai`` of an OpenAI-compatible address beside it.
    """

    base_url: str | None
    key_variables: tuple[str, ...] = ()
    protocol: ProtocolName = "openai"
    key_header: KeyHeader | None = None
    base_url_variable: str | None = None
    read_base_url: Callable[[str], str] = str
    api_version_variable: str | None = None
    hosts: tuple[str, ...] = ()
    prices: str | None = None
    lacks: frozenset[Lackable] = frozenset()
    lacks_as_openai: frozenset[Lackable] = frozenset()
    limit_parameter: LimitParameter = "max_tokens"

    def resolved_base_url(self, env: Mapping[str, str]) -> str | None:
        """Return the base URL from the operator's environment, else the built-in one."""
        named = env.get(self.base_url_variable or "", "").strip()
        return self.read_base_url(named) if named else self.base_url

    def owns(self, base_url: str) -> bool:
        """Whether an address is one of the vendor's own."""
        hosts = self.hosts or (urlsplit(self.base_url or "").hostname,)
        host = urlsplit(base_url).hostname or ""
        return any(host == own or host.endswith(f".{own}") for own in hosts if own)


def _with_path(path: str) -> Callable[[str], str]:
    """The variable holds the host, and the protocol lies under ``path``."""
    return lambda url: url.rstrip("/") + path


def _azure(endpoint: str) -> str:
    """``AZURE_OPENAI_ENDPOINT`` is the resource's address; some write the whole path into it."""
    return endpoint if "/openai/" in endpoint else endpoint.rstrip("/") + "/openai/v1"


def _ollama(host: str) -> str:
    """``OLLAMA_HOST`` is what the server binds: often without a scheme, a port, or a real host."""
    parts = urlsplit(host if "://" in host else f"http://{host}")
    name = parts.hostname or "127.0.0.1"
    name = "127.0.0.1" if name in ("0.0.0.0", "::") else name  # noqa: S104 - read, not bound
    shown = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{shown}:{parts.port or 11434}/v1"


PROVIDERS: dict[str, Provider] = {
    "openai": Provider(
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        base_url_variable="OPENAI_BASE_URL",
        prices="openai",
        lacks=frozenset({"top_k"}),
        limit_parameter="max_completion_tokens",
    ),
    "anthropic": Provider(
        "https://api.anthropic.com/v1",
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        protocol="anthropic",
        base_url_variable="ANTHROPIC_BASE_URL",
        read_base_url=_with_path("/v1"),
        prices="anthropic",
        lacks_as_openai=frozenset(
            {
                "response_format",
                "logprobs",
                "seed",
                "presence_penalty",
                "frequency_penalty",
                "logit_bias",
                "reasoning_effort",
                "user",
            }
        ),
    ),
    "google": Provider(
        "https://generativelanguage.googleapis.com/v1beta",
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        protocol="gemini",
        base_url_variable="GOOGLE_GEMINI_BASE_URL",
        read_base_url=_with_path("/v1beta"),
        prices="google",
    ),
    "mistral": Provider(
        "https://api.mistral.ai/v1",
        ("MISTRAL_API_KEY",),
        prices="mistral",
        lacks=frozenset({"seed", "logit_bias", "user"}),  # its seed has another name: random_seed
    ),
    "groq": Provider(
        "https://api.groq.com/openai/v1",
        ("GROQ_API_KEY",),
        prices="groq",
        lacks=frozenset({"top_k", "logprobs", "logit_bias"}),
    ),
    "together": Provider(
        "https://api.together.xyz/v1",
        ("TOGETHER_API_KEY",),
        hosts=("together.xyz", "together.ai"),
        prices="together",
    ),
    "deepseek": Provider(
        "https://api.deepseek.com/v1",
        ("DEEPSEEK_API_KEY",),
        prices="deepseek",
        lacks=frozenset({"top_k"}),
    ),
    "openrouter": Provider(
        "https://openrouter.ai/api/v1",
        ("OPENROUTER_API_KEY",),
        prices="openrouter",
    ),
    "azure": Provider(
        None,
        ("AZURE_OPENAI_API_KEY",),
        key_header="api-key",
        base_url_variable="AZURE_OPENAI_ENDPOINT",
        read_base_url=_azure,
        api_version_variable="AZURE_OPENAI_API_VERSION",
        hosts=("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
        prices="azure",
        lacks=frozenset({"top_k"}),
        limit_parameter="max_completion_tokens",
    ),
    "ollama": Provider(
        "http://127.0.0.1:11434/v1",
        base_url_variable="OLLAMA_HOST",
        read_base_url=_ollama,
    ),
    "vllm": Provider("http://127.0.0.1:8000/v1"),
}


def owner_of(variable: str) -> str | None:
    """Return the vendor whose key this variable holds by custom; None where it is nobody's."""
    return next((name for name, each in PROVIDERS.items() if variable in each.key_variables), None)

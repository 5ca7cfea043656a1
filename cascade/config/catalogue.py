"""The providers that need no entry in the configuration, by name.

This version speaks one protocol, OpenAI's chat completions. Anthropic and Google offer endpoints
for it beside their own APIs, and those are used; their native protocols come later. What such an
endpoint silently ignores (Anthropic: response formats, log-probabilities, seeds) or answers with
an error (Groq: log-probabilities) stands in ``lacks``, so that a request which needs it goes
elsewhere instead of being half obeyed. ``[models]`` overrides it.

A vendor's key variable belongs to that vendor's base URL. Another host gets the key only where
the configuration file or a base URL in the operator's environment names that host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import urlsplit

import msgspec

LimitParameter = Literal["max_tokens", "max_completion_tokens"]


class Provider(msgspec.Struct, frozen=True):
    """Where a provider's models are called, and with whose key.

    ``base_url`` is what ``/chat/completions`` is appended to; None where every customer has
    another one. The first of ``key_variables`` that is set holds the key; without any, none is
    sent. ``prices`` is the provider's name in genai-prices, None where it lists none of them.
    """

    base_url: str | None
    key_variables: tuple[str, ...] = ()
    base_url_variable: str | None = None
    read_base_url: Callable[[str], str] = str
    prices: str | None = None
    lacks: frozenset[str] = frozenset()
    limit_parameter: LimitParameter = "max_tokens"

    def resolved_base_url(self, env: Mapping[str, str]) -> str | None:
        """Return the base URL from the operator's environment, else the built-in one."""
        named = env.get(self.base_url_variable or "", "").strip()
        return self.read_base_url(named) if named else self.base_url


def _with_path(path: str) -> Callable[[str], str]:
    """The variable holds the host, and the protocol lies under ``path``."""
    return lambda url: url.rstrip("/") + path


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
        limit_parameter="max_completion_tokens",
    ),
    "anthropic": Provider(
        "https://api.anthropic.com/v1",
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        base_url_variable="ANTHROPIC_BASE_URL",
        read_base_url=_with_path("/v1"),
        prices="anthropic",
        lacks=frozenset(
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
        "https://generativelanguage.googleapis.com/v1beta/openai",
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        prices="google",
    ),
    "mistral": Provider(
        "https://api.mistral.ai/v1",
        ("MISTRAL_API_KEY",),
        prices="mistral",
        lacks=frozenset({"seed", "logit_bias", "user"}),
    ),
    "groq": Provider(
        "https://api.groq.com/openai/v1",
        ("GROQ_API_KEY",),
        prices="groq",
        lacks=frozenset({"logprobs", "logit_bias"}),
    ),
    "together": Provider(
        "https://api.together.xyz/v1",
        ("TOGETHER_API_KEY",),
        prices="together",
    ),
    "deepseek": Provider(
        "https://api.deepseek.com/v1",
        ("DEEPSEEK_API_KEY",),
        prices="deepseek",
    ),
    "openrouter": Provider(
        "https://openrouter.ai/api/v1",
        ("OPENROUTER_API_KEY",),
        prices="openrouter",
    ),
    "azure": Provider(
        None,
        ("AZURE_OPENAI_API_KEY",),
        base_url_variable="AZURE_OPENAI_ENDPOINT",
        read_base_url=_with_path("/openai/v1"),
        prices="azure",
        limit_parameter="max_completion_tokens",
    ),
    "ollama": Provider(
        "http://127.0.0.1:11434/v1",
        base_url_variable="OLLAMA_HOST",
        read_base_url=_ollama,
    ),
    "vllm": Provider("http://127.0.0.1:8000/v1"),
}

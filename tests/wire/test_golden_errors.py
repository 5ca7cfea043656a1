"""What providers refuse with, as they send it, and what each refusal means."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from cascade.types import Kind
from cascade.wire.failures import CallFailure, classify

ERRORS = Path(__file__).parent / "golden" / "errors"
NOW = 1_790_000_000.0  # 2026-09-21T14:13:20Z


class Golden(NamedTuple):
    """An answer, by its file's name, and what it means."""

    name: str
    kind: Kind
    retry_after: float | None = None
    needs: int | None = None


GOLDEN = [
    Golden("openai-insufficient-quota", Kind.QUOTA),
    Golden("openai-credit-balance-exhausted", Kind.QUOTA),
    Golden("openai-project-spend-limit", Kind.QUOTA),
    Golden("openai-organization-spend-limit", Kind.QUOTA),
    Golden("openai-organization-usage-limit", Kind.QUOTA),
    Golden("openai-billing-not-active", Kind.QUOTA),
    Golden("openai-tokens-per-minute", Kind.LIMITED, 0.644),
    Golden("openai-tokens-per-minute-with-header", Kind.LIMITED, 0.645),
    Golden("openai-requests-per-minute", Kind.LIMITED, 20.0),
    Golden("openai-requests-per-day", Kind.QUOTA, 432.0),
    Golden("openai-larger-than-the-minute", Kind.UNSUPPORTED),
    Golden("openai-context-length", Kind.TOO_LONG, None, 9001),
    Golden("openai-context-length-and-answer", Kind.TOO_LONG, None, 4012),
    Golden("openai-input-limit", Kind.TOO_LONG, None, 289_650),
    Golden("openai-context-window", Kind.TOO_LONG),
    Golden("openai-string-too-long", Kind.TOO_LONG),
    Golden("openai-bad-key", Kind.AUTH),
    Golden("openai-no-access", Kind.MISSING),
    Golden("openai-country", Kind.AUTH),
    Golden("openai-no-such-model", Kind.MISSING),
    Golden("openai-unsupported-parameter", Kind.UNSUPPORTED),
    Golden("openai-unsupported-value", Kind.UNSUPPORTED),
    Golden("openai-answer-limit", Kind.UNSUPPORTED),
    Golden("openai-bad-request", Kind.CALLER),
    Golden("openai-bad-schema", Kind.CALLER),
    Golden("openai-flagged", Kind.FILTERED),
    Golden("openai-server-error", Kind.UNAVAILABLE),
    Golden("openai-overloaded", Kind.OVERLOADED, 2.0),
    Golden("openai-slow-down", Kind.OVERLOADED),
    Golden("anthropic-rate-limit", Kind.LIMITED, 34.0),
    Golden("anthropic-rate-limit-without-retry-after", Kind.LIMITED, 30.0),
    Golden("anthropic-enforced-spend-limit", Kind.QUOTA),
    Golden("anthropic-contract-spend-limit", Kind.QUOTA),
    Golden("anthropic-monthly-spend-limit-in-words", Kind.QUOTA, 180.0),
    Golden("anthropic-ramp-limit", Kind.LIMITED, 12.0),
    Golden("anthropic-specified-usage-limits", Kind.QUOTA),
    Golden("anthropic-credit-balance", Kind.QUOTA),
    Golden("anthropic-billing", Kind.QUOTA),
    Golden("anthropic-overloaded", Kind.OVERLOADED),
    Golden("anthropic-api-error", Kind.UNAVAILABLE),
    Golden("anthropic-timeout", Kind.UNAVAILABLE),
    Golden("anthropic-bad-key", Kind.AUTH),
    Golden("anthropic-permission", Kind.AUTH),
    Golden("anthropic-organization-on-hold", Kind.AUTH),
    Golden("anthropic-no-such-model", Kind.MISSING),
    Golden("anthropic-prompt-too-long", Kind.TOO_LONG, None, 205_000),
    Golden("anthropic-prompt-and-answer-too-long", Kind.TOO_LONG, None, 178_959),
    Golden("anthropic-request-too-large", Kind.TOO_LONG),
    Golden("anthropic-answer-limit", Kind.UNSUPPORTED),
    Golden("anthropic-temperature-and-top-p", Kind.UNSUPPORTED),
    Golden("anthropic-extra-inputs", Kind.UNSUPPORTED),
    Golden("anthropic-output-blocked", Kind.FILTERED),
    Golden("anthropic-bad-request", Kind.CALLER),
    Golden("google-per-minute", Kind.LIMITED, 34.0),
    Golden("google-per-day", Kind.QUOTA, 47.0),
    Golden("google-allowance-of-nothing", Kind.QUOTA, 12.0),
    Golden("google-wait-in-words", Kind.LIMITED, 53.016342224),
    Golden("google-exhausted", Kind.LIMITED),
    Golden("google-rate-limit-exceeded", Kind.LIMITED),
    Golden("google-no-capacity", Kind.OVERLOADED, 2.463586755),
    Golden("google-overloaded", Kind.OVERLOADED),
    Golden("google-internal", Kind.UNAVAILABLE),
    Golden("google-deadline-exceeded", Kind.UNAVAILABLE),
    Golden("google-bad-key", Kind.AUTH),
    Golden("google-service-disabled", Kind.AUTH),
    Golden("google-billing-disabled", Kind.QUOTA),
    Golden("google-location", Kind.AUTH),
    Golden("google-input-too-long", Kind.TOO_LONG, None, 1_200_000),
    Golden("vertex-input-too-long", Kind.TOO_LONG, None, 1_200_000),
    Golden("google-unknown-field", Kind.UNSUPPORTED),
    Golden("google-bad-request", Kind.CALLER),
    Golden("google-no-such-model", Kind.MISSING),
    Golden("google-openai-face-array", Kind.AUTH),
    Golden("mistral-rate-limited", Kind.LIMITED, 24.0),
    Golden("mistral-capacity", Kind.OVERLOADED),
    Golden("mistral-prompt-too-long", Kind.TOO_LONG, None, 40_000),
    Golden("mistral-no-such-model", Kind.MISSING),
    Golden("mistral-unauthorized", Kind.AUTH),
    Golden("mistral-extra-input", Kind.UNSUPPORTED),
    Golden("mistral-missing-field", Kind.CALLER),
    Golden("groq-tokens-per-minute", Kind.LIMITED, 8.0),
    Golden("groq-tokens-per-day", Kind.QUOTA, 578.016),
    Golden("groq-larger-than-the-minute", Kind.UNSUPPORTED),
    Golden("groq-json-failed", Kind.MALFORMED),
    Golden("groq-tool-use-failed", Kind.MALFORMED),
    Golden("groq-decommissioned", Kind.MISSING),
    Golden("groq-unsupported-property", Kind.UNSUPPORTED),
    Golden("together-rate-limit", Kind.LIMITED, 1.0),
    Golden("together-too-long", Kind.TOO_LONG, None, 7500),
    Golden("together-too-long-403", Kind.TOO_LONG),
    Golden("together-no-such-model", Kind.MISSING),
    Golden("together-overloaded", Kind.OVERLOADED),
    Golden("deepseek-balance", Kind.QUOTA),
    Golden("deepseek-bad-key", Kind.AUTH),
    Golden("deepseek-too-long", Kind.TOO_LONG, None, 122_942),
    Golden("deepseek-answer-limit", Kind.UNSUPPORTED),
    Golden("deepseek-content-risk", Kind.FILTERED),
    Golden("deepseek-busy", Kind.OVERLOADED),
    Golden("openrouter-credits", Kind.UNSUPPORTED),
    Golden("openrouter-credits-twice-wrapped", Kind.UNSUPPORTED),
    Golden("openrouter-key-limit", Kind.QUOTA),
    Golden("openrouter-moderation", Kind.FILTERED),
    Golden("openrouter-upstream-limited", Kind.LIMITED),
    Golden("openrouter-free-per-day", Kind.QUOTA, 35200.0),
    Golden("openrouter-upstream-too-long", Kind.TOO_LONG, None, 40_001),
    Golden("openrouter-too-long", Kind.TOO_LONG, None, 42_632),
    Golden("openrouter-no-endpoint-with-tools", Kind.UNSUPPORTED),
    Golden("openrouter-no-endpoint", Kind.MISSING),
    Golden("openrouter-bad-gateway", Kind.UNAVAILABLE),
    Golden("azure-content-filter", Kind.FILTERED),
    Golden("azure-inner-error", Kind.FILTERED),
    Golden("azure-rate-limit", Kind.LIMITED, 86400.0),
    Golden("azure-rate-limit-with-headers", Kind.LIMITED, 1.563),
    Golden("azure-high-demand", Kind.OVERLOADED, 20.0),
    Golden("azure-no-deployment", Kind.MISSING),
    Golden("azure-wrong-operation", Kind.MISSING),
    Golden("azure-bad-key", Kind.AUTH),
    Golden("azure-gateway-plain", Kind.LIMITED, 9.0),
    Golden("ollama-no-model", Kind.MISSING),
    Golden("ollama-no-tools", Kind.UNSUPPORTED),
    Golden("ollama-own-form", Kind.UNSUPPORTED),
    Golden("ollama-busy", Kind.OVERLOADED),
    Golden("ollama-no-memory", Kind.MISSING),
    Golden("ollama-runner", Kind.UNAVAILABLE),
    Golden("vllm-too-long", Kind.TOO_LONG, None, 112_946),
    Golden("vllm-input-too-long", Kind.TOO_LONG, None, 5000),
    Golden("vllm-input-parameter", Kind.TOO_LONG, None, 12_289),
    Golden("vllm-answer-too-long", Kind.TOO_LONG, None, 500),
    Golden("vllm-no-such-model", Kind.MISSING),
    Golden("vllm-no-tool-parser", Kind.UNSUPPORTED),
    Golden("vllm-bad-key", Kind.AUTH),
    Golden("vllm-bad-request", Kind.CALLER),
    Golden("llamacpp-context", Kind.TOO_LONG, None, 6031),
    Golden("llamacpp-context-in-words", Kind.TOO_LONG, None, 6031),
    Golden("llamacpp-loading", Kind.OVERLOADED),
    Golden("llamacpp-bad-key", Kind.AUTH),
    Golden("llamacpp-no-form-for-it", Kind.UNSUPPORTED),
    Golden("llamacpp-no-grammar-for-it", Kind.UNSUPPORTED),
    Golden("llamacpp-not-supported", Kind.UNSUPPORTED),
    Golden("llamacpp-no-images", Kind.UNSUPPORTED),
    Golden("llamacpp-tools-need-a-template", Kind.UNSUPPORTED),
    Golden("xai-too-long", Kind.TOO_LONG, None, 136_973),
    Golden("xai-bad-key", Kind.AUTH),
    Golden("xai-content", Kind.FILTERED),
    Golden("bedrock-throttling", Kind.LIMITED),
    Golden("bedrock-per-day", Kind.QUOTA),
    Golden("bedrock-too-long", Kind.TOO_LONG),
    Golden("bedrock-not-ready", Kind.OVERLOADED),
    Golden("bedrock-quota", Kind.QUOTA),
    Golden("bedrock-on-demand", Kind.MISSING),
    Golden("bedrock-access-denied", Kind.AUTH),
    Golden("litellm-throttled", Kind.LIMITED, 2.0),
    Golden("litellm-budget", Kind.QUOTA),
    Golden("oneapi-user-quota", Kind.QUOTA),
    Golden("moonshot-quota", Kind.QUOTA),
    Golden("cascade-budget", Kind.QUOTA),
    Golden("error-in-a-message", Kind.QUOTA, 5.0),
    Golden("error-as-an-event", Kind.TOO_LONG, None, 41_911),
    Golden("cloudflare-blocked", Kind.FILTERED),
    Golden("cloudflare-bad-gateway", Kind.UNAVAILABLE),
    Golden("cloudflare-timeout", Kind.UNAVAILABLE),
    Golden("cloudflare-unknown", Kind.UNAVAILABLE),
    Golden("cloudflare-limited", Kind.LIMITED, 10.0),
    Golden("cloudflare-overloaded", Kind.OVERLOADED, 30.0),
    Golden("envoy-no-upstream", Kind.OVERLOADED),
    Golden("nginx-too-large", Kind.TOO_LONG),
    Golden("nginx-gateway-timeout", Kind.UNAVAILABLE),
    Golden("empty-429", Kind.LIMITED),
    Golden("empty-500", Kind.UNAVAILABLE),
    Golden("empty-404", Kind.MISSING),
    Golden("cut-off-quota", Kind.QUOTA),
    Golden("cut-off-rate-limit", Kind.LIMITED, 6.0),
    Golden("json-called-html", Kind.QUOTA),
    Golden("json-called-plain", Kind.TOO_LONG, None, 9001),
    Golden("html-called-json", Kind.UNAVAILABLE),
    Golden("array-of-words", Kind.CALLER),
    Golden("array-empty", Kind.OVERLOADED),
    Golden("fastapi-missing-field", Kind.CALLER),
    Golden("spring-not-found", Kind.MISSING),
    Golden("redirect", Kind.MISSING),
]


def classified(name: str) -> CallFailure:
    """Read a file (status line, headers, an empty line, body) as the provider's answer."""
    head, _, body = (ERRORS / f"{name}.http").read_bytes().partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return classify(int(first.split()[1]), headers, body, NOW)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.name)
def test_each_refusal_means_what_it_should(golden: Golden) -> None:
    failure = classified(golden.name)
    assert failure.kind is golden.kind, failure.message
    assert failure.retry_after == pytest.approx(golden.retry_after)
    assert failure.needs == golden.needs


def test_every_golden_file_is_in_the_table() -> None:
    assert sorted(path.stem for path in ERRORS.iterdir()) == sorted(row.name for row in GOLDEN)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.name)
def test_a_message_is_one_short_line(golden: Golden) -> None:
    message = classified(golden.name).message
    assert message.startswith("HTTP ")
    assert len(message) < 400
    assert message.isprintable()


def test_what_the_caller_had_sent_is_not_quoted_back() -> None:
    for name in ("mistral-extra-input", "fastapi-missing-field", "openrouter-moderation"):
        assert "what the caller" not in classified(name).message


def test_a_quoted_provider_is_quoted_in_its_own_words() -> None:
    assert "rate-limited upstream" in classified("openrouter-upstream-limited").message
    assert "resulted in 40001" in classified("openrouter-upstream-too-long").message

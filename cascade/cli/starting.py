"""What a first configuration is made of: the models of each provider, and the file's text."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cascade.config.catalogue import PROVIDERS
from cascade.config.keys import set_variable

LADDERS: dict[str, tuple[str, ...]] = {
    "openai": ("gpt-5.6-luna", "gpt-5.6-terra", "gpt-5.6-sol"),
    "anthropic": ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"),
    "google": ("gemini-3.5-flash-lite", "gemini-3.8-flash", "gemini-4-argon"),
    "mistral": ("mistral-small-latest", "mistral-large-latest"),
    "deepseek": ("deepseek-v4-flash", "deepseek-v4-pro"),
    "groq": ("llama-3.1-8b-instant", "openai/gpt-oss-120b", "llama-3.3-70b-versatile"),
    "together": (
        "openai/gpt-oss-120b",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "deepseek-ai/DeepSeek-V4-Pro-0813",
    ),
    "openrouter": ("openai/gpt-5.6-luna", "openai/gpt-5.6-terra", "openai/gpt-5.6-sol"),
}
"""From cheapest to strongest, all of them in the price list. The first provider whose key is
found makes the default ladder. Azure's models have the names their customer gave them."""


class Found(msgspec.Struct, frozen=True):
    """A provider whose key is in the environment, and the variable that holds it."""

    provider: str
    variable: str


def providers_with_keys(env: Mapping[str, str]) -> list[Found]:
    """Return the providers that could be called now, those we know a ladder for first."""
    names = [*LADDERS, *(name for name in PROVIDERS if name not in LADDERS)]
    found = []
    for name in names:
        variable = set_variable(PROVIDERS[name].key_variables, env)
        if variable is not None:
            found.append(Found(name, variable))
    return found


def ladders_for(found: list[Found]) -> dict[str, list[str]]:
    """Return the ladders of a first configuration: the default, and one for each further
    provider under its name."""
    usable = [each.provider for each in found if each.provider in LADDERS]
    return {
        "default" if at == 0 else provider: [f"{provider}/{model}" for model in LADDERS[provider]]
        for at, provider in enumerate(usable)
    }


def file_text(ladders: Mapping[str, list[str]], costs: Mapping[str, float | None]) -> str:
    """Write the file. ``costs`` are US dollars for 1,000 requests, by model."""
    width = max(map(len, ladders))
    lines = [
        f"{name:<{width}} = [{', '.join(map(_quoted, models))}]" for name, models in ladders.items()
    ]
    longest = max(map(len, costs))
    told = [
        f"#   {model:<{longest}}  {'unknown' if cost is None else f'${cost:,.2f}'}"
        for model, cost in costs.items()
    ]
    return _TEXT.format(ladders="\n".join(lines), costs="\n".join(told))


def _quoted(model: str) -> str:
    return f'"{model}"'


_TEXT = """\
# Written by `cascade init`. Two lines are enough: [ladders] and its default. All else has
# defaults, and what is written below as a comment is the default.
# `cascade check` finds every mistake and shows what applies.

# Rungs from cheapest to strongest, as PROVIDER/MODEL; the last is the reference. Keys come from
# the environment. `default` serves requests that name no ladder.
[ladders]
{ladders}

# What 1,000 requests of 500 tokens in and 250 out cost on each rung alone, by the price list of
# the day this was written. A request that climbs pays every rung it tried.
{costs}

# Only where the price list is wrong or silent, US dollars per million tokens:
# [models."PROVIDER/MODEL"]
# price = {{ input = 0.20, cached = 0.02, output = 1.20 }}      # or "free" for your own machine

[decide]
preset = "balanced"          # safe | balanced | cheap | best. Not calibrated: a rule of thumb
# delivery   = "verified"    # or "live": stream before the answer is checked
# at_the_end = "best_effort" # or "error": when no answer cleared its bar
# deadline   = 120           # seconds
# max_cost   = 0.05          # US dollars for one request, all its calls together; no cap unless set

[cache]
# size = "1 GB"
# ttl  = "7 d"

[server]
# listen  = "127.0.0.1:8700"
# aliases = {{ "gpt-4o" = "auto" }}      # for clients that cannot change their model name
"""

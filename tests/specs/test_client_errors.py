"""What goes wrong has the name, in each provider's own client, that it has at the provider."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from cascade.emulator import Emulator
from tests.serving import running
from tests.specs.asking import MODEL, PROMPTS, RECORDING

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # their own, at import
    from google import genai
    from google.genai import errors as genai_errors
    from google.genai import types as genai_types
    from mistralai.client import Mistral
    from mistralai.client import errors as mistral_errors

ASKED: list[Any] = [{"role": "user", "content": PROMPTS[0]}]


@pytest.fixture(scope="module", autouse=True)
def no_proxy() -> Iterator[None]:
    """Nothing leaves the loopback."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            patch.delenv(name)
        yield


FAULTS = {
    "429-retry-after": (openai.RateLimitError, anthropic.RateLimitError, 429),
    "500": (openai.InternalServerError, anthropic.InternalServerError, 500),
    "503": (openai.InternalServerError, anthropic.InternalServerError, 503),
    "529": (openai.InternalServerError, anthropic.InternalServerError, 529),
    "reset": (openai.APIConnectionError, anthropic.APIConnectionError, None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_client_calls_a_fault_by_its_name(fault: str) -> None:
    openais, anthropics, status = FAULTS[fault]
    with running(Emulator(RECORDING, 0, faults=f"{fault}=1")) as url:
        with (
            openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as to_openai,
            pytest.raises(openais),
        ):
            to_openai.chat.completions.create(model=MODEL, messages=ASKED)
        with (
            anthropic.Anthropic(base_url=url, api_key="x", max_retries=0) as to_anthropic,
            pytest.raises(anthropics),
        ):
            to_anthropic.messages.create(model=MODEL, max_tokens=9, messages=ASKED)
        if status is not None:
            _check_googles_and_mistrals(url, status)


def _check_googles_and_mistrals(url: str, status: int) -> None:
    to_gemini = genai.Client(api_key="x", http_options=genai_types.HttpOptions(base_url=url))
    kind = genai_errors.ServerError if status >= 500 else genai_errors.ClientError
    try:
        with pytest.raises(kind) as caught:
            to_gemini.models.generate_content(model=MODEL, contents=PROMPTS[0])
        assert caught.value.code == status
    finally:
        to_gemini.close()
    with Mistral(api_key="x", server_url=url) as client:
        with pytest.raises(mistral_errors.SDKError) as failed:
            client.chat.complete(model=MODEL, messages=ASKED)
        assert failed.value.status_code == status


def test_each_client_hears_by_name_of_a_parameter_that_is_refused() -> None:
    with running(Emulator(RECORDING, 0)) as url:
        with (
            openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as to_openai,
            pytest.raises(openai.BadRequestError) as openais,
        ):
            to_openai.chat.completions.create(model=MODEL, messages=ASKED, n=2)
        assert openais.value.param == "n"
        with (
            anthropic.Anthropic(base_url=url, api_key="x", max_retries=0) as to_anthropic,
            pytest.raises(anthropic.BadRequestError, match="container"),
        ):
            to_anthropic.messages.create(
                model=MODEL, max_tokens=9, messages=ASKED, container="mine"
            )
        with (
            Mistral(api_key="x", server_url=url) as to_mistral,
            pytest.raises(mistral_errors.SDKError, match="safe_prompt"),
        ):
            to_mistral.chat.complete(model=MODEL, messages=ASKED, safe_prompt=True)
        to_gemini = genai.Client(api_key="x", http_options=genai_types.HttpOptions(base_url=url))
        config = genai_types.GenerateContentConfig(candidate_count=2)
        try:
            with pytest.raises(genai_errors.ClientError, match="candidateCount"):
                to_gemini.models.generate_content(model=MODEL, contents="Hi", config=config)
        finally:
            to_gemini.close()

"""The emulator answers whatever the official documents allow and forbid as they describe it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.emulator import Emulator
from cascade.learning.trace import RecordedAnswer, Recording, Row
from cascade.types import ProtocolName
from tests.serving import running
from tests.specs.asking import MODEL, RECORDING, base, cases, names, recorded
from tests.specs.checking import CASES, GENERATED, check, check_error, mistakes
from tests.specs.documents import validator

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # their own, at import
    from google import genai
    from google.genai import types as genai_types

COUNTS = ("POST /v1/messages/count_tokens", "POST /v1beta/models/{model}:countTokens")
STREAMS = "POST /v1beta/models/{model}:streamGenerateContent"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(Emulator(RECORDING, 0)) as address:
        yield address


@pytest.mark.parametrize(("protocol", "name"), names("GET", "POST"))
def test_what_a_document_allows_gets_an_answer_or_an_error_as_described(
    protocol: ProtocolName, name: str, url: str
) -> None:
    @GENERATED
    @given(cases(protocol, name, valid=True))
    def run(case: Any) -> None:
        check(protocol, case, case.call(base_url=base(protocol, url)))

    run()


@pytest.mark.parametrize(("protocol", "name"), names("POST"))
def test_a_recorded_prompt_is_answered_as_described_whatever_stands_beside_it(
    protocol: ProtocolName, name: str, url: str
) -> None:
    answered = 0

    @GENERATED
    @given(recorded(protocol, name), st.booleans())
    def run(case: Any, stream: bool) -> None:
        nonlocal answered
        if name == STREAMS:
            case.query = {"alt": "sse"} if stream else {}
        elif protocol != "gemini" and name not in COUNTS:
            case.body["stream"] = stream
        response = case.call(base_url=base(protocol, url))
        answered += response.status_code == 200
        check(protocol, case, response)

    run()
    assert answered >= max(1, CASES // 8), "too much was refused to say anything of answers"


@pytest.mark.parametrize(
    ("protocol", "name"), [each for each in names("POST") if each[1] != STREAMS]
)
def test_what_a_document_forbids_is_refused(protocol: ProtocolName, name: str, url: str) -> None:
    @GENERATED
    @given(cases(protocol, name, valid=False) | recorded(protocol, name, valid=False))
    def run(case: Any) -> None:
        response = case.call(base_url=base(protocol, url))
        assert response.status_code < 500
        sent = response.request.body
        if mistakes(protocol, name, sent):
            assert response.status_code >= 400, sent
            check_error(protocol, response.status_code, response.json())

    run()


OTHERS = [
    (protocol, name, method)
    for protocol, name in names("GET", "POST")
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE")
    if not (name.startswith(method) or (method == "HEAD" and name.startswith("GET")))
]


@pytest.mark.parametrize(("protocol", "name", "method"), OTHERS)
def test_a_method_that_a_path_does_not_have_is_refused_with_those_it_has(
    protocol: ProtocolName, name: str, method: str, url: str, http: httpx.Client
) -> None:
    own, _, path = name.partition(" ")
    place = path.replace("{model}", MODEL).replace("{model_id}", MODEL)
    response = http.request(method, base(protocol, url) + place)
    assert response.status_code == 405
    assert response.headers["allow"].split(", ")[0] == own
    if method != "HEAD":
        assert method in response.json()["error"]["message"]


@pytest.mark.parametrize("name", ["system", "tools", "temperature", "stream", "metadata"])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_anthropics_parameters_are_left_out_and_never_null(
    url: str, path: str, name: str, http: httpx.Client
) -> None:
    body: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Think."}]}
    if path == "/v1/messages":
        body["max_tokens"] = 9
    assert http.post(url + path, json=body | {"cache_control": None}).status_code == 200
    response = http.post(url + path, json=body | {name: None})
    assert response.status_code == 400
    assert name in check_error("anthropic", 400, response.json())


def test_a_list_of_models_whose_protocol_nothing_tells_fits_both_documents(
    url: str, http: httpx.Client
) -> None:
    body = http.get(f"{url}/v1/models").json()
    validator("openai", "ListModelsResponse").validate(body)
    validator("anthropic", "ListResponse_ModelInfo_").validate(body)
    model = http.get(f"{url}/v1/models/{MODEL}").json()
    validator("openai", "Model").validate(model)
    validator("anthropic", "ModelInfo").validate(model)


# --- many models, page by page

NAMES = [f"model-{number:02}" for number in range(45)]


@pytest.fixture(scope="module")
def many() -> Iterator[str]:
    answer = RecordedAnswer(text="Yes.")
    recording = Recording([Row(prompt="Is it?", answers=dict.fromkeys(NAMES, answer))])
    with running(Emulator(recording, 0)) as address:
        yield address


@pytest.mark.parametrize("size", [None, 1, 7, 45, 1000])
def test_anthropics_client_turns_the_pages_forwards_and_backwards(
    many: str, size: int | None
) -> None:
    asked: dict[str, Any] = {} if size is None else {"limit": size}
    with anthropic.Anthropic(base_url=many, api_key="x", max_retries=0) as client:
        assert [model.id for model in client.models.list(**asked)] == NAMES
        backwards = client.models.list(before_id=NAMES[-1], **asked)
        found = [model.id for page in backwards.iter_pages() for model in reversed(page.data)]
    assert found == NAMES[-2::-1]


@pytest.mark.parametrize("size", [None, 1, 7, 45, 5000])
def test_googles_client_turns_the_pages(many: str, size: int | None) -> None:
    options = genai_types.HttpOptions(base_url=many)
    client = genai.Client(api_key="x", http_options=options)
    try:
        listed = client.models.list(config=genai_types.ListModelsConfig(page_size=size))
        assert [str(model.name).removeprefix("models/") for model in listed] == NAMES
    finally:
        client.close()


def test_openais_list_has_no_pages(many: str) -> None:
    with openai.OpenAI(base_url=f"{many}/v1", api_key="x", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == NAMES


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "after_id=nobody", "before_id=nobody"]
)
def test_a_page_that_there_is_not_is_refused_by_name(
    many: str, query: str, http: httpx.Client
) -> None:
    response = http.get(f"{many}/v1/models?{query}", headers={"x-api-key": "x"})
    assert response.status_code == 400
    assert query.partition("=")[0] in check_error("anthropic", 400, response.json())
    asked = query.replace("limit", "pageSize").replace("=0", "=-1").replace("=1001", "=-2")
    if "pageSize" in asked:
        response = http.get(f"{many}/v1beta/models?{asked}")
        assert response.status_code == 400
        assert "pageSize" in check_error("gemini", 400, response.json())

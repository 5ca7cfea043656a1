"""The server answers as the official documents describe it, plus what it says under ``cascade``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.emulator import Emulator
from cascade.types import ProtocolName
from cascade.wire.sse import SseReader
from tests.server.kit import serving
from tests.serving import running
from tests.specs.asking import RECORDING, base, names, recorded
from tests.specs.checking import CASES, GENERATED, check_answer, check_error, mistakes
from tests.specs.documents import of_event, validator

CONFIG = """
[ladders]
default = ["model"]

[rungs]
model = "test/model"

[providers.test]
base_url = "URL"
key = "$TEST_KEY"

[models."test/model"]
price = { input = 0.10, output = 0.40 }
"""
ASKED: dict[str, Any] = {"model": "auto", "prompts": ("Which rivers?", "Think.", "Who counts?")}
ANSWERS = [each for each in names("POST") if "ount" not in each[1]]
LISTS = {
    "openai": ("/v1/models", "ListModelsResponse", "Model"),
    "anthropic": ("/v1/models", "ListResponse_ModelInfo_", "ModelInfo"),
    "gemini": ("/v1beta/models", "ListModelsResponse", "Model"),
}
HEADERS = {"openai": {}, "anthropic": {"anthropic-version": "2023-06-01"}, "gemini": {}}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("specs")
    with (
        running(Emulator(RECORDING, 0)) as provider,
        serving(f"{provider}/v1", folder, config=CONFIG) as address,
    ):
        yield address


def plain(body: Any) -> Any:
    """A body without what only the server says: at its top, and in its usage."""
    if isinstance(body, list):
        return [plain(each) for each in body]
    kept = {key: value for key, value in body.items() if key != "cascade"}
    if isinstance(usage := kept.get("usage"), dict):
        kept["usage"] = {key: value for key, value in usage.items() if key != "cascade"}
    return kept


def check(protocol: ProtocolName, name: str, response: Any) -> None:
    """Check an answer, whole or streamed, or an error that is the caller's."""
    if response.status_code != 200:
        assert response.status_code == 400, response.text
        check_error(protocol, 400, plain(response.json()))
    elif "text/event-stream" not in response.headers["content-type"][0]:
        answers = plain(response.json())
        for answer in answers if isinstance(answers, list) else [answers]:
            check_answer(protocol, name, answer)
    else:
        events = [event.data for event in SseReader().feed(response.content)]
        if protocol == "openai":
            assert events.pop() == b"[DONE]"
        for data in events:
            of_event(protocol).validate(plain(json.loads(data)))


@pytest.mark.parametrize(("protocol", "name"), ANSWERS)
def test_a_prompt_is_answered_as_described_whatever_stands_beside_it(
    protocol: ProtocolName, name: str, url: str
) -> None:
    answered = 0

    @GENERATED
    @given(recorded(protocol, name, **ASKED), st.booleans())
    def run(case: Any, stream: bool) -> None:
        nonlocal answered
        if name.endswith("streamGenerateContent"):
            case.query = {"alt": "sse"} if stream else {}
        elif protocol != "gemini":
            case.body["stream"] = stream
        response = case.call(base_url=base(protocol, url))
        answered += response.status_code == 200
        check(protocol, name, response)

    run()
    assert answered >= max(1, CASES // 8), "too much was refused to say anything of answers"


@pytest.mark.parametrize(("protocol", "name"), ANSWERS[:3])  # the fourth is read as the third
def test_what_a_document_forbids_is_refused(protocol: ProtocolName, name: str, url: str) -> None:
    @GENERATED
    @given(recorded(protocol, name, valid=False, **ASKED))
    def run(case: Any) -> None:
        response = case.call(base_url=base(protocol, url))
        sent = response.request.body
        if mistakes(protocol, name, sent):
            assert response.status_code == 400, sent
        check(protocol, name, response)

    run()


@pytest.mark.parametrize("protocol", LISTS)
def test_the_models_are_listed_as_described(
    protocol: ProtocolName, url: str, http: httpx.Client
) -> None:
    path, whole, single = LISTS[protocol]
    body = http.get(url + path, headers=HEADERS[protocol]).json()
    models = [plain(model) for model in body.get("data") or body["models"]]
    listed = {"models": models} if protocol == "gemini" else body | {"data": models}
    validator(protocol, whole).validate(listed)
    for model in models:
        name = str(model.get("id") or model["name"]).removeprefix("models/")
        found = http.get(f"{url}{path}/{name}", headers=HEADERS[protocol]).json()
        validator(protocol, single).validate(plain(found))
    missing = http.get(f"{url}{path}/nobody", headers=HEADERS[protocol])
    assert missing.status_code == 404
    check_error(protocol, 404, missing.json())

"""What only Anthropic's clients expect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx
import pytest

from cascade import tokens
from cascade.types import Message, Request
from tests.server.clients import TOWN
from tests.server.kit import ASKED, EASY

PATH = "/v1/messages"
BODY: dict[str, Any] = {"model": "auto", "messages": ASKED, "max_tokens": 100}
COUNTED: dict[str, Any] = {"model": "auto", "messages": ASKED}
TEXT = "The Rhine and the Moselle."


@pytest.fixture
def client(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="unused", max_retries=0) as client:
        yield client


def test_a_whole_answer_is_a_message_with_an_id(client: anthropic.Anthropic) -> None:
    raw = client.messages.with_raw_response.create(**BODY)
    answer = raw.parse()
    assert (answer.type, answer.role, answer.model) == ("message", "assistant", "small")
    assert answer.id
    assert answer._request_id == raw.headers["x-request-id"]
    assert answer.model_extra is not None
    assert answer.model_extra["cascade"]["rung"] == "small"


def test_the_beta_client_is_answered_too(client: anthropic.Anthropic) -> None:
    answer = client.beta.messages.create(**BODY, betas=["token-counting-2024-11-01"])
    assert answer.content[0].type == "text"
    assert answer.content[0].text == TEXT


def test_a_stream_has_its_events_in_order(client: anthropic.Anthropic) -> None:
    with client.messages.create(**BODY, stream=True) as stream:
        kinds = [event.type for event in stream]
    inner = kinds.count("content_block_delta")
    assert kinds == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * inner,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_a_key_in_either_header_is_accepted(http: httpx.Client, header: str) -> None:
    headers = {header: "Bearer unused", "anthropic-version": "2023-06-01"}
    assert http.post(PATH, json=BODY, headers=headers).status_code == 200


def test_tokens_are_counted_without_a_call(
    client: anthropic.Anthropic, calls: Callable[[], int]
) -> None:
    raw = client.messages.with_raw_response.count_tokens(**COUNTED)
    request = Request(messages=(Message("user", EASY),))
    assert raw.parse().input_tokens == tokens.estimate_request(request)
    assert raw.headers["x-cascade-estimated"] == "true"
    assert raw.headers["request-id"] == raw.headers["x-request-id"]
    assert calls() == 0


def test_a_count_takes_all_that_is_part_of_the_input(client: anthropic.Anthropic) -> None:
    plain = client.messages.count_tokens(**COUNTED).input_tokens
    system = client.messages.count_tokens(**COUNTED, system="Be brief.").input_tokens
    tool: Any = {"name": "weather", "description": "Tells it.", "input_schema": TOWN}
    tools = client.messages.count_tokens(
        **COUNTED, tools=[tool], thinking={"type": "enabled", "budget_tokens": 2048}
    ).input_tokens
    assert plain < system < tools < 100


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"model": "auto"}', 400),
        (b'{"model": "nobody", "messages": [{"role": "user", "content": "?"}]}', 404),
    ],
)
def test_a_count_of_what_is_no_request_is_refused(
    http: httpx.Client, body: bytes, status: int
) -> None:
    response = http.post(f"{PATH}/count_tokens", content=body)
    assert response.status_code == status
    assert response.json()["type"] == "error"
    assert response.json()["error"]["message"]


def test_models_are_listed_in_its_shape_for_its_clients_only(
    client: anthropic.Anthropic, http: httpx.Client
) -> None:
    page = client.models.list()
    assert page.has_more is False
    assert (page.first_id, page.last_id) == ("auto", "vendor/fast")
    assert [model.type for model in page.data] == ["model"] * 8
    assert page.data[0].created_at.timestamp() == 0
    assert client.models.retrieve("vendor/fast").display_name == "vendor/fast"
    assert http.get("/v1/models").json()["object"] == "list"
    with pytest.raises(anthropic.NotFoundError, match="Did you mean vendor/fast"):
        client.models.retrieve("vendor/fas")


@pytest.mark.parametrize(
    ("change", "error", "kind"),
    [
        ({"model": "nobody"}, anthropic.NotFoundError, "not_found_error"),
        ({"max_tokens": 0}, anthropic.BadRequestError, "invalid_request_error"),
        ({"messages": [{"role": "user", "content": "x" * 1_100_000}]},
         anthropic.ContentTooLargeError, "request_too_large"),
        ({"extra_body": {"cascade": {"cache": "only"}}},
         anthropic.GatewayTimeoutError, "timeout_error"),
    ],
)  # fmt: skip
def test_errors_are_its_own_exceptions(
    client: anthropic.Anthropic,
    change: dict[str, Any],
    error: type[anthropic.APIStatusError],
    kind: str,
) -> None:
    with pytest.raises(error) as caught:
        client.messages.create(**BODY | change)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["type"] == kind
    assert caught.value.request_id is not None
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_its_client_does_not_ask_again_after_an_error(client: anthropic.Anthropic) -> None:
    patient = client.with_options(max_retries=3)
    with pytest.raises(anthropic.GatewayTimeoutError) as caught:
        patient.messages.create(**BODY, extra_headers={"cache-control": "only-if-cached"})
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", PATH, 405, "invalid_request_error"),
        ("GET", f"{PATH}/count_tokens", 405, "invalid_request_error"),
        ("POST", f"{PATH}/batches", 404, "not_found_error"),
    ],
)
def test_other_addresses_and_methods_are_refused_in_its_shape(
    http: httpx.Client, method: str, path: str, status: int, kind: str
) -> None:
    response = http.request(method, path)
    assert response.status_code == status
    assert response.json()["error"]["type"] == kind


def test_a_web_page_of_another_address_may_not_even_count(http: httpx.Client) -> None:
    headers = {"origin": "https://evil.example"}
    for path in (PATH, f"{PATH}/count_tokens"):
        response = http.post(path, json=BODY, headers=headers)
        assert response.status_code == 403
        assert response.json()["error"]["type"] == "permission_error"

"""What goes wrong comes back in the client's shape, tells what to mend, and is never retried."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from cascade.engine.engine import Engine
from cascade.errors import Unavailable
from cascade.server.dialects import DIALECTS
from cascade.server.errors import problem
from cascade.types import ProtocolName
from tests.server.kit import ASKED, KEY, PATH, always, before, failure, serving

BODY: dict[str, Any] = {"model": "auto", "messages": ASKED}


@pytest.fixture
def url(shared_url: str) -> str:
    return shared_url


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check the shape of an error and return it."""
    assert response.status_code == status, response.text
    assert response.headers["x-should-retry"] == "false"
    assert response.headers["content-type"] == "application/json"
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert KEY not in response.text
    return error


def test_an_unknown_model_is_a_404_that_lists_what_there_is(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="smal", messages=ASKED)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    for name in ("'smal'", "auto", "default", "batch", "strong", "gpt-4o", "Did you mean small?"):
        assert name in caught.value.message


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"n": 2}, "unsupported_parameter", "n"),
        ({"colour": "red"}, "unsupported_parameter", "colour"),
        ({"temperature": "hot"}, "invalid_request", "temperature"),
        ({"messages": []}, "invalid_request", "messages"),
        (
            {"messages": [{"role": "user", "content": " "}]},
            "invalid_request",
            "messages[0].content",
        ),
        ({"cascade": {"speed": 1}}, "unsupported_parameter", "cascade.speed"),
        ({"cascade": {"ladder": "steep"}}, "invalid_request", "ladder"),
    ],
)
def test_a_mistake_in_the_request_is_a_400_that_names_the_place(
    http: httpx.Client, changes: dict[str, Any], code: str, param: str
) -> None:
    for stream in (False, True):
        error = refused(http.post(PATH, json=BODY | changes | {"stream": stream}), 400, code)
        assert error["param"] == param
        assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"model": NaN}'])
def test_a_body_that_is_no_request_is_a_400(http: httpx.Client, body: bytes) -> None:
    assert refused(http.post(PATH, content=body), 400, "invalid_request")["message"]


def test_a_cap_below_the_cheapest_call_is_a_400_that_says_what_it_costs(
    http: httpx.Client,
) -> None:
    response = http.post(PATH, json=BODY | {"cascade": {"max_cost": 1e-9}})
    assert refused(response, 400, "cap_too_low")["param"] == "cascade.max_cost"
    assert response.json()["cascade"]["cheapest_usd"] > 1e-9


def test_a_body_beyond_the_limit_is_a_413_that_states_the_limit(http: httpx.Client) -> None:
    long = [{"role": "user", "content": "x" * 1_100_000}]
    error = refused(http.post(PATH, json=BODY | {"messages": long}), 413, "request_too_large")
    assert "longer than 1,000,000 bytes" in error["message"]
    pieces = (b"x" * 400_000 for _ in range(3))
    refused(http.post(PATH, content=pieces), 413, "request_too_large")
    assert http.post(PATH, json=BODY).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("POST", "/chat/completions", 404, "not_found"),
        ("POST", "/v1/responses", 404, "not_found"),
        ("GET", "/metrics", 404, "not_found"),
        ("GET", PATH, 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("DELETE", "/v1/models/auto", 405, "method_not_allowed"),
        ("DELETE", "/health/liveness", 405, "method_not_allowed"),
    ],
)
def test_other_addresses_and_methods_are_refused(
    http: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    response = http.request(method, path)
    assert refused(response, status, code)["message"]
    if status == 405:
        assert response.headers["allow"] in ("POST", "GET, HEAD")


@pytest.mark.anyio
async def test_when_everything_fails_the_attempts_are_told(tmp_path: Path) -> None:
    down = failure(b"500 Internal Server Error", "out of order")
    async with before(always(down), tmp_path) as stage:
        for stream in (False, True):
            response = await stage.http.post(PATH, json=BODY | {"stream": stream, "model": "small"})
            error = refused(response, 503, "no_answer")
            assert "out of order" in error["message"]
            (attempt,) = response.json()["cascade"]["attempts"]
            assert attempt["result"] == "failed"
            assert attempt["kind"] == "unavailable"
            assert attempt["endpoint"] == "test/small"


@pytest.mark.anyio
async def test_a_client_does_not_ask_again_after_an_error(tmp_path: Path) -> None:
    down = failure(b"500 Internal Server Error", "out of order")
    async with before(always(down), tmp_path) as stage:
        client = stage.openai.with_options(max_retries=5)
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="small", messages=ASKED)
        assert stage.provider.requests == 1


@pytest.mark.anyio
async def test_a_request_that_the_provider_refuses_is_a_400(tmp_path: Path) -> None:
    wrong = failure(b"400 Bad Request", "tools are malformed", "invalid_request_error")
    async with before(always(wrong), tmp_path) as stage:
        response = await stage.http.post(PATH, json=BODY)
    assert "tools are malformed" in refused(response, 400, "rejected_by_provider")["message"]


@pytest.mark.anyio
async def test_a_deadline_that_passes_is_a_504(tmp_path: Path) -> None:
    async with before(lambda peer: peer.gone(), tmp_path) as stage:
        options = {"cascade": {"deadline": 0.1}}
        for stream in (False, True):
            response = await stage.http.post(PATH, json=BODY | options | {"stream": stream})
            refused(response, 504, "deadline_exceeded")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "status", [b"401 Unauthorized", b"400 Bad Request", b"429 Too Many Requests", b"503 Down"]
)
async def test_a_key_that_a_provider_repeats_goes_no_further(tmp_path: Path, status: bytes) -> None:
    said = failure(status, f"you sent Authorization: Bearer {KEY}, key {KEY}")
    async with before(always(said), tmp_path) as stage:
        for stream in (False, True):
            response = await stage.http.post(PATH, json=BODY | {"stream": stream, "model": "small"})
            assert response.status_code in (400, 503)
            assert KEY not in response.text
            assert KEY not in str(response.headers)
        assert KEY.encode() in stage.provider.peers[0].heads[0]


@pytest.mark.parametrize("protocol", DIALECTS)
@pytest.mark.parametrize(("wait", "told"), [(2.2, b"3"), (2.0, b"2"), (0.2, b"1"), (0.0, b"1")])
def test_when_every_endpoint_is_closed_the_wait_is_told_in_whole_seconds_at_least_one(
    protocol: ProtocolName, wait: float, told: bytes
) -> None:
    closed = Unavailable("all endpoints are closed", retry_after=wait)
    reply = problem(closed, "req_1", DIALECTS[protocol])
    assert reply.status == 503
    assert (b"retry-after", told) in reply.headers
    assert (b"x-should-retry", b"false") in reply.headers


def test_a_missing_key_is_a_500_that_names_the_variable(provider: str, tmp_path: Path) -> None:
    with serving(f"{provider}/v1", tmp_path, environ={}) as url, httpx.Client(base_url=url) as http:
        error = refused(http.post(PATH, json=BODY), 500, "missing_key")
        assert "$TEST_KEY is not set" in error["message"]


def test_a_defect_is_logged_once_under_the_id_that_the_client_gets(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(Engine, "look_up", breaks)
    with caplog.at_level(logging.ERROR):
        response = http.post(PATH, json=BODY)
    error = refused(response, 500, "internal_error")
    identity = response.headers["x-request-id"]
    assert identity in error["message"]
    assert "secret" not in response.text
    (record,) = caplog.records
    assert record.name == "cascade.server"
    assert identity in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)

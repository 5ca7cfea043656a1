"""What only Google's clients expect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from google import genai
from google.genai import errors, types

from cascade import tokens
from cascade.server import events
from cascade.types import Message, Request
from tests.providers.rawserver import Peer
from tests.server.clients import body
from tests.server.kit import EASY, HARD, HEAD, before, end_stream, event

GENERATE = "/v1beta/models/auto:generateContent"
STREAM = "/v1beta/models/auto:streamGenerateContent"
COUNT = "/v1beta/models/auto:countTokens"
METHODS = ["generateContent", "streamGenerateContent", "countTokens"]
TEXT = "The Rhine and the Moselle."
LIVE = '[decide]\ndelivery = "live"\npreset = "cheap"\n'


def client_at(url: str, **options: Any) -> genai.Client:
    return genai.Client(api_key="unused", http_options=types.HttpOptions(base_url=url, **options))


@pytest.fixture
def client(url: str) -> Iterator[genai.Client]:
    with client_at(url) as client:
        yield client


def texts(chunks: list[dict[str, Any]]) -> str:
    return "".join(
        part.get("text", "")
        for chunk in chunks
        for candidate in chunk.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
    )


def test_the_synchronous_client_is_answered(client: genai.Client) -> None:
    answer = client.models.generate_content(model="auto", contents=EASY)
    assert answer.text == TEXT
    assert answer.model_version == "small"
    assert answer.response_id
    stream = client.models.generate_content_stream(model="auto", contents=EASY)
    assert "".join(chunk.text or "" for chunk in stream) == TEXT


def test_the_client_of_its_first_version_is_answered(url: str) -> None:
    with client_at(url, api_version="v1") as client:
        assert client.models.generate_content(model="auto", contents=EASY).text == TEXT
        assert next(iter(client.models.list())).name == "models/auto"
        assert client.models.get(model="vendor/fast").name == "models/vendor/fast"


def test_a_key_in_the_query_is_accepted(http: httpx.Client) -> None:
    assert http.post(f"{GENERATE}?key=unused", json=body("gemini")).status_code == 200
    streamed = http.post(f"{STREAM}?key=unused&alt=sse", json=body("gemini"))
    assert streamed.text.startswith("data: {")


def test_a_stream_without_alt_sse_is_a_list(http: httpx.Client, calls: Callable[[], int]) -> None:
    for _ in range(2):  # live, then from the cache
        response = http.post(STREAM, json=body("gemini", HARD))
        assert response.headers["content-type"] == "application/json"
        assert texts(response.json()) == "The Rhine."
        assert response.json()[-1]["candidates"][0]["finishReason"] == "STOP"
    assert calls() == 2


@pytest.mark.anyio
async def test_a_list_that_breaks_ends_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "QUIET_S", 0.02)
    half, lively = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await lively.wait()
        await peer.send(HEAD)
        await peer.chunk(event({"content": "half "}))
        await peer.chunk(event({"content": "of"}))
        await half.wait()
        peer.reset()

    async with (
        before(script, tmp_path, LIVE) as stage,
        stage.http.stream(
            "POST", STREAM.replace("auto", "strong"), json=body("gemini")
        ) as response,
    ):
        received = ""
        async for text in response.aiter_text():
            received += text
            lively.set()
            if "half" in received:
                half.set()
    assert received.startswith("\n")
    *chunks, last = msgspec.json.decode(received)
    assert texts(chunks).startswith("half")
    assert last["error"]["code"] == 502


def test_tokens_are_counted_without_a_call(client: genai.Client, calls: Callable[[], int]) -> None:
    request = Request(messages=(Message("user", EASY),))
    counted = client.models.count_tokens(model="auto", contents=EASY)
    assert counted.total_tokens == tokens.estimate_request(request)
    assert calls() == 0


def test_a_count_is_an_estimate_of_the_whole_request_bare_or_wrapped(http: httpx.Client) -> None:
    bare = body("gemini")
    wrapped = {"model": "models/auto", **body("gemini")}
    wrapped["systemInstruction"] = {"parts": [{"text": "Be brief."}]}
    responses = [
        http.post(COUNT, json=bare),
        http.post(COUNT, json={"generateContentRequest": wrapped}),
    ]
    sizes = [response.json()["totalTokens"] for response in responses]
    assert sizes[0] < sizes[1]
    for response in responses:
        assert response.headers["x-cascade-estimated"] == "true"
        assert response.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"generateContentRequest": null}', 400),
        (b'{"generateContentRequest": {"contents": 1}}', 400),
    ],
)
def test_a_count_of_no_request_is_refused_in_its_shape(
    http: httpx.Client, asked: bytes, status: int
) -> None:
    response = http.post(COUNT, content=asked)
    assert response.status_code == response.json()["error"]["code"] == status
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_models_are_listed_in_its_shape(client: genai.Client) -> None:
    models = list(client.models.list())
    assert [model.name for model in models][:2] == ["models/auto", "models/default"]
    assert models[0].supported_actions == METHODS
    assert client.models.get(model="auto") == models[0]
    with pytest.raises(errors.ClientError, match="there is no model 'nobody'") as caught:
        client.models.get(model="nobody")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


def test_errors_are_its_own_exceptions(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as wrong:
        client.models.generate_content(model="nobody", contents=EASY)
    assert (wrong.value.code, wrong.value.status) == (404, "NOT_FOUND")
    control = types.HttpOptions(headers={"cache-control": "only-if-cached"})
    with pytest.raises(errors.ServerError) as late:
        client.models.generate_content(
            model="auto", contents=EASY, config=types.GenerateContentConfig(http_options=control)
        )
    assert (late.value.code, late.value.status) == (504, "DEADLINE_EXCEEDED")


@pytest.mark.anyio
async def test_the_time_it_gives_the_server_is_the_deadline(tmp_path: Path) -> None:
    async with before(lambda peer: peer.gone(), tmp_path) as stage:
        response = await stage.http.post(
            GENERATE, json=body("gemini"), headers={"x-server-timeout": "0.1"}
        )
    assert response.status_code == 504
    assert response.json()["error"]["status"] == "DEADLINE_EXCEEDED"


@pytest.mark.anyio
async def test_a_long_silence_hurts_no_synchronous_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "QUIET_S", 0.02)
    lively = asyncio.Event()

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(HEAD)
            await peer.chunk(event({"content": "one "}))
            await lively.wait()
            await peer.chunk(event({"content": "two"}))
            await peer.chunk(event({}, "stop"))
            await end_stream(peer)

    def read(url: str) -> str:
        with client_at(url) as client:
            stream = client.models.generate_content_stream(model="strong", contents=EASY)
            return "".join(chunk.text or "" for chunk in stream)

    path = STREAM.replace("auto", "strong") + "?alt=sse"
    async with before(script, tmp_path, LIVE) as stage:
        reading = asyncio.create_task(asyncio.to_thread(read, str(stage.http.base_url)))
        async with stage.http.stream("POST", path, json=body("gemini", HARD)) as response:
            received = ""
            async for text in response.aiter_text():
                received += text
                if received.endswith("\n\n\n\n"):
                    lively.set()
        assert await reading == "one two"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", GENERATE, 405),
        ("GET", COUNT, 405),
        ("POST", "/v1beta/models", 405),
        ("POST", "/v1beta/models/auto:embedContent", 405),
        ("POST", "/v1beta/files", 404),
    ],
)
def test_other_addresses_and_methods_are_refused_in_its_shape(
    http: httpx.Client, method: str, path: str, status: int
) -> None:
    response = http.request(method, path)
    assert response.status_code == status
    assert response.json()["error"]["code"] == status
    assert response.json()["error"]["message"]

"""What a configuration says of a provider, as its bytes arrive: keys, versions, proxies, trust."""

from __future__ import annotations

import ssl
from pathlib import Path

import msgspec
import pytest
import trustme

from cascade.config.keys import key_of
from cascade.config.read import load
from cascade.providers.endpoint import Caller, Progress
from cascade.providers.transport import AiohttpTransport
from cascade.types import Clocks, Message, Request, Response
from cascade.wire.failures import CallFailure
from tests.providers.rawserver import Peer, Script, Server, serve

pytestmark = pytest.mark.anyio

SECRETS = {
    "OPENAI_API_KEY": "sk-of-openai",
    "ANTHROPIC_API_KEY": "sk-of-anthropic",
    "GOOGLE_API_KEY": "sk-of-google",
    "MISTRAL_API_KEY": "sk-of-mistral",
    "AZURE_OPENAI_API_KEY": "sk-of-azure",
    "MINE": "sk-of-mine",
}
COMPLETION = msgspec.json.encode(
    {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Four."},
                "finish_reason": "stop",
            }
        ],
    }
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(COMPLETION), COMPLETION)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def answering(peer: Peer) -> None:
    while await peer.request() is not None:
        await peer.send(ANSWER)


def redirecting(elsewhere: str) -> Script:
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n"

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(head.encode())

    return script


async def call(folder: Path, model: str, provider: str, **env: str) -> Response:
    """Ask a model as a file with this ``[providers]`` table has it; every key is there."""
    path = folder / "config.toml"
    path.write_text(f'[ladders]\ndefault = ["{model}"]\n{provider}', encoding="utf-8")
    env = {**SECRETS, **env}
    endpoint = load(path, env).ladders["default"].rungs[0].endpoints[0]
    async with AiohttpTransport() as transport:
        return await Caller(endpoint, key_of(endpoint, env), transport).call(
            Request(messages=(Message("user", "2 + 2?"),)),
            Progress(),
            clocks=Clocks(),
            limit=None,
            logprobs=False,
            stream=False,
        )


def head_of(server: Server) -> bytes:
    """The head of the one request that came."""
    (peer,) = server.peers
    (head,) = peer.heads
    return head


def keys_in(head: bytes) -> set[str]:
    return {secret for secret in SECRETS.values() if secret.encode() in head}


async def test_a_host_without_a_key_in_the_file_gets_no_vendors_key(tmp_path: Path) -> None:
    async with serve(answering) as server:
        await call(tmp_path, "mine/x", f'[providers.mine]\nbase_url = "{server.url}"\n')
    assert keys_in(head_of(server)) == set()
    assert b"authorization" not in head_of(server).lower()


async def test_the_file_may_name_a_vendors_key_for_another_host(tmp_path: Path) -> None:
    async with serve(answering) as server:
        mine = f'[providers.mine]\nbase_url = "{server.url}"\nkey = "$OPENAI_API_KEY"\n'
        await call(tmp_path, "mine/x", mine)
    assert b"\r\nauthorization: Bearer sk-of-openai\r\n" in head_of(server)
    assert keys_in(head_of(server)) == {"sk-of-openai"}


async def test_a_base_url_in_the_environment_gets_its_own_vendors_key(tmp_path: Path) -> None:
    async with serve(answering) as server:
        await call(tmp_path, "openai/x", "", OPENAI_BASE_URL=server.url)
    assert keys_in(head_of(server)) == {"sk-of-openai"}


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "x-goog-api-key"])
async def test_a_key_goes_in_the_header_that_the_file_names(tmp_path: Path, header: str) -> None:
    async with serve(answering) as server:
        mine = f'[providers.mine]\nbase_url = "{server.url}"\nkey = "$MINE"\n'
        await call(tmp_path, "mine/x", f'{mine}key_header = "{header}"\n')
    assert f"{header}: sk-of-mine\r\n" in head_of(server).decode()
    assert b"authorization" not in head_of(server).lower()


@pytest.mark.parametrize("key_header", ["authorization", "x-api-key"])
async def test_a_redirect_is_not_followed_and_carries_no_key(
    tmp_path: Path, key_header: str
) -> None:
    async with serve(answering) as other, serve(redirecting(other.url)) as server:
        with pytest.raises(CallFailure):
            await call(
                tmp_path,
                "openai/x",
                f'[providers.openai]\nbase_url = "{server.url}"\nkey_header = "{key_header}"\n',
            )
        assert keys_in(head_of(server)) == {"sk-of-openai"}
        assert not other.peers


async def test_azures_deployment_is_asked_by_its_version_with_its_own_header(
    tmp_path: Path,
) -> None:
    async with serve(answering) as server:
        base = server.url.removesuffix("/v1") + "/openai/deployments/eu"
        azure = f'[providers.azure]\nbase_url = "{base}"\napi_version = "2024-10-21"\n'
        await call(tmp_path, "azure/gpt-4o", azure)
    path = b"/openai/deployments/eu/chat/completions?api-version=2024-10-21"
    assert head_of(server).startswith(b"POST " + path + b" HTTP/1.1\r\n")
    assert b"\r\napi-key: sk-of-azure\r\n" in head_of(server)


async def test_a_provider_is_reached_by_the_proxy_that_the_file_names(tmp_path: Path) -> None:
    async with serve(answering) as proxy:
        mine = '[providers.mine]\nbase_url = "http://upstream.test/v1"\n'
        await call(tmp_path, "mine/x", f'{mine}proxy = "http://127.0.0.1:{proxy.port}"\n')
    assert head_of(proxy).startswith(b"POST http://upstream.test/v1/chat/completions HTTP/1.1\r\n")


async def test_a_providers_authorities_are_read_from_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    (tmp_path / "certificates").mkdir()
    authority.cert_pem.write_to_path(str(tmp_path / "certificates" / "own.pem"))
    monkeypatch.chdir(Path(tmp_path.anchor))
    async with serve(answering, tls=tls) as server:
        mine = f'[providers.mine]\nbase_url = "{server.url}"\n'
        with pytest.raises(CallFailure, match="CERTIFICATE_VERIFY_FAILED"):
            await call(tmp_path, "mine/x", mine)
        answer = await call(tmp_path, "mine/x", f'{mine}ca = "certificates/own.pem"\n')
    assert answer.message.content == "Four."


@pytest.mark.parametrize(
    ("model", "variable", "request_line", "fields"),
    [
        (
            "anthropic/claude-opus-5-5",
            "ANTHROPIC_BASE_URL",
            "POST /v1/messages HTTP/1.1",
            {"x-api-key": "sk-of-anthropic", "anthropic-version": "2026-10-21"},
        ),
        (
            "google/gemini-2.5-pro",
            "GOOGLE_GEMINI_BASE_URL",
            "POST /v1beta/models/gemini-2.5-pro:generateContent HTTP/1.1",
            {"x-goog-api-key": "sk-of-google"},
        ),
    ],
)
async def test_each_vendor_is_asked_in_its_own_protocol(
    tmp_path: Path, model: str, variable: str, request_line: str, fields: dict[str, str]
) -> None:
    async with serve(answering) as server:
        with pytest.raises(CallFailure):  # the answer is of another protocol
            await call(tmp_path, model, "", **{variable: server.url.removesuffix("/v1")})
    first, *lines = head_of(server).decode().rstrip().split("\r\n")
    assert first == request_line
    for name, value in fields.items():
        assert [line for line in lines if line.lower().startswith(f"{name}:")] == [
            f"{name}: {value}"
        ]
    assert keys_in(head_of(server)) == {next(iter(fields.values()))}


async def test_anthropics_token_goes_as_a_bearer_under_the_files_own_version(
    tmp_path: Path,
) -> None:
    async with serve(answering) as server:
        table = '[providers.anthropic]\nheaders = { Anthropic-Version = "2023-06-01" }\n'
        env = {"ANTHROPIC_BASE_URL": server.url.removesuffix("/v1"), "ANTHROPIC_API_KEY": ""}
        with pytest.raises(CallFailure):
            await call(tmp_path, "anthropic/x", table, **env, ANTHROPIC_AUTH_TOKEN="a-token")
    head = head_of(server).decode().lower()
    assert "\r\nauthorization: bearer a-token\r\n" in head
    assert "x-api-key" not in head
    assert head.count("anthropic-version:") == 1
    assert "\r\nanthropic-version: 2023-06-01\r\n" in head

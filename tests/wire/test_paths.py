"""Paths and headers tell what is wanted, and in which protocol."""

from __future__ import annotations

import pytest

from cascade.types import ProtocolName
from cascade.wire.paths import PATHS, Place, find, speaker


@pytest.mark.parametrize(
    ("path", "protocol", "wanted"),
    [
        ("/v1/chat/completions", "openai", "answer"),
        ("/v1/messages", "anthropic", "answer"),
        ("/v1/messages/count_tokens", "anthropic", "count"),
        ("/v1beta/models/a:generateContent", "gemini", "answer"),
        ("/v1/models/a/b:8b:streamGenerateContent", "gemini", "answer"),
        ("/v1alpha/models/a:countTokens", "gemini", "count"),
        ("/v1/models", None, "models"),
        ("/v1beta/models", "gemini", "models"),
    ],
)
def test_a_path_is_one_protocols_unless_they_share_it(
    path: str, protocol: ProtocolName | None, wanted: str
) -> None:
    place = find(path)
    assert place is not None
    assert (place.protocol, place.wanted) == (protocol, wanted)
    assert place.methods == (("GET", "HEAD") if wanted == "models" else ("POST",))


@pytest.mark.parametrize(
    "name", ["a", "vendor/a", "llama3:8b", "countTokens", "a:embedContent", "generateContent"]
)
def test_a_models_name_may_hold_slashes_colons_and_the_names_of_methods(name: str) -> None:
    assert find(f"/v1/models/{name}") == Place("model", ("GET", "HEAD"), None, name)
    assert find(f"/v1beta/models/{name}") == Place("model", ("GET", "HEAD"), "gemini", name)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1",
        "/v1/",
        "/v1/models/",
        "/v2/models/a",
        "/v1beta/messages",
        "/chat/completions",
        "/models/a",
        "//v1/models",
        "/v1/chat/completions/",
    ],
)
def test_any_other_path_offers_nothing(path: str) -> None:
    assert find(path) is None


def test_every_path_that_is_told_of_is_there() -> None:
    assert all(find(path) is not None for path in PATHS)


@pytest.mark.parametrize(
    ("path", "names", "protocol"),
    [
        ("/v1beta/files", (b"authorization",), "gemini"),
        ("/v1beta", (), "gemini"),
        ("/v1/messages/batches", (), "anthropic"),
        ("/v1/models", (b"anthropic-version", b"authorization"), "anthropic"),
        ("/v1/models", (b"x-api-key",), "anthropic"),
        ("/v1/models", (b"x-goog-api-key",), "gemini"),
        ("/v1/models", (b"authorization",), "openai"),
        ("/v1/models", (b"host",), None),
        ("", (), None),
    ],
)
def test_the_path_tells_the_protocol_before_the_headers_do(
    path: str, names: tuple[bytes, ...], protocol: ProtocolName | None
) -> None:
    assert speaker(path, [(name, b"x") for name in names]) == protocol

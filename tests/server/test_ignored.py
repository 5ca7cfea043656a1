"""What a client sends and nobody is sent is told, in every protocol."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.server.clients import PROTOCOLS, body, target

TIER = {"openai": "service_tier", "anthropic": "service_tier", "gemini": "serviceTier"}
LIVE: dict[str, Any] = {"cascade": {"delivery": "live", "cache": "off"}}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_nobody_is_sent_is_told(protocol: str, url: str) -> None:
    name = TIER[protocol]
    tier: dict[str, Any] = {name: "flex"}
    asked = body(protocol, **tier)
    live = body(protocol, stream=True, **tier, **LIVE)
    with httpx.Client(base_url=url) as http:
        for status in ("miss", "exact"):  # an answer from the cache tells it too
            told = http.post(target(protocol), json=asked)
            assert told.headers["x-cascade-cache"] == status
            assert told.headers["x-cascade-dropped"] == name
            assert told.json()["cascade"]["dropped"] == [name]
        streamed = http.post(target(protocol, stream=True), json=live)
        assert streamed.headers["x-cascade-dropped"] == name
        assert f'"dropped":["{name}"]' in streamed.text
        plain = http.post(target(protocol), json=body(protocol))
        assert "x-cascade-dropped" not in plain.headers

"""Thoughts go to those who asked for them."""

from __future__ import annotations

from pathlib import Path

import anthropic
import pytest

from cascade.emulator import Emulator
from cascade.learning.trace import RecordedAnswer, Recording, Row
from tests.server.kit import KEYS, serving
from tests.server.test_every_pair import CONFIG
from tests.serving import running

pytestmark = pytest.mark.anyio

ASKED = "Which of the two rivers is longer?"
ROW = Row(ASKED, {"strong": RecordedAnswer("The Rhine is.", reasoning="1,230 km against 544 km.")})


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("asked", [False, True], ids=["unasked", "asked"])
async def test_an_anthropic_client_gets_thoughts_only_if_it_asked_for_them(
    asked: bool, streamed: bool, tmp_path: Path
) -> None:
    config = CONFIG.replace("PROTOCOL", "openai")
    thinking = {"thinking": {"type": "adaptive"}} if asked else {}
    with (
        running(Emulator(Recording([ROW]), speed=0)) as provider,
        serving(f"{provider}/v1", tmp_path, config=config, environ=KEYS) as url,
    ):
        async with anthropic.AsyncAnthropic(base_url=url, api_key="none") as client:
            async with client.messages.stream(
                model="auto",
                max_tokens=4_000,
                messages=[{"role": "user", "content": ASKED}],
                extra_body=thinking,
            ) as stream:
                gathered = await stream.get_final_message()
            whole = await client.messages.create(
                model="auto",
                max_tokens=4_000,
                messages=[{"role": "user", "content": ASKED}],
                extra_body=thinking,
            )
    message = gathered if streamed else whole
    kinds = [block.type for block in message.content]
    assert kinds == (["thinking", "text"] if asked else ["text"])

"""A faulty provider behind our server: no client of any protocol takes a broken answer for one."""

from __future__ import annotations

import asyncio
import random
from functools import cache
from pathlib import Path

import msgspec
import openai
import pytest

from cascade import AsyncCascade
from cascade.emulator import Emulator
from cascade.learning.trace import Recording, Row
from cascade.server import Server
from tests.faults.leaks import Held, nothing_left
from tests.faults.load import CONCURRENCY
from tests.faults.world import PROTOCOLS, fault, health, questions, tables
from tests.server.clients import LIMIT, Client, Heard, Wish, speaking
from tests.serving import running

pytestmark = [
    pytest.mark.anyio,
    # It is about a class of google-genai's, which derives from aiohttp's session.
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession"),
]

DOCUMENTED = {502, 503, 504}


class Heeded(msgspec.Struct):
    """What a client made of one request. ``status`` is None where its error came in a stream."""

    row: Row
    heard: Heard | None = None
    error: Exception | None = None
    status: int | None = None


@cache
def plain() -> Recording:
    """The questions whose answers keep to the clients' limit, the system's words in the prompt."""
    return Recording(
        msgspec.structs.replace(row, system=None, prompt=f"{row.system}\n\n{row.prompt}")
        for row in questions().rows
        if all((answer.output_tokens or 0) < LIMIT for answer in row.answers.values())
    )


async def ask(client: Client, row: Row, dice: random.Random) -> Heeded:
    """Ask by the client, whole or as a stream that it puts together itself."""
    live = {"delivery": "live"} if dice.random() < 0.5 else None
    wish = Wish(row.prompt, model=dice.choice(PROTOCOLS), cascade=live)
    heeded = Heeded(row)
    try:
        work = client.ask if dice.random() < 0.5 else client.gathered
        heeded.heard = await work(wish)
    except openai.LengthFinishReasonError as error:  # how its stream helper tells of a cut
        heeded.error = error
    except client.error as error:
        heeded.error, status = error, vars(error).get("status_code", vars(error).get("code"))
        # Anthropic's client gives an error event the status of its stream, OpenAI's only a code.
        heeded.status = status if isinstance(status, int) and status != 200 else None
    return heeded


def wrong(heeded: Heeded) -> str | None:
    """What is wrong with what the client was told."""
    heard = heeded.heard
    if heard is None:
        if heeded.status is None or heeded.status in DOCUMENTED:
            return None
        return f"status {heeded.status}: {heeded.error}"
    texts = [answer.text for answer in heeded.row.answers.values()]
    cut = heard.finish in ("length", "max_tokens", "MAX_TOKENS")
    if heard.text in texts or (cut and any(text.startswith(heard.text) for text in texts)):
        return None
    return f"{heard.text!r} ended by {heard.finish}, recorded {texts}"


async def heeded(url: str, protocol: str, count: int) -> list[Heeded]:
    """Ask so many questions by the protocol's own client."""
    dice = random.Random(count)
    left = iter(dice.choices(plain().rows, k=count))
    told: list[Heeded] = []
    async with speaking(protocol, url) as client:

        async def worker() -> None:
            for row in left:
                told.append(await ask(client, row, dice))  # noqa: PERF401 - of several workers

        await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return told


@pytest.mark.parametrize("count", [16, pytest.param(300, marks=pytest.mark.slow)])
async def test_no_client_sees_a_clean_end_of_a_broken_answer(count: int, tmp_path: Path) -> None:
    with running(Emulator(plain(), 0, faults=fault("all", 0.3))) as provider:
        await asyncio.to_thread(health, provider)
        before = Held.now()
        ai = AsyncCascade(tables=tables(provider, tmp_path), data_dir=tmp_path)
        with running(Server(ai, environ={}), lifespan=True) as url:
            clients = (heeded(url, protocol, count) for protocol in PROTOCOLS)
            async with asyncio.timeout(120):
                told = [each for client in await asyncio.gather(*clients) for each in client]
        await nothing_left(before)
    problems = [problem for each in told if (problem := wrong(each))]
    assert not problems, "\n".join(problems[:10])
    assert len(told) == count * len(PROTOCOLS)
    assert sum(each.heard is not None for each in told) > len(told) / 2

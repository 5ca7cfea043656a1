"""Any client's protocol can be answered by any provider's: every pair, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cascade.emulator import Emulator
from cascade.learning.trace import RecordedAnswer, Recording, Row
from cascade.types import Tool, ToolCall
from cascade.wire.codec import canonical
from tests.server.clients import PROTOCOLS, TOWN, Client, Wish, speaking
from tests.server.kit import KEYS, serving
from tests.serving import running

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("provider", PROTOCOLS),
    pytest.mark.parametrize("protocol", PROTOCOLS),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession"),
]

PLAIN = Wish("Which rivers meet in Koblenz?")
CALLING = Wish("How is the weather in Koblenz and in Trier?", tools=True)
THINKING = Wish("Which of the two rivers is longer?")
SHAPED = Wish("Which town lies there? Answer as JSON.", schema=True)
CUT = Wish("Tell me everything about the Rhine.")

LONG = "".join(f"{number * 7_919 % 10_000:04d} " for number in range(300))

CALLS = (
    ToolCall("call_1", "weather", '{"town":"Koblenz"}'),
    ToolCall("call_2", "weather", '{"town":"Trier"}'),
)
RECORDING = Recording(
    [
        Row(
            prompt=PLAIN.text,
            answers={"strong": RecordedAnswer("The Rhine.", input_tokens=20, output_tokens=3)},
        ),
        Row(
            prompt=CALLING.text,
            tools=(Tool("weather", "Tells it.", canonical(TOWN)),),
            answers={
                "strong": RecordedAnswer("", input_tokens=60, output_tokens=30, tool_calls=CALLS)
            },
        ),
        Row(
            prompt=THINKING.text,
            answers={
                "strong": RecordedAnswer(
                    "The Rhine is.",
                    input_tokens=12,
                    output_tokens=600,
                    reasoning="The Rhine has 1,230 km. " * 50,
                    reasoning_tokens=596,
                )
            },
        ),
        Row(
            prompt=SHAPED.text,
            answers={
                "strong": RecordedAnswer('{"town":"Koblenz"}', input_tokens=15, output_tokens=6)
            },
        ),
        Row(
            prompt=CUT.text,
            answers={"strong": RecordedAnswer(LONG, input_tokens=9, output_tokens=300)},
        ),
    ]
)

BASES = {"openai": "/v1", "anthropic": "/v1", "gemini": "/v1beta"}
CONFIG = """
[ladders]
default = ["test/strong"]

[providers.test]
protocol = "PROTOCOL"
base_url = "URL"
key = "$TEST_KEY"

[models."test/strong"]
price = { input = 2.50, output = 10.00 }
max_output = 10_000
"""


@pytest.fixture(scope="module")
def emulated() -> Iterator[str]:
    with running(Emulator(RECORDING, speed=0)) as url:
        yield url


@pytest.fixture
async def client(
    protocol: str, provider: str, emulated: str, tmp_path: Path
) -> AsyncIterator[Client]:
    config = CONFIG.replace("PROTOCOL", provider)
    base = emulated + BASES[provider]
    with serving(base, tmp_path, config=config, environ=KEYS) as url:
        async with speaking(protocol, url) as client:
            yield client


async def test_text_and_usage_come_whole_and_streamed(client: Client) -> None:
    for heard in (await client.ask(PLAIN), await client.gathered(PLAIN)):
        assert (heard.text, heard.finish, heard.usage) == ("The Rhine.", client.kept[0], (20, 3))


async def test_parallel_calls_of_tools_keep_their_arguments(client: Client) -> None:
    for heard in (await client.ask(CALLING), await client.gathered(CALLING)):
        assert heard.calls == [("weather", {"town": "Koblenz"}), ("weather", {"town": "Trier"})]
        assert heard.finish == client.kept[2]


async def test_reasoning_goes_before_the_text_and_never_into_it(client: Client) -> None:
    wish = Wish(THINKING.text, limited=False)
    for heard in (await client.ask(wish), await client.gathered(wish)):
        assert heard.text == "The Rhine is."


async def test_structured_output_arrives_as_it_was_asked_for(client: Client) -> None:
    for heard in (await client.ask(SHAPED), await client.gathered(SHAPED)):
        assert heard.text == '{"town":"Koblenz"}'


async def test_an_answer_at_its_limit_says_so(client: Client) -> None:
    heard = await client.ask(CUT)
    assert (heard.finish, heard.text) == (client.kept[1], LONG[:500])
    assert "".join([piece async for piece in client.pieces(CUT)]) == LONG[:500]

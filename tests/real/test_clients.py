"""The official clients before ``cascade serve`` before a real model: nothing here is a double."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel

from tests.cli.commands import Place, listening
from tests.real.ladders import DEAR, IMPOSSIBLE, QUESTION, STORY, TRIVIAL, Step, configuration
from tests.real.model import Model
from tests.real.test_tools import conversation, tool

pytestmark = [pytest.mark.real, pytest.mark.anyio]
at_either_rung = pytest.mark.parametrize("rung", ["chat", "messages"])
LIMIT = 16


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, narrow: Model, wide: Model) -> Iterator[str]:
    """A server over three rungs: one that is climbed from, and one for each protocol."""
    place = Place(tmp_path_factory.mktemp("server"))
    steps = (
        Step("small", narrow, accept=IMPOSSIBLE),
        Step("chat", wide, "openai", TRIVIAL, price=DEAR),
        Step("messages", wide, "anthropic", price=DEAR),
    )
    place.write("config.toml", configuration(*steps))
    with listening(place, "serve", "--port", "0") as (ready, _):
        yield ready["url"]


@pytest.fixture
def chat(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture
def messages(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="unused", max_retries=0) as client:
        yield client


ASKED: dict[str, Any] = {
    "messages": [{"role": "user", "content": QUESTION}],
    "max_tokens": LIMIT,
    "temperature": 0,
}


def test_openais_client_gets_an_answer_that_was_climbed_for(chat: openai.OpenAI) -> None:
    raw = chat.chat.completions.with_raw_response.create(model="auto", **ASKED)
    answer = raw.parse()
    (choice,) = answer.choices
    assert choice.message.content
    assert choice.finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == LIMIT
    assert raw.headers["x-cascade-rung"] == "chat"
    assert raw.headers["x-cascade-attempts"] == "2"
    assert float(raw.headers["x-cascade-cost-usd"]) > 0


@at_either_rung
def test_openais_client_streams_from_a_rung_of_either_protocol(
    chat: openai.OpenAI, rung: str
) -> None:
    with chat.chat.completions.create(
        **ASKED, model=rung, stream=True, stream_options={"include_usage": True}
    ) as stream:
        *pieces, last = list(stream)
    said = [chunk.choices[0].delta.content for chunk in pieces]
    assert len(list(filter(None, said))) > 1
    assert [chunk.choices[0].finish_reason for chunk in pieces][-1] == "length"
    assert last.usage is not None
    assert last.usage.completion_tokens == LIMIT


@at_either_rung
def test_anthropics_client_is_answered_by_a_rung_of_either_protocol(
    messages: anthropic.Anthropic, rung: str
) -> None:
    answer = messages.messages.create(model=rung, **_for_messages(ASKED))
    (block,) = answer.content
    assert block.type == "text"
    assert block.text
    assert answer.stop_reason == "max_tokens"
    assert answer.usage.output_tokens == LIMIT
    with messages.messages.stream(model=rung, **_for_messages(ASKED)) as stream:
        pieces = list(stream.text_stream)
        streamed = stream.get_final_message()
    assert len(pieces) > 1
    assert streamed.stop_reason == "max_tokens"
    assert streamed.usage.output_tokens == LIMIT


def _for_messages(asked: dict[str, Any]) -> dict[str, Any]:
    """This client knows no sampling any more; our server and this model do."""
    known = {name: value for name, value in asked.items() if name != "temperature"}
    return known | {"extra_body": {"temperature": asked["temperature"]}}


@at_either_rung
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_openais_client_gets_calls_from_a_rung_of_either_protocol(
    chat: openai.OpenAI, rung: str, streamed: bool
) -> None:
    wanted: dict[str, Any] = {
        "model": rung,
        "messages": conversation(),
        "tools": [tool()],
        "tool_choice": "required",
        "max_tokens": 64,
        "temperature": 0,
    }
    if streamed:
        with chat.chat.completions.stream(**wanted) as stream:
            answer: Any = stream.get_final_completion()
    else:
        answer = chat.chat.completions.create(**wanted)
    (choice,) = answer.choices
    (call,) = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert call.function.name == "weather"
    assert "town" in json.loads(call.function.arguments)


@at_either_rung
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_anthropics_client_gets_calls_from_a_rung_of_either_protocol(
    messages: anthropic.Anthropic, rung: str, streamed: bool
) -> None:
    function = tool()["function"]
    wanted: dict[str, Any] = {
        "model": rung,
        "messages": _in_blocks(conversation()),
        "tools": [{"name": function["name"], "input_schema": function["parameters"]}],
        "tool_choice": {"type": "any"},
        "max_tokens": 64,
        "extra_body": {"temperature": 0},
    }
    if streamed:
        with messages.messages.stream(**wanted) as stream:
            answer = stream.get_final_message()
    else:
        answer = messages.messages.create(**wanted)
    assert answer.stop_reason == "tool_use"
    (block,) = answer.content
    assert block.type == "tool_use"
    assert "town" in block.input


def _in_blocks(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same conversation as Anthropic has it."""
    written: list[dict[str, Any]] = []
    for turn in turns:
        if turn["role"] == "assistant":
            (call,) = turn["tool_calls"]
            used = {
                "type": "tool_use",
                "id": call["id"],
                "name": call["function"]["name"],
                "input": json.loads(call["function"]["arguments"]),
            }
            written.append({"role": "assistant", "content": [used]})
        elif turn["role"] == "tool":
            result = {"type": "tool_result", "tool_use_id": turn["tool_call_id"]}
            written.append({"role": "user", "content": [result | {"content": turn["content"]}]})
        else:
            written.append(turn)
    return written


class Town(BaseModel):
    town: str
    large: bool


def test_both_clients_parse_structured_output(
    chat: openai.OpenAI, messages: anthropic.Anthropic
) -> None:
    asked = ASKED | {"model": "chat", "max_tokens": 100}
    completion = chat.chat.completions.parse(**asked, response_format=Town)
    assert isinstance(completion.choices[0].message.parsed, Town)
    message = messages.messages.parse(**_for_messages(asked), output_format=Town)
    assert isinstance(message.parsed_output, Town)


async def test_closing_a_clients_stream_ends_the_models_work(url: str, wide: Model) -> None:
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": STORY}], "max_tokens": 1_500}
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused") as client:
        stream = await client.chat.completions.create(model="messages", stream=True, **asked)
        async with stream:
            await anext(aiter(stream))
            await wide.until(busy=True)
        await wide.until(busy=False)
    async with anthropic.AsyncAnthropic(base_url=url, api_key="unused") as other:
        async with other.messages.stream(model="chat", **asked) as held:
            await anext(aiter(held))
            await wide.until(busy=True)
        await wide.until(busy=False)

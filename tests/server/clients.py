"""The official clients of the three protocols behind one face, so that one test asks with each."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Protocol

import anthropic
import msgspec
import openai
from google import genai
from google.genai import errors as genai_errors
from google.genai import types as genai_types

from tests.server.kit import EASY, PATH

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
LIMIT = 100
AMPLE = 4_000
TOWN: dict[str, Any] = {
    "type": "object",
    "properties": {"town": {"type": "string"}},
    "required": ["town"],
    "additionalProperties": False,
}


class Wish(msgspec.Struct, frozen=True):
    """What is asked, whatever the protocol."""

    text: str = EASY
    model: str = "auto"
    tools: bool = False
    image: bool = False
    schema: bool = False
    limited: bool = True
    temperature: float | None = None
    cascade: dict[str, Any] | None = None


class Heard(msgspec.Struct):
    """What a client makes of an answer."""

    text: str
    calls: list[tuple[str, dict[str, Any]]]
    finish: str
    usage: tuple[int, int]


class Client(Protocol):
    """An official client.

    Attributes:
        error: what it raises for an error of the server.
        kept: the words of its protocol for a stop, a limit reached, and calls of tools.
    """

    error: type[Exception]
    kept: tuple[str, str, str]

    async def ask(self, wish: Wish) -> Heard:
        """Ask for a whole answer."""

    def pieces(self, wish: Wish) -> AsyncIterator[str]:
        """Ask for a stream; yields the text piece by piece."""

    async def gathered(self, wish: Wish) -> Heard:
        """Ask for a stream, and let the client put it together."""

    async def names(self) -> list[str]:
        """List the models."""

    async def named(self, name: str) -> str:
        """The name of one model, asked for by its name."""

    def status(self, error: Exception) -> int:
        """The status that an error carries."""


# --- OpenAI ---


class OpenAIClient:
    error: type[Exception] = openai.APIError
    kept = ("stop", "length", "tool_calls")

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._client = client

    def _options(self, wish: Wish) -> dict[str, Any]:
        content: Any = wish.text
        if wish.image:
            url = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
            image = {"type": "image_url", "image_url": {"url": url}}
            content = [{"type": "text", "text": wish.text}, image]
        options: dict[str, Any] = {
            "model": wish.model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": LIMIT if wish.limited else AMPLE,
        }
        if wish.tools:
            function = {"name": "weather", "description": "Tells it.", "parameters": TOWN}
            options["tools"] = [{"type": "function", "function": function}]
        if wish.schema:
            schema = {"name": "town", "schema": TOWN, "strict": True}
            options["response_format"] = {"type": "json_schema", "json_schema": schema}
        if wish.temperature is not None:
            options["temperature"] = wish.temperature
        if wish.cascade is not None:
            options["extra_body"] = {"cascade": wish.cascade}
        return options

    async def ask(self, wish: Wish) -> Heard:
        return _heard_openai(await self._client.chat.completions.create(**self._options(wish)))

    async def pieces(self, wish: Wish) -> AsyncIterator[str]:
        stream = await self._client.chat.completions.create(**self._options(wish), stream=True)
        async with stream:
            async for chunk in stream:
                for choice in chunk.choices:
                    yield choice.delta.content or ""

    async def gathered(self, wish: Wish) -> Heard:
        options = self._options(wish) | {"stream_options": {"include_usage": True}}
        async with self._client.chat.completions.stream(**options) as stream:
            return _heard_openai(await stream.get_final_completion())

    async def names(self) -> list[str]:
        return [model.id async for model in self._client.models.list()]

    async def named(self, name: str) -> str:
        return (await self._client.models.retrieve(name)).id

    def status(self, error: Exception) -> int:
        assert isinstance(error, openai.APIStatusError)
        return error.status_code


def _heard_openai(answer: Any) -> Heard:
    message, usage = answer.choices[0].message, answer.usage
    calls = [call.function for call in message.tool_calls or []]
    return Heard(
        message.content or "",
        [(call.name, msgspec.json.decode(call.arguments)) for call in calls],
        answer.choices[0].finish_reason,
        (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0),
    )


# --- Anthropic ---


class AnthropicClient:
    error: type[Exception] = anthropic.APIError
    kept = ("end_turn", "max_tokens", "tool_use")

    def __init__(self, client: anthropic.AsyncAnthropic) -> None:
        self._client = client

    def _options(self, wish: Wish) -> dict[str, Any]:
        content: Any = wish.text
        if wish.image:
            data = base64.b64encode(PIXEL).decode()
            source = {"type": "base64", "media_type": "image/png", "data": data}
            content = [{"type": "text", "text": wish.text}, {"type": "image", "source": source}]
        options: dict[str, Any] = {
            "model": wish.model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": LIMIT if wish.limited else AMPLE,
        }
        if wish.tools:
            tool = {"name": "weather", "description": "Tells it.", "input_schema": TOWN}
            options["tools"] = [tool]
        extra: dict[str, Any] = {}
        if wish.temperature is not None:
            extra["temperature"] = wish.temperature
        if wish.schema:
            extra["output_config"] = {"format": {"type": "json_schema", "schema": TOWN}}
        if wish.cascade is not None:
            extra["cascade"] = wish.cascade
        return options | {"extra_body": extra}

    async def ask(self, wish: Wish) -> Heard:
        return _heard_anthropic(await self._client.messages.create(**self._options(wish)))

    async def pieces(self, wish: Wish) -> AsyncIterator[str]:
        stream = await self._client.messages.create(**self._options(wish), stream=True)
        async with stream:
            async for event in stream:
                delta = event.delta if event.type == "content_block_delta" else None
                if delta is not None and delta.type == "text_delta":
                    yield delta.text

    async def gathered(self, wish: Wish) -> Heard:
        async with self._client.messages.stream(**self._options(wish)) as stream:
            return _heard_anthropic(await stream.get_final_message())

    async def names(self) -> list[str]:
        return [model.id async for model in self._client.models.list()]

    async def named(self, name: str) -> str:
        return (await self._client.models.retrieve(name)).id

    def status(self, error: Exception) -> int:
        assert isinstance(error, anthropic.APIStatusError)
        return error.status_code


def _heard_anthropic(answer: Any) -> Heard:
    return Heard(
        "".join(block.text for block in answer.content if block.type == "text"),
        [(block.name, block.input) for block in answer.content if block.type == "tool_use"],
        answer.stop_reason,
        (answer.usage.input_tokens, answer.usage.output_tokens),
    )


# --- Gemini ---


class GeminiClient:
    error: type[Exception] = genai_errors.APIError
    kept = ("STOP", "MAX_TOKENS", "STOP")

    def __init__(self, client: genai.Client) -> None:
        self._client = client.aio

    def _options(self, wish: Wish) -> dict[str, Any]:
        contents: list[Any] = [wish.text]
        if wish.image:
            contents.append(genai_types.Part.from_bytes(data=PIXEL, mime_type="image/png"))
        config = genai_types.GenerateContentConfig(
            max_output_tokens=LIMIT if wish.limited else AMPLE, temperature=wish.temperature
        )
        if wish.tools:
            tool = genai_types.FunctionDeclaration(
                name="weather", description="Tells it.", parameters_json_schema=TOWN
            )
            config.tools = [genai_types.Tool(function_declarations=[tool])]
        if wish.schema:
            config.response_mime_type = "application/json"
            config.response_json_schema = TOWN
        if wish.cascade is not None:
            extra = {"cascade": wish.cascade}
            config.http_options = genai_types.HttpOptions(extra_body=extra)
        return {"model": wish.model, "contents": contents, "config": config}

    async def ask(self, wish: Wish) -> Heard:
        answer = await self._client.models.generate_content(**self._options(wish))
        return _heard_gemini([answer])

    async def _chunks(self, wish: Wish) -> AsyncIterator[Any]:
        stream = await self._client.models.generate_content_stream(**self._options(wish))
        async with contextlib.aclosing(stream):  # type: ignore[type-var]
            async for chunk in stream:
                yield chunk

    async def pieces(self, wish: Wish) -> AsyncIterator[str]:
        async with contextlib.aclosing(self._chunks(wish)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                yield _heard_text(chunk)

    async def gathered(self, wish: Wish) -> Heard:
        return _heard_gemini([chunk async for chunk in self._chunks(wish)])

    async def names(self) -> list[str]:
        return [_bare(model.name) async for model in await self._client.models.list()]

    async def named(self, name: str) -> str:
        return _bare((await self._client.models.get(model=name)).name)

    def status(self, error: Exception) -> int:
        assert isinstance(error, genai_errors.APIError)
        return error.code


def _bare(name: str | None) -> str:
    assert name is not None
    return name.removeprefix("models/")


def _parts(chunk: Any) -> list[Any]:
    candidates = chunk.candidates or []
    return [part for each in candidates if each.content for part in each.content.parts or []]


def _heard_text(chunk: Any) -> str:
    return "".join(part.text or "" for part in _parts(chunk) if not part.thought)


def _heard_gemini(chunks: list[Any]) -> Heard:
    calls = [part.function_call for each in chunks for part in _parts(each) if part.function_call]
    finish = [c.finish_reason for each in chunks for c in each.candidates or [] if c.finish_reason]
    usage = next((each.usage_metadata for each in reversed(chunks) if each.usage_metadata), None)
    return Heard(
        "".join(map(_heard_text, chunks)),
        [(call.name, call.args) for call in calls],
        finish[-1].value,
        (usage.prompt_token_count, usage.candidates_token_count) if usage else (0, 0),
    )


@contextlib.asynccontextmanager
async def speaking(protocol: str, url: str) -> AsyncIterator[Client]:
    """The official client of a protocol, talking to the server at this URL (without ``/v1``)."""
    if protocol == "openai":
        async with openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key="unused", max_retries=0
        ) as client:
            yield OpenAIClient(client)
    elif protocol == "anthropic":
        async with anthropic.AsyncAnthropic(
            base_url=url, api_key="unused", max_retries=0
        ) as client:
            yield AnthropicClient(client)
    else:
        options = genai_types.HttpOptions(base_url=url)
        gemini = genai.Client(api_key="unused", http_options=options)
        try:
            yield GeminiClient(gemini)
        finally:
            await gemini.aio.aclose()
            gemini.close()


# --- the same without a client ---

PROTOCOLS = ("openai", "anthropic", "gemini")


def target(protocol: str, model: str = "auto", *, stream: bool = False) -> str:
    """Where a request of the protocol goes."""
    if protocol == "openai":
        return PATH
    if protocol == "anthropic":
        return "/v1/messages"
    return f"/v1beta/models/{model}:" + (
        "streamGenerateContent?alt=sse" if stream else "generateContent"
    )


def body(
    protocol: str, text: str = EASY, model: str = "auto", *, stream: bool = False, **more: Any
) -> dict[str, Any]:
    """A request of the protocol."""
    if protocol == "gemini":
        parts = [{"text": text}]
        config = {"maxOutputTokens": LIMIT}
        contents = [{"role": "user", "parts": parts}]
        return {"contents": contents, "generationConfig": config} | more
    messages = [{"role": "user", "content": text}]
    return {"model": model, "messages": messages, "max_tokens": LIMIT, "stream": stream} | more

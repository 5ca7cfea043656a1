"""The emulated prompt cache follows each provider's rules, and costs nothing unless asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cascade.emulator import Emulator, PrefixCache
from cascade.learning.trace import RecordedAnswer, Recording, Row
from cascade.types import Mark, Message, ProtocolName, Request, Text, Tool, Usage
from tests.emulator.asking import PROTOCOLS, ask, delivered, request
from tests.serving import running

OPUS = "claude-opus-5"  # 512 tokens at least


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Provider:
    """A prompt cache with a clock that a test turns, and calls that were answered."""

    def __init__(self, protocol: ProtocolName, model: str) -> None:
        self.clock = Clock()
        self.cache = PrefixCache(self.clock)
        self.protocol = protocol
        self.model = model

    def call(self, tokens: int, *messages: Message, tools: tuple[Tool, ...] = ()) -> Usage:
        asked = Request(messages, tools=tools)
        seen = self.cache.look(self.protocol, self.model, asked, Usage(tokens, 5))
        self.cache.keep(seen)
        assert seen.usage is not None
        return seen.usage


def words(count: int, word: str = "river") -> str:
    return f"{word} " * count


def user(text: str) -> Message:
    return Message("user", text)


def marked(text: str, mark: Mark = "5m") -> Message:
    return Message("system", (Text(text, mark),))


def test_openai_s_cache_begins_at_1024_tokens_and_counts_in_steps_of_128() -> None:
    provider = Provider("openai", "gpt-4o")
    assert provider.call(1400, user(words(1400))).cached_tokens == 0
    assert provider.call(1400, user(words(1400))).cached_tokens == 1280
    assert provider.call(1023, user(words(1023, "ocean"))).cached_tokens == 0
    assert provider.call(1023, user(words(1023, "ocean"))).cached_tokens == 0


def test_openai_s_cache_reads_a_common_beginning() -> None:
    provider = Provider("openai", "gpt-4o")
    provider.call(2000, Message("system", words(1500)), user(words(500, "ocean")))
    usage = provider.call(2000, Message("system", words(1500)), user(words(500, "delta")))
    assert usage.cached_tokens in (1408, 1536)
    assert provider.call(2000, user(words(2000, "delta"))).cached_tokens == 0


def test_openai_s_writes_are_reported_where_they_have_a_price() -> None:
    assert Provider("openai", "gpt-5.5").call(1400, user(words(1400))).cache_write_tokens == 0
    provider = Provider("openai", "gpt-5.6-luna")
    assert provider.call(1400, user(words(1400))).cache_write_tokens == 1280
    usage = provider.call(1400, user(words(1400)))
    assert (usage.cached_tokens, usage.cache_write_tokens) == (1280, 0)


def test_openai_s_cache_lives_30_minutes_and_a_hit_renews_it() -> None:
    provider = Provider("openai", "gpt-4o")
    provider.call(1400, user(words(1400)))
    for _ in range(2):
        provider.clock.now += 1799
        assert provider.call(1400, user(words(1400))).cached_tokens == 1280
    provider.clock.now += 1801
    assert provider.call(1400, user(words(1400))).cached_tokens == 0


@pytest.mark.parametrize(("model", "tokens"), [("gemini-flash", 1024), ("gemini-pro", 4096)])
def test_gemini_s_cache_begins_by_the_model_and_lives_an_hour(model: str, tokens: int) -> None:
    provider = Provider("gemini", model)
    for size, cached in ((tokens - 1, 0), (tokens, tokens)):
        provider.call(size, user(words(size)))
        usage = provider.call(size, user(words(size)))
        assert (usage.cached_tokens, usage.cache_write_tokens) == (cached, 0)
    provider.clock.now += 3601
    assert provider.call(tokens, user(words(tokens))).cached_tokens == 0


def test_anthropic_s_cache_keeps_nothing_without_a_mark() -> None:
    provider = Provider("anthropic", OPUS)
    for _ in range(2):
        usage = provider.call(5000, user(words(5000)))
        assert (usage.cached_tokens, usage.cache_write_tokens) == (0, 0)


def test_anthropic_s_cache_writes_up_to_the_mark_and_then_reads_it() -> None:
    provider = Provider("anthropic", OPUS)
    first = provider.call(2000, marked(words(1000)), user(words(1000, "ocean")))
    assert first.cached_tokens == 0
    assert first.cache_write_tokens == pytest.approx(1000, abs=10)
    assert first.cache_write_1h_tokens == 0
    second = provider.call(2000, marked(words(1000)), user(words(1000, "delta")))
    assert second.cached_tokens == first.cache_write_tokens
    assert second.cache_write_tokens == 0
    changed = provider.call(2000, marked(words(999)), user(words(1000, "delta")))
    assert changed.cached_tokens == 0


@pytest.mark.parametrize(
    ("model", "shortest"),
    [
        ("claude-opus-5", 512),
        ("claude-sonnet-5-5", 512),
        ("claude-sonnet-5", 1024),
        ("claude-sonnet-5-20260301", 1024),
        ("claude-sonnet-4-6", 1024),
        ("anthropic/claude-opus-4.8", 1024),
        ("claude-opus-4-7", 2048),
        ("claude-opus-4-5", 4096),
        ("claude-haiku-4-5-20251001", 4096),
    ],
)
def test_anthropic_s_shortest_prefix_is_the_family_s_and_shorter_ones_fail_silently(
    model: str, shortest: int
) -> None:
    for size in (shortest - 100, shortest + 100):
        provider = Provider("anthropic", model)
        written = provider.call(size, marked(words(size))).cache_write_tokens
        assert written == (size if size > shortest else 0)


def test_anthropic_s_marks_live_five_minutes_or_an_hour() -> None:
    lives: tuple[tuple[Mark, int], ...] = (("5m", 300), ("1h", 3600))
    for mark, life in lives:
        provider = Provider("anthropic", OPUS)
        first = provider.call(1000, marked(words(1000), mark))
        assert first.cache_write_1h_tokens == (1000 if mark == "1h" else 0)
        provider.clock.now += life - 1
        assert provider.call(1000, marked(words(1000), mark)).cached_tokens == 1000
        provider.clock.now += life + 1
        assert provider.call(1000, marked(words(1000), mark)).cached_tokens == 0


def test_anthropic_s_mark_finds_what_was_kept_up_to_20_blocks_before_it() -> None:
    def talk(blocks: int) -> tuple[Message, ...]:
        turns = [Text(words(100, f"turn{number}")) for number in range(blocks - 1)]
        return (Message("user", (*turns, Text(words(100, f"turn{blocks - 1}"), "5m"))),)

    provider = Provider("anthropic", OPUS)
    provider.call(1000, *talk(10))
    near = provider.call(3000, *talk(30))
    assert near.cached_tokens == pytest.approx(1000, rel=0.1)
    provider = Provider("anthropic", OPUS)
    provider.call(1000, *talk(10))
    assert provider.call(3100, *talk(31)).cached_tokens == 0


def test_tools_come_first_so_that_other_tools_are_another_prompt() -> None:
    tool = Tool("weather", "Tells the weather.", b'{"type":"object"}')
    provider = Provider("anthropic", OPUS)
    provider.call(1000, marked(words(1000)), tools=(tool,))
    assert provider.call(1000, marked(words(1000))).cached_tokens == 0
    assert provider.call(1000, marked(words(1000)), tools=(tool,)).cached_tokens > 900


def test_caches_belong_to_one_model() -> None:
    provider = Provider("openai", "gpt-4o")
    provider.call(1400, user(words(1400)))
    provider.model = "gpt-4o-mini"
    assert provider.call(1400, user(words(1400))).cached_tokens == 0


def test_a_call_that_never_began_keeps_nothing() -> None:
    cache = PrefixCache()
    asked = Request((user(words(1400)),))
    for _ in range(2):
        seen = cache.look("openai", "gpt-4o", asked, Usage(1400, 5))
        assert seen.usage == Usage(1400, 5)


def test_beyond_its_size_the_prompt_that_was_not_asked_for_longest_goes_first() -> None:
    provider = Provider("openai", "gpt-4o")
    provider.call(1400, user(words(1400)))
    size = len(provider.cache)
    provider.cache = PrefixCache(provider.clock, most=2 * size)
    provider.call(1400, user(words(1400)))
    provider.call(1400, user(words(1400, "ocean")))
    assert provider.call(1400, user(words(1400))).cached_tokens == 1280  # this renews it
    provider.call(1400, user(words(1400, "delta")))
    assert len(provider.cache) == 2 * size
    assert provider.call(1400, user(words(1400))).cached_tokens == 1280
    assert provider.call(1400, user(words(1400, "ocean"))).cached_tokens == 0


def test_a_prompt_beyond_its_size_keeps_its_beginning() -> None:
    provider = Provider("gemini", "gemini-flash")
    provider.cache = PrefixCache(provider.clock, most=400)
    provider.call(6000, user(words(6000)))
    usage = provider.call(6000, user(words(6000)))
    assert len(provider.cache) == 400
    assert 1024 < usage.cached_tokens < 1100


LONG = words(1400)
RECORDING = Recording(
    [Row(LONG, {OPUS: RecordedAnswer("Yes.", input_tokens=1400, output_tokens=2)})]
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_each_protocol_reports_what_was_cached_and_the_counts_agree(
    protocol: ProtocolName, stream: bool
) -> None:
    path, body = request(protocol, stream, OPUS, LONG)
    if protocol == "anthropic":
        content: list[dict[str, Any]] = [{"type": "text", "text": LONG}]
        content[0]["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
        body["messages"] = [{"role": "user", "content": content}]
    if protocol == "openai" and stream:
        body["stream_options"] = {"include_usage": True}
    with running(Emulator(RECORDING, 0, prefix_cache=PrefixCache())) as url:
        first, second = (ask(url, path, body).response(protocol, stream).usage for _ in range(2))
        counts = delivered(url)
    assert first is not None
    assert second is not None
    assert first.input_tokens == second.input_tokens == 1400
    assert first.cached_tokens == 0
    assert second.cached_tokens == {"openai": 1280, "anthropic": 1400, "gemini": 1400}[protocol]
    if protocol == "anthropic":
        assert (first.cache_write_tokens, first.cache_write_1h_tokens) == (1400, 1400)
    assert counts["input_tokens"] == 2800
    assert counts["cached_tokens"] == second.cached_tokens
    assert counts["cache_write_tokens"] == first.cache_write_tokens


def test_without_it_nothing_is_ever_cached() -> None:
    with running(Emulator(RECORDING, 0)) as url:
        for _ in range(2):
            heard = ask(url, *request("openai", False, OPUS, LONG))
            assert json.loads(heard.body)["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
        assert delivered(url)["cached_tokens"] == 0

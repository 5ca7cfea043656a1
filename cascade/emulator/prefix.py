"""A provider's prompt cache: what of a prompt it has seen before, by each provider's rules.

==========  ==========================  ====================================  ===================
protocol    what is kept                shortest prefix, in tokens            how long
==========  ==========================  ====================================  ===================
openai      every prompt, in steps of   1024                                  30 minutes
            128 tokens
anthropic   what a mark ends            512 to 4096, by the model's family    5 minutes or 1 hour,
                                                                              as the mark says
gemini      every prompt                1024; pro models 4096                 60 minutes
==========  ==========================  ====================================  ===================

A hit renews the life of what it hit. What is kept belongs to one model. A call's prompt is kept
once its answer begins, so that calls at one time do not profit from each other. Written tokens
are reported where writing has a price of its own: Anthropic's, and OpenAI's from gpt-5.6 on. A
mark finds what was kept up to 20 blocks before it. Tokens are counted by ``cascade.tokens`` and
scaled to the recorded number.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import accumulate

import msgspec

from cascade.tokens import count
from cascade.types import Image, Mark, ProtocolName, Request, Text, Usage

__all__ = ["PrefixCache", "Seen"]

Clock = Callable[[], float]

_STEP = 128  # tokens: OpenAI's cache counts in these
_GRAIN = 16  # characters: prompts are compared in these, some four tokens
_LOOK_BACK = 20  # blocks before a mark
_MOST = 1_000_000  # digests, some four million tokens of different prompts
_LIVES: dict[Mark, float] = {"5m": 300.0, "1h": 3600.0}
_OPENAI_LIFE = 1800.0
_GEMINI_LIFE = 3600.0
_SHORTEST = 1024

# Anthropic's shortest prefixes by the model's name, first match; PROVIDERS.md has the table.
_ANTHROPIC_SHORTEST: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(pattern), tokens)
    for pattern, tokens in (
        (r"opus-4-7", 2048),
        (r"opus-4-[56]|haiku-4-5", 4096),
        (r"sonnet-5(?!-\d(?!\d))|sonnet-4-[56]|opus-4-8", 1024),
        (r"(?:opus|sonnet|haiku|fable)-5", 512),
    )
)
_GPT = re.compile(r"gpt-(\d+)(?:\.(\d+))?")


class Block(msgspec.Struct, frozen=True):
    """A part of a prompt that a mark may end."""

    text: str
    mark: Mark | None = None


class Seen(msgspec.Struct, frozen=True):
    """A call's usage with what the cache had of its prompt, and what is to be kept of it:
    digests and for how many seconds."""

    usage: Usage | None
    keep: tuple[tuple[bytes, float], ...] = ()


class PrefixCache:
    """What a provider's prompt caches hold. ``clock`` gives seconds that only grow.

    It holds ``most`` digests: beyond, those go that were not asked for longest, of one prompt its
    end before its beginning.
    """

    def __init__(self, clock: Clock = time.monotonic, most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        # Until when, and its life. A plain dict finds its first item slowly once many are gone.
        self._kept: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def look(
        self, protocol: ProtocolName, model: str, request: Request, usage: Usage | None
    ) -> Seen:
        """Return what the call costs with the cache. Nothing changes where no tokens are known."""
        if usage is None or not usage.input_tokens:
            return Seen(usage)
        prompt = _Prompt(f"{protocol}/{model}", tuple(_blocks(request)), usage.input_tokens)
        match protocol:
            case "anthropic":
                return self._marked(prompt, usage, _anthropic_shortest(model))
            case "gemini":
                shortest = 4096 if "pro" in model else _SHORTEST
                cached, keep = self._automatic(prompt, shortest, 1, _GEMINI_LIFE)
                return Seen(_with(usage, cached), keep)
            case "openai":
                cached, keep = self._automatic(prompt, _SHORTEST, _STEP, _OPENAI_LIFE)
                length = _floor(usage.input_tokens, _STEP, _SHORTEST)
                written = length - cached if _writes_cost(model) else 0
                return Seen(_with(usage, cached, written), keep)

    def keep(self, seen: Seen) -> None:
        """Keep a call's prompt, whose answer begins."""
        now, kept = self._clock(), self._kept
        for digest, life in reversed(seen.keep):
            until, longest = kept.get(digest, (0.0, 0.0))
            kept[digest] = (max(now + life, until), max(life, longest))
            kept.move_to_end(digest)
            if len(kept) > self._most:
                kept.popitem(last=False)

    def __len__(self) -> int:
        """How many digests it holds."""
        return len(self._kept)

    def _life(self, digest: bytes) -> float | None:
        """Return the life of what is kept under this digest, None where it is not kept."""
        until, life = self._kept.get(digest, (0.0, 0.0))
        return life if until > self._clock() else None

    def _automatic(
        self, prompt: _Prompt, shortest: int, step: int, life: float
    ) -> tuple[int, tuple[tuple[bytes, float], ...]]:
        digests = prompt.grains()
        known = 0
        while known < len(digests) and self._life(digests[known]) is not None:
            known += 1
        cached = _floor(prompt.tokens_of_grains(known), step, shortest) if known else 0
        long_enough = prompt.tokens >= shortest
        return cached, tuple((digest, life) for digest in digests) if long_enough else ()

    def _marked(self, prompt: _Prompt, usage: Usage, shortest: int) -> Seen:
        marks = [(at, b.mark) for at, b in enumerate(prompt.blocks) if b.mark is not None]
        if not marks:
            return Seen(usage)
        digests, ends = prompt.digests(), prompt.ends()
        cached, keep = 0, list[tuple[bytes, float]]()
        for at, _ in marks:
            for back in range(at, max(-1, at - _LOOK_BACK - 1), -1):
                if (life := self._life(digests[back])) is not None:
                    cached = max(cached, ends[back])
                    keep.append((digests[back], life))
                    break
        written = [(at, mark) for at, mark in marks if ends[at] >= shortest]
        keep += ((digests[at], _LIVES[mark]) for at, mark in written)
        until = max((ends[at] for at, _ in written), default=0)
        hour = max((ends[at] for at, mark in written if mark == "1h"), default=0)
        usage = _with(usage, cached, max(0, until - cached), max(0, hour - cached))
        return Seen(usage, tuple(keep))


class _Prompt:
    """A prompt's blocks, their digests one after the other, and their tokens."""

    def __init__(self, owner: str, blocks: tuple[Block, ...], tokens: int) -> None:
        self.blocks = blocks
        self.tokens = tokens
        self._owner = owner.encode()
        self._text = "".join(block.text for block in blocks)

    def digests(self) -> list[bytes]:
        """The digest of all up to each block."""
        return list(self._chain(block.text for block in self.blocks))

    def ends(self) -> list[int]:
        """How many tokens there are up to each block's end."""
        sums = list(accumulate(count(block.text) for block in self.blocks))
        return [each * self.tokens // max(1, sums[-1]) for each in sums]

    def grains(self) -> list[bytes]:
        """The digest of all up to each grain's end; the last grain may be shorter."""
        starts = range(0, len(self._text), _GRAIN)
        return list(self._chain(self._text[at : at + _GRAIN] for at in starts))

    def tokens_of_grains(self, grains: int) -> int:
        """How many tokens the first so many grains are."""
        part = count(self._text[: grains * _GRAIN])
        return min(self.tokens, part * self.tokens // max(1, count(self._text)))

    def _chain(self, texts: Iterator[str]) -> Iterator[bytes]:
        digest = blake2b(self._owner, digest_size=16)
        for text in texts:
            digest.update(b"%d:" % len(text) + text.encode("utf-8", "surrogatepass"))
            yield digest.digest()


def _blocks(request: Request) -> Iterator[Block]:
    """The prompt in the order in which providers read it: tools, system, messages."""
    for tool in request.tools:
        schema = (tool.parameters or b"").decode("utf-8", "replace")
        yield Block(f"\ntool {tool.name} {tool.description or ''} {schema}", tool.mark)
    ordered = sorted(request.messages, key=lambda m: m.role not in ("system", "developer"))
    for message in ordered:
        parts: tuple[Text | Image, ...]
        if isinstance(message.content, tuple):
            parts = message.content
        else:
            parts = (Text(message.content, message.mark),) if message.content else ()
        for part in parts:
            said = part.text if isinstance(part, Text) else _name(part)
            yield Block(f"\n{message.role} {said}", part.mark)
        for call in message.tool_calls:
            yield Block(f"\ncall {call.name} {call.arguments}", call.mark)


def _name(image: Image) -> str:
    return blake2b(image.url.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _with(usage: Usage, cached: int, written: int = 0, hour: int = 0) -> Usage:
    return msgspec.structs.replace(
        usage, cached_tokens=cached, cache_write_tokens=written, cache_write_1h_tokens=hour
    )


def _floor(tokens: int, step: int, shortest: int) -> int:
    return tokens // step * step if tokens >= shortest else 0


def _anthropic_shortest(model: str) -> int:
    name = model.replace(".", "-")
    return next((n for pattern, n in _ANTHROPIC_SHORTEST if pattern.search(name)), _SHORTEST)


def _writes_cost(model: str) -> bool:
    version = _GPT.search(model)
    return version is not None and (int(version[1]), int(version[2] or 0)) >= (5, 6)

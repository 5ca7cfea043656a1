"""From the file to frozen tables: names resolved, prices looked up, bars and starts laid out.

What can be decided when the configuration is read is decided here, so that no request pays for
it. Mistakes are collected, not raised: a person wants all of them at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from cascade.config import presets
from cascade.config.endpoints import EndpointMaker
from cascade.config.messages import Place, showable, suggestion, written
from cascade.config.providers import ProviderMaker
from cascade.config.rungs import RungMaker
from cascade.errors import ConfigError
from cascade.money import from_usd
from cascade.types import (
    LEVELS,
    CacheTable,
    Decide,
    Ladder,
    Level,
    Rung,
    ServerTable,
    Tables,
)

if TYPE_CHECKING:
    from cascade.config.schema import File

RESERVED = "auto"
"""What clients ask for to get the default ladder: no ladder and no rung can have this name."""


def compile_file(
    file: File, env: Mapping[str, str], source: str, folder: Path
) -> tuple[Tables | None, list[ConfigError]]:
    """Compile a file whose tables are well formed. Paths in it start at ``folder``.

    Returns:
        The tables, None where there are mistakes; and the mistakes.
    """
    compiler = _Compiler(file, env, folder)
    tables = compiler.tables(source)
    return (None, compiler.mistakes) if compiler.mistakes else (tables, [])


class _Compiler:
    """One compilation: the file, what was made of it so far, and what was wrong with it."""

    def __init__(self, file: File, env: Mapping[str, str], folder: Path) -> None:
        self.file = file
        self.mistakes: list[ConfigError] = []
        providers = ProviderMaker(file, env, folder, self.mistake)
        self._rungs = RungMaker(file, EndpointMaker(file, providers, self.mistake), self.mistake)

    def mistake(self, path: Place, value: object, problem: str, mend: str) -> None:
        self.mistakes.append(ConfigError(written(path), showable(path, value), problem, mend))

    def tables(self, source: str) -> Tables:
        ladders = {name: self._ladder(name) for name in self.file.ladders}
        if "default" not in ladders:
            self.mistake(
                ("ladders",),
                None,
                "there is no ladder named default",
                'Add default = ["PROVIDER/MODEL", …]: it serves requests that name no ladder.',
            )
        for name in self.file.rungs:  # those of no ladder too: their mistakes come early
            self._rungs.make(name, ("rungs", name))
        self._names()
        self._starts()
        return Tables(
            ladders=ladders,
            decide=self._decide(),
            cache=self._cache(),
            server=self._server(),
            source=source,
        )

    def _ladder(self, name: str) -> Ladder:
        listed = self.file.ladders[name]
        rungs: list[Rung] = []
        for at, rung_name in enumerate(listed):
            path: Place = ("ladders", name, at)
            if rung_name in listed[:at]:
                self.mistake(path, rung_name, "this rung stands twice", "Take one of them out.")
            elif (rung := self._rungs.make(rung_name, path)) is not None:
                rungs.append(rung)
        decide, ladder = self.file.decide, tuple(rungs)
        starts = presets.starts(decide.preset, ladder)
        for level, rung_name in self._wanted_starts().items():
            found = [at for at, rung in enumerate(ladder) if rung.name == rung_name]
            starts[level] = found[0] if found else starts[level]
        return Ladder(
            name=name,
            rungs=ladder,
            bars=presets.bars(decide.preset, ladder, decide.when_unsure),
            starts=starts,
            fingerprint=fingerprint(ladder),
        )

    def _names(self) -> None:
        """A model name in a request means one thing only."""
        for table, names in (("ladders", self.file.ladders), ("rungs", self.file.rungs)):
            if RESERVED in names:
                self.mistake(
                    (table, RESERVED), None, "this name means the default ladder", "Choose another."
                )
        for name in self.file.ladders.keys() & self.file.rungs.keys():
            self.mistake(
                ("ladders", name),
                None,
                "a rung has this name too",
                "Give one of them another name.",
            )
        known = {RESERVED, *self.file.ladders, *self._rungs.made}
        for alias, target in self.file.server.aliases.items():
            if target not in known:
                self.mistake(
                    ("server", "aliases", alias),
                    target,
                    "there is no ladder and no rung of this name",
                    suggestion(target, known),
                )

    def _wanted_starts(self) -> dict[Level, str]:
        start = self.file.decide.start
        wanted = {level: getattr(start, level) for level in LEVELS}
        return {level: name for level, name in wanted.items() if name is not None}

    def _starts(self) -> None:
        default = self.file.ladders.get("default", [])
        for level, name in self._wanted_starts().items():
            if default and name not in default:
                self.mistake(
                    ("decide", "start", level),
                    name,
                    "the default ladder has no rung of this name",
                    suggestion(name, default),
                )

    def _decide(self) -> Decide:
        decide = self.file.decide
        return Decide(
            preset=decide.preset,
            delivery=decide.delivery,
            at_the_end=decide.at_the_end,
            deadline=decide.deadline,
            max_cost=None if decide.max_cost is None else from_usd(decide.max_cost),
            min_output=decide.min_output,
            strong_for_tools=frozenset(decide.strong_for_tools),
        )

    def _cache(self) -> CacheTable:
        cache = self.file.cache
        if cache.entry_limit > cache.size:
            self.mistake(
                ("cache", "entry_limit"),
                cache.entry_limit,
                f"one entry would be larger than the whole cache of {cache.size:,} bytes",
                "Write an entry_limit below size.",
            )
        return CacheTable(**cache.model_dump())

    def _server(self) -> ServerTable:
        host, _, port = self.file.server.listen.rpartition(":")
        return ServerTable(
            host=host.strip("[]"), port=int(port), aliases=dict(self.file.server.aliases)
        )


def fingerprint(rungs: tuple[Rung, ...]) -> bytes:
    """Identify rungs by what answers, not by their names: the models and where they are called,
    in order, and the patterns that their answers must match.

    How a model is called is left out: protocol, key, way and weight do not change what it is, and
    what a protocol cannot carry keeps a request away from it.
    """
    parts = [
        ([(endpoint.name, _place(endpoint.base_url)) for endpoint in rung.endpoints], rung.pattern)
        for rung in rungs
    ]
    return hashlib.blake2b(msgspec.msgpack.encode(parts), digest_size=16).digest()


def _place(base_url: str) -> str:
    """Where an endpoint is. On this machine a server's port changes with every start, and what
    the operator calls by one name is one server there."""
    parts = urlsplit(base_url)
    if parts.hostname in ("localhost", "127.0.0.1", "::1"):
        return f"{parts.scheme}://loopback{parts.path}"
    return base_url

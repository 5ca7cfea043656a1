"""Requests and entries to test the cache with."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from cascade.cache.disk import ResponseCache
from cascade.cache.opening import DATABASE
from cascade.cache.rules.entry import Entry
from cascade.types import Complexity, Evidence, Message, Request, Response, ToolCall, Usage

SECRET = bytes(range(32))


def asked(text: str = "Which rivers meet in Koblenz?", **fields: Any) -> Request:
    """A request of one user turn."""
    return Request(messages=(Message(role="user", content=text),), **fields)


def key_of(number: int) -> str:
    """A key that looks like one."""
    return f"{number:032x}"


def entry_of(text: str = "The Rhine and the Moselle.", **fields: Any) -> Entry:
    """An accepted answer that lives for an hour."""
    now = time.time()
    entry = Entry(
        response=Response(
            message=Message(role="assistant", content=text),
            finish_reason="stop",
            model="gpt-small",
            usage=Usage(input_tokens=12, output_tokens=9),
        ),
        rung="small",
        endpoint="openai/gpt-small",
        model="gpt-small",
        basis="rule",
        complexity=Complexity(level="simple"),
        stored_at=now,
        expires_at=now + 3600,
        evidence=Evidence(mean_logprob=-0.05),
    )
    return msgspec.structs.replace(entry, **fields)


def full_entry() -> Entry:
    """An entry that uses every field."""
    return entry_of(
        response=Response(
            message=Message(
                role="assistant",
                content="Ünïcode 🦊",
                tool_calls=(ToolCall(id="call_1", name="look", arguments='{"a": 1}'),),
            ),
            finish_reason="stop",
            model="gpt-small-2026",
            id="chatcmpl-1",
            created=1_780_000_000,
            usage=Usage(100, 20, 50, 10, 5),
            reasoning="Let me think.",
        ),
        basis="confidence",
        confidence=0.93,
        cost=123_456_789,
        tags=("nightly", "geo"),
    )


def opened(
    directory: Path, size: int = 50_000_000, secret: bytes = SECRET, entry_limit: int = 1_000_000
) -> ResponseCache:
    """A cache of a directory."""
    return ResponseCache(directory, size=size, secret=secret, entry_limit=entry_limit)


def execute(directory: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Do something to the database behind the cache's back."""
    with closing(sqlite3.connect(directory / DATABASE)) as connection, connection:
        return connection.execute(statement, values).fetchall()

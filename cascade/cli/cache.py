"""``cascade cache``: look into the response cache and clear it, also while a server uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascade.cli.options import AsJson
from cascade.cli.output import console, print_json, print_text, say

if TYPE_CHECKING:
    from cascade.cache.inspection import Listed
    from cascade.cache.rules.entry import Codec

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Look into the response cache, or clear it."
)

Key = Annotated[str, typer.Argument(metavar="KEY", help="The key, or how it begins.")]


@app.command()
def stats(as_json: AsJson = False) -> None:
    """Count the entries and their bytes."""
    from cascade.cache.inspection import stats as count

    directory = _directory()
    with _readable(directory):
        found = count(directory)
    if as_json:
        print_json(found)
        return
    text = f"{found.entries:,} entries, {found.bytes:,} bytes on disk"
    if found.oldest is not None and found.newest is not None:
        text += f", the oldest from {_when(found.oldest)}, the latest from {_when(found.newest)}"
    print_text(f"{text}\n")


@app.command(name="list")
def list_(
    limit: Annotated[
        int, typer.Option(metavar="N", min=0, help="The latest N entries; 0 shows all.")
    ] = 100,
    as_json: AsJson = False,
) -> None:
    """List the entries, the latest first."""
    from rich.table import Table

    from cascade.cache.inspection import listing

    directory = _directory()
    codec = _codec(directory)
    with _readable(directory):
        rows = list(listing(directory, codec, limit or None)) if codec else []
    if as_json:
        print_json({"entries": [_row(row) for row in rows]})
        return
    table = Table("key", "model", "rung", "basis", "stored", "bytes", "tags", box=None)
    for row in rows:
        entry = row.entry
        described = (
            ("damaged", "", "", "")
            if entry is None
            else (entry.model, entry.rung, entry.basis, ", ".join(entry.tags))
        )
        model, rung, basis, tags = described
        table.add_row(row.key, model, rung, basis, _when(row.stored_at), f"{row.bytes:,}", tags)
    console().print(table)


@app.command()
def show(key: Key, as_json: AsJson = False) -> None:
    """Show one entry."""
    from cascade.cache.inspection import find
    from cascade.errors import CascadeError

    directory = _directory()
    codec = _codec(directory)
    with _readable(directory):
        found = find(directory, codec, key) if codec else None
    if found is None:
        raise CascadeError(f"No entry has the key {key}. See cascade cache list.")
    row = _row(found)
    if as_json:
        print_json(row)
        return
    text = row.pop("text", None)
    for name, value in row.items():
        print_text(f"{name:<14} {_shown(name, value)}\n")
    if text is not None:
        print_text(f"\n{text}\n")


@app.command()
def evict(
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The entry of this key, written in full.")
    ] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Entries with this tag.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Entries this model answered.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="TIME", help='Entries stored longer ago, such as "7 d".')
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All entries.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove entries; where several options are given, all of them must hold."""
    from cascade.cache.inspection import Selection, delete
    from cascade.errors import RequestError

    directory = _directory()
    if (key, tag, model, older_than) == (None, None, None, None) and not everything:
        raise RequestError(
            "evict", None, "nothing is selected", "Give --key, --tag, --model, --older-than, --all."
        )
    selection = Selection(
        key=key,
        tag=tag,
        model=model,
        stored_before=None if older_than is None else _before(older_than),
        everything=everything,
    )
    with _readable(directory):
        evicted = delete(directory, selection)
    if as_json:
        print_json({"evicted": evicted})
    else:
        print_text(f"{evicted:,} entries went\n")


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Check every entry; exit status 1 if any is damaged."""
    from cascade.cache.inspection import verify as damaged_rows

    directory = _directory()
    codec = _codec(directory)
    with _readable(directory):
        damaged = damaged_rows(directory, codec) if codec else []
    if as_json:
        print_json({"damaged": damaged})
    else:
        print_text("".join(f"damaged: {key}\n" for key in damaged) or "Nothing is damaged.\n")
    if damaged:
        say(_what_to_do(damaged))
        raise typer.Exit(1)


def _what_to_do(damaged: list[str]) -> str:
    from cascade.cache.opening import ASIDE, DATABASE

    advice = []
    if any(key != DATABASE for key in damaged):
        advice.append(
            "Damaged entries are never served. Remove them: cascade cache evict --key KEY"
        )
    if DATABASE in damaged:
        advice.append(
            f"{DATABASE} itself cannot be read. There is nothing to do: the next opening sets the "
            f"file aside as {ASIDE}, or completes it where tables are missing"
        )
    return "\n".join(advice)


def _directory() -> Path:
    from cascade.config.places import data_dir

    directory = data_dir() / "cache"
    say(f"Cache: {directory}")
    return directory


def _codec(directory: Path) -> Codec | None:
    """What reads the entries; None where there is no cache yet."""
    from cascade.cache.opening import DATABASE
    from cascade.cache.rules.entry import Codec
    from cascade.cache.secret import load_secret

    return Codec(load_secret(directory.parent)) if (directory / DATABASE).exists() else None


@contextmanager
def _readable(directory: Path) -> Iterator[None]:
    """Turn what a damaged file raises into words."""
    import sqlite3

    from cascade.errors import CascadeError

    try:
        yield
    except sqlite3.DatabaseError as error:
        raise CascadeError(
            f"{directory}: the cache cannot be read or written: {error}. "
            "See cascade cache verify; what is damaged is never served."
        ) from error


def _before(text: str) -> float:
    """The unix time before which an entry is older than this."""
    import time

    from cascade.config.quantities import duration
    from cascade.errors import RequestError

    try:
        return time.time() - duration(text)
    except ValueError as error:
        mend = f"{str(error)[:1].upper()}{str(error)[1:]}."
        raise RequestError("--older-than", text, "it is no duration", mend) from None


def _row(row: Listed) -> dict[str, Any]:
    """A row as ``--json`` prints it: times in unix seconds."""
    from cascade.money import to_usd

    told: dict[str, Any] = {
        "key": row.key,
        "bytes": row.bytes,
        "stored_at": row.stored_at,
        "damaged": row.entry is None,
    }
    if (entry := row.entry) is None:
        return told
    return told | {
        "expires_at": entry.expires_at,
        "model": entry.model,
        "endpoint": entry.endpoint,
        "rung": entry.rung,
        "basis": entry.basis,
        "confidence": entry.confidence,
        "cost_usd": None if entry.cost is None else to_usd(entry.cost),
        "tags": entry.tags,
        "text": entry.response.message.text,
    }


def _shown(name: str, value: object) -> str:
    if value is None:
        return "not known"
    if name.endswith("_at") and isinstance(value, float):
        return _when(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _when(at: float) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")

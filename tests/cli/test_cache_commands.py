"""``cascade cache``: look into it and clear it, also while a server uses it."""

from __future__ import annotations

import json
import sqlite3
import urllib.request
from contextlib import closing

from tests.cli.commands import CAPITAL, COMPARE, Place, Run, listening


def test_a_cache_that_is_not_there_is_empty(place: Place, run: Run) -> None:
    assert run("cache", "stats", "--json").json["entries"] == 0
    assert run("cache", "list", "--json").json == {"entries": []}
    assert run("cache", "verify").status == 0
    assert not (place.path / "data").exists()


def test_entries_are_listed_shown_evicted_and_verified_while_a_server_runs(
    configured: Place, run: Run
) -> None:
    with listening(configured, "serve", "--port", "0") as (ready, _):
        for prompt in (CAPITAL, COMPARE):
            message = {"role": "user", "content": prompt}
            body = json.dumps({"model": "auto", "messages": [message]}).encode()
            address = f"{ready['url']}/v1/chat/completions"
            with urllib.request.urlopen(urllib.request.Request(address, body)) as response:
                assert response.headers["x-cascade-cache"] == "miss"
        run("warm", "-", "--json")  # no such file: nothing is changed by it
        listed = run("cache", "list", "--json").json["entries"]
        assert {entry["model"] for entry in listed} == {"cheap", "strong"}
        entry = next(entry for entry in listed if entry["model"] == "cheap")
        shown = run("cache", "show", entry["key"][:8], "--json").json
        assert shown == entry
        assert shown["text"] == "Paris."
        assert "Paris." in run("cache", "show", entry["key"]).out
        assert run("cache", "stats", "--json").json["entries"] == 2
        assert run("cache", "verify").status == 0
        gone = run("cache", "evict", "--model", "strong", "--json").json
        assert gone == {"evicted": 1}
        assert run("cache", "evict", "--older-than", "1 d", "--json").json["evicted"] == 0
        assert run("cache", "evict", "--key", entry["key"], "--json").json["evicted"] == 1
        assert run("ask", CAPITAL, "--json").json["cache"] == "miss"


def test_what_is_damaged_is_named(configured: Place, run: Run) -> None:
    run("ask", CAPITAL)
    with closing(sqlite3.connect(configured.path / "data/cache/cache.db")) as rows, rows:
        rows.execute("UPDATE Cache SET value = x'00'")
    ran = run("cache", "verify", "--json")
    assert ran.status == 1
    assert len(ran.json["damaged"]) == 1
    assert "damaged" in run("cache", "list").out
    assert run("cache", "evict", "--all", "--json").json == {"evicted": 1}


def test_evict_wants_to_know_what(place: Place, run: Run) -> None:
    ran = run("cache", "evict")
    assert ran.status == 2
    assert "--key, --tag, --model, --older-than, --all" in ran.err
    assert "12 h" in run("cache", "evict", "--older-than", "long").err
    assert run("cache", "show", "ff").status == 1


def test_of_a_database_that_cannot_be_read_verify_says_what_becomes_of_it(
    configured: Place, run: Run
) -> None:
    run("ask", CAPITAL)
    database = configured.path / "data/cache/cache.db"
    for ending in ("-wal", "-shm"):
        database.with_name(f"cache.db{ending}").unlink(missing_ok=True)
    database.write_bytes(b"no database at all" * 1_000)
    ran = run("cache", "verify")
    assert (ran.status, ran.out) == (1, "damaged: cache.db\n")
    assert "the next opening sets the file aside as damaged.db" in ran.err
    assert "evict" not in ran.err
    assert run("ask", CAPITAL, "--json").json["cache"] == "miss"
    assert run("cache", "verify").status == 0
    assert database.with_name("damaged.db").exists()


def test_a_half_made_database_is_completed_by_the_next_opening(configured: Place, run: Run) -> None:
    run("ask", CAPITAL)
    with closing(sqlite3.connect(configured.path / "data/cache/cache.db")) as rows, rows:
        rows.execute("DROP TABLE Cache")
    ran = run("cache", "verify")
    assert (ran.status, ran.out) == (1, "damaged: cache.db\n")
    assert "or completes it where tables are missing" in ran.err
    assert run("ask", CAPITAL, "--json").json["cache"] == "miss"
    assert run("cache", "verify").status == 0

"""A process that writes entries until it is killed, and says which are on the disk."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cache.entries import entry_of, key_of, opened

FLUSH_EVERY = 40


def text_of(number: int) -> str:
    """What the entry of this number says: of many lengths, so that rows span pages."""
    return f"{number} " * (1 + number * 37 % 900)


def main(directory: str, first: str) -> None:
    """Write entries from ``first`` on, for ever."""
    cache = opened(Path(directory))
    number = int(first)
    while True:
        cache.put(key_of(number), entry_of(text_of(number), tags=("t",)))
        number += 1
        if number % FLUSH_EVERY == 0:
            cache.flush()
            print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

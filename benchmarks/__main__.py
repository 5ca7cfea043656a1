"""``python -m benchmarks``: run benchmarks, print their table."""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks import faults, recording
from benchmarks.children import ChildError, spare_proxies
from benchmarks.figures import Figure, as_json, table
from benchmarks.setting import Setting
from cascade import CascadeError

NAMES = ("exact_hit", "exact_hit_server", "miss", "stream", "step", "start")


def main(arguments: list[str]) -> int:
    """Run what the arguments name, all of them if none; return the exit status."""
    spare_proxies()
    if arguments[:1] == ["recording"]:
        return recording.main(arguments[1:])
    if arguments[:1] == ["faults"]:
        return faults.main(arguments[1:])
    parser = _parser()
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in NAMES]:
        parser.error(f"{', '.join(unknown)}: choose among {', '.join(NAMES)}, recording or faults")
    figures: list[Figure] = []
    failed = False
    for name in given.names or NAMES:
        print(f"{name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="cascade-benchmark-") as folder:
            rounds = given.rounds or (1 if given.quick else 7)
            setting = Setting(Path(folder), rounds, given.quick, given.profile)
            try:
                figures += importlib.import_module(f"benchmarks.{name}").measure(setting)
            except (ChildError, CascadeError, OSError, ValueError) as error:
                print(f"{name}: {error}", file=sys.stderr)  # the others' figures are not lost
                failed = True
    if given.quick:
        print("A handful of requests each: this shows that all runs, the figures mean nothing.")
    print(table(figures))
    if given.json:
        report = {"python": platform.python_version(), "figures": as_json(figures)}
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--quick", action="store_true", help="a handful of requests, no figures")
    parser.add_argument("--rounds", type=int, help="how often each path is run")
    parser.add_argument("--profile", action="store_true", help="show where the CPU goes")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The command itself: quick to start, and the same by both of its names."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

from cascade.cli import main
from tests.cli.commands import Place

SLOW_TO_IMPORT = {"asyncio", "aiohttp", "httpx", "pydantic", "rich", "genai_prices", "sqlite3"}

HELP = """
import sys
from cascade.cli import main
sys.argv = ["cascade", "--help"]
try:
    main()
except SystemExit as end:
    print(end.code, *sys.modules, file=sys.stderr)
"""


def test_help_imports_nothing_that_takes_long() -> None:
    ran = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)
    status, *modules = ran.stderr.split()
    assert status == "0"
    assert not SLOW_TO_IMPORT & set(modules)
    for name in ("init", "check", "ask", "warm", "serve", "emulate", "demo", "cache"):
        assert f"\n  {name} " in ran.stdout


def test_the_console_script_is_main() -> None:
    (script,) = entry_points(group="console_scripts", name="cascade")
    assert script.value == "cascade.cli:main"
    assert script.load() is main


def test_without_arguments_it_shows_its_help(place: Place) -> None:
    ran = place.run()
    assert ran.status == 2
    assert "Usage: cascade" in ran.out + ran.err


def test_the_version_is_the_package_s(place: Place) -> None:
    assert place.run("--version").out.startswith("cascade-engine 0")

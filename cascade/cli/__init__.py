"""The command line: one file for each group of commands.

With ``--json`` a command prints one JSON object on standard output and nothing else there;
progress and messages go to standard error. Exit status: 0 done, 1 failed with a message, 2 wrong
usage or configuration, 130 interrupted.

What a command needs is imported when it runs, so that ``cascade --help`` stays quick.
"""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command that the arguments name, and exit with its status."""
    sys.exit(_status())


def _status() -> int:
    try:
        from cascade.cli.running import run

        return run()
    except KeyboardInterrupt:  # before the command began, or while it was ending
        return 130

"""Run the application, and turn what went wrong into one message and an exit status."""

from __future__ import annotations

import io
import os
import sys

from cascade.cli.app import app
from cascade.cli.output import say
from cascade.errors import CascadeError, Mistake

# httpx has a command line of its own and would import it: rich and click, 0.08 s. This process has
# no use for it, and httpx does without where it is missing.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

DONE, FAILED, WRONG = 0, 1, 2


def run() -> int:
    """Run the command in ``sys.argv`` and return its exit status.

    Usage errors and Ctrl-C end in the ``SystemExit`` of the application itself.
    """
    for stream in (sys.stdout, sys.stderr):  # an answer may hold what a terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app(prog_name="cascade")
    except Mistake as error:
        say(f"Error: {error}")
        return WRONG
    except CascadeError as error:
        say(f"Error: {error}")
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:  # the disk is full, a folder may not be written, and their like
        where = f"{error.filename}: " if error.filename else ""
        say(f"Error: {where}{error.strerror or error}")
        return FAILED
    return DONE

"""cascade's log: structured events on the standard ``cascade`` logger.

A library prints nothing: without a handler of the application's, what is logged goes nowhere.
"""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def logger(room: str) -> Any:
    """Return the structlog logger ``cascade.ROOM``. It imports structlog: call it when needed."""
    import logging

    import structlog

    logging.getLogger("cascade").addHandler(logging.NullHandler())
    return structlog.wrap_logger(
        logging.getLogger(f"cascade.{room}"),
        processors=[_render],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def log_to_stderr() -> None:
    """Show what is logged, warnings and worse, on standard error: for the commands."""
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


def _render(_: Any, __: str, event: Any) -> tuple[tuple[str], dict[str, Any]]:
    """Words and pairs in one line; the standard library's handlers write the trace."""
    exc_info = event.pop("exc_info", None)
    words = event.pop("event")
    pairs = "".join(f" {name}={value}" for name, value in event.items())
    return (f"{words}{pairs}",), {"exc_info": exc_info}

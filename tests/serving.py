"""Serve an application on loopback from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cascade.listen import Application, Listener


@contextmanager
def running(app: Application, *, lifespan: bool = False) -> Iterator[str]:
    """Serve on a free port while the block runs; gives the URL, without ``/v1``.

    The port listens from the start, so nothing has to wait for the thread.
    """
    listener = Listener(app, lifespan=lifespan, grace=1)
    thread = threading.Thread(target=listener.run, name="serving")
    thread.start()
    try:
        yield listener.url
    finally:
        listener.stop()
        thread.join()

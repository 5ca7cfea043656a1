"""The two faces of the library: ``AsyncCascade`` and ``Cascade``."""

from cascade.client.aio import AsyncCascade, AsyncStream
from cascade.client.sync import Cascade, Stream

__all__ = ["AsyncCascade", "AsyncStream", "Cascade", "Stream"]

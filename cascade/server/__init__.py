"""The cascade behind OpenAI's protocol: a raw ASGI application.

``POST /v1/chat/completions`` whole and streamed, ``GET /v1/models`` and ``/v1/models/NAME``,
``GET /health/liveness`` and ``/health/readiness``. Serve it with ``cascade.listen`` and
``lifespan=True``; it opens the cascade at the start and closes it at the end.
"""

from cascade.server.app import Server

__all__ = ["Server"]

"""The cascade behind OpenAI's, Anthropic's and Gemini's protocol: a raw ASGI application.

Whichever protocol a client speaks, any provider may answer. ``routes`` says what is served where.
Serve it with ``cascade.listen`` and ``lifespan=True``; it opens the cascade at the start and closes
it at the end.
"""

from cascade.server.app import Server

__all__ = ["Server"]

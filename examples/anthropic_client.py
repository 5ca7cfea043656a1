"""The official Anthropic client against ``cascade serve``: only its base URL changes.

::

    cascade serve &
    ANTHROPIC_BASE_URL=http://127.0.0.1:8700 python examples/anthropic_client.py
"""

from __future__ import annotations

import os

from anthropic import Anthropic

DESK = "You answer questions at the help desk of a library. Answer in one short sentence."


def main() -> None:
    """Ask for a whole answer; then for a stream."""
    client = Anthropic(
        base_url=os.environ.get("ANTHROPIC_BASE_URL", "http://127.0.0.1:8700"),
        api_key=os.environ.get("ANTHROPIC_API_KEY", "none"),
    )
    message = client.messages.create(
        model="auto",
        max_tokens=200,
        system=DESK,
        messages=[{"role": "user", "content": "What is the capital of France?"}],
    )
    print("".join(block.text for block in message.content if block.type == "text"))

    with client.messages.stream(
        model="auto",
        max_tokens=200,
        system=DESK,
        messages=[
            {"role": "user", "content": "Who painted the ceiling of the Sistine Chapel?"},
        ],
    ) as stream:
        for text in stream.text_stream:
            print(text, end="", flush=True)
    print()


if __name__ == "__main__":
    main()

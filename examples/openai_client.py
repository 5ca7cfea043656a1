"""The official OpenAI client against ``cascade serve``: only its base URL changes.

::

    cascade serve &
    OPENAI_BASE_URL=http://127.0.0.1:8700/v1 python examples/openai_client.py
"""

from __future__ import annotations

import os

from openai import OpenAI

DESK = "You answer questions at the help desk of a library. Answer in one short sentence."


def main() -> None:
    """Ask for a whole answer, with a cap; then for a stream."""
    client = OpenAI(
        base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8700/v1"),
        api_key=os.environ.get("OPENAI_API_KEY", "none"),
    )
    raw = client.chat.completions.with_raw_response.create(
        model="auto",
        messages=[
            {"role": "system", "content": DESK},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        extra_body={"cascade": {"max_cost": 0.01}},
    )
    print(raw.parse().choices[0].message.content)
    print("answered by", raw.headers["x-cascade-rung"], "cost $", raw.headers["x-cascade-cost-usd"])

    stream = client.chat.completions.create(
        model="auto",
        messages=[
            {"role": "system", "content": DESK},
            {"role": "user", "content": "Who painted the ceiling of the Sistine Chapel?"},
        ],
        stream=True,
    )
    for chunk in stream:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    print()


if __name__ == "__main__":
    main()

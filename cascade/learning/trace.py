"""The one reader of recordings: real requests with the recorded answers of real models.

A recording (format version 1) is a file of JSON lines, plain or gzip-compressed. Each line is a
row: one request, and what each model answered to it::

    {"id": "mmlu-17", "dataset": "mmlu", "system": "…", "prompt": "…", "gold": "B",
     "answers": {"gpt-4o-mini": {"text": "B", "final": "B", "score": 1.0,
                                 "input_tokens": 140, "output_tokens": 1, "cost_usd": 2.16e-5,
                                 "latency_s": 0.59, "mean_logprob": -0.016}}}

More of a row, where there is more:

``messages``
    The conversation as OpenAI has it. Where it ends with a user's turn or a tool's result it is
    whole, and ``prompt`` says nothing new; else the prompt is the turn that follows.
``tools`` (or ``functions``, ``function``)
    The tools that were offered: OpenAI's shape, or bare functions ``{"name", "description",
    "parameters"}`` as BFCL lists them, whose types ``dict``, ``float``, ``tuple`` and so on are
    read as JSON Schema's.

More of an answer:

``tool_calls``
    OpenAI's shape, ``{"name", "arguments"}``, or BFCL's ``{"NAME": {"ARGUMENT": value}}``.
    Arguments as text stay as the model wrote them. ``text`` may be absent beside them.
``reasoning`` (or ``reasoning_content``, ``thinking``), ``reasoning_tokens``
    What the model thought before it answered; the tokens are a part of ``output_tokens``. One may
    be there without the other.
``finish_reason``
    Any provider's word for it; it is needed only where it is neither ``stop`` nor ``tool_calls``.
``logprobs``
    Of the tokens of ``text``: OpenAI's list of ``{"token", "logprob", "top_logprobs"}``, or plain
    numbers, with the list of ``tokens`` beside them or else spread evenly over the text.

A field that is absent, or null, was not measured: it is None here and nothing is guessed in its
place. Fields that this version does not know are passed over. ``gold`` and ``final`` are texts;
other values are kept as their JSON. Empty lines are skipped. The one thing beyond JSON that a line
may hold is ``-Infinity``, the logarithm of a probability of 0.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from cascade.errors import EmulatorError, Mistake
from cascade.learning.rows import Conversation, RecordedAnswer, Row, Sample, conversation
from cascade.learning.shapes import RowShape, row_of
from cascade.types import Message

__all__ = ["RecordedAnswer", "Recording", "Row", "Sample", "read_trace"]

_GZIP_MAGIC = b"\x1f\x8b"
_MEND = "Each line is a JSON object with `prompt` and `answers`; each answer has its `text`."

_DECODER = msgspec.json.Decoder(RowShape)


class Recording:
    """A recording in memory.

    Attributes:
        rows: all rows, in the file's order.
        models: every model that answered any row, in order of first appearance.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = tuple(rows)
        self.models = tuple(dict.fromkeys(name for row in self.rows for name in row.answers))
        self._said: dict[Conversation, list[Row]] = {}
        for row in self.rows:
            self._said.setdefault(conversation(row.turns), []).append(row)

    def said(self, messages: Iterable[Message]) -> tuple[Row, ...]:
        """Return the rows of exactly this conversation, in the file's order.

        Rows that differ in the offered tools alone are several.
        """
        return tuple(self._said.get(conversation(messages), ()))


def read_trace(path: Path) -> Recording:
    """Read a recording.

    Raises:
        EmulatorError: the file cannot be read, a line is not a row of format version 1, or there
            is no answer in it. The message names the file, the line and what would mend it.
    """
    rows = tuple(_rows(path, _content(path)))
    if not any(row.answers for row in rows):
        raise EmulatorError(f"{path}: there is no recorded answer in it. {_MEND}")
    return Recording(rows)


def _content(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise EmulatorError(
            f"{path}: cannot be read ({reason}). Name a file of recorded answers, .jsonl or "
            ".jsonl.gz."
        ) from error
    if not raw.startswith(_GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise EmulatorError(
            f"{path}: the compressed file is damaged ({error}). Fetch it again, or give it "
            "uncompressed."
        ) from error


def _rows(path: Path, content: bytes) -> Iterator[Row]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            yield row_of(_shape(line))
        except Mistake as mistake:  # it has its own mend
            raise EmulatorError(f"{path}, line {number}: {mistake}.") from mistake
        except ValueError as error:  # msgspec's, json's and those of the text's encoding
            raise EmulatorError(f"{path}, line {number}: {error}. {_MEND}") from error


def _shape(line: bytes) -> RowShape:
    try:
        return _DECODER.decode(line)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Python's reader knows -Infinity; it is slower, and few lines need it.
        return msgspec.convert(json.loads(line, parse_constant=_constant), RowShape)


def _constant(name: str) -> float:
    if name == "-Infinity":
        return -math.inf
    raise ValueError(f"{name} is not a measurement")

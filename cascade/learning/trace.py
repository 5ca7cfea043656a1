"""The one reader of recordings: real prompts with the recorded answers of real models.

A recording (format version 1) is a file of JSON lines, plain or gzip-compressed. Each line is a
row: one prompt, and what each model answered to it::

    {"id": "mmlu-17", "dataset": "mmlu", "system": "…", "prompt": "…", "gold": "B",
     "answers": {"gpt-4o-mini": {"text": "B", "final": "B", "score": 1.0,
                                 "input_tokens": 140, "output_tokens": 1, "cost_usd": 2.16e-5,
                                 "latency_s": 0.59, "mean_logprob": -0.016}}}

A field that is absent, or null, was not measured: it is None here and nothing is guessed in its
place. Fields that this version does not know are passed over. Empty lines are skipped. The one
thing beyond JSON that a line may hold is ``-Infinity``, the logarithm of a probability of 0.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from cascade.errors import EmulatorError
from cascade.types import FinishReason

Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Dollars = Annotated[float, msgspec.Meta(ge=0)]
Score = Annotated[float, msgspec.Meta(ge=0, le=1)]

_GZIP_MAGIC = b"\x1f\x8b"
_MEND = "Each line is a JSON object with `prompt` and `answers`; each answer has its `text`."


# gc=False: these never form cycles, and a recording has tens of thousands of them.
class Sample(msgspec.Struct, frozen=True, gc=False):
    """A further answer, drawn at a temperature above 0."""

    text: str
    final: str | None = None


class RecordedAnswer(msgspec.Struct, frozen=True, gc=False):
    """What one model answered, and what was measured then.

    ``final`` is the answer extracted from ``text``; ``score`` (0 to 1) is how the source graded
    it; ``finish_reason`` is there where it was not ``stop``. Tokens, ``cost_usd`` (US dollars) and
    ``latency_s`` (seconds) are of the answering call. ``mean_logprob`` is the mean log-probability
    of the answer's tokens, ``p_true_logprob`` that of "true" in a second call that asked the model
    about its own answer; natural logarithms.
    """

    text: str
    final: str | None = None
    score: Score | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cost_usd: Dollars | None = None
    latency_s: Seconds | None = None
    mean_logprob: float | None = None
    p_true_logprob: float | None = None
    p_true_cost_usd: Dollars | None = None
    finish_reason: FinishReason | None = None
    samples: tuple[Sample, ...] = ()


class Row(msgspec.Struct, frozen=True, gc=False):
    """One prompt with the answers to it, by model. ``gold`` is the source's own answer."""

    prompt: str
    answers: dict[str, RecordedAnswer]
    id: str = ""
    dataset: str = ""
    system: str | None = None
    gold: str | None = None


_DECODER = msgspec.json.Decoder(Row)


class Recording:
    """A recording in memory.

    Attributes:
        rows: all rows, in the file's order.
        models: every model that answered any row, in order of first appearance.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = tuple(rows)
        self.models = tuple(dict.fromkeys(name for row in self.rows for name in row.answers))
        self._by_request: dict[tuple[str, str], Row] = {}
        for row in self.rows:
            self._by_request.setdefault((row.system or "", row.prompt), row)

    def find(self, system: str | None, prompt: str) -> Row | None:
        """Return the row of exactly this system prompt and prompt, None where there is none.

        An empty system prompt is the same as none. Where several rows are of one request, the
        first in the file answers for all of them.
        """
        return self._by_request.get((system or "", prompt))


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
            yield _row(line)
        except ValueError as error:  # msgspec's, json's and those of the text's encoding
            raise EmulatorError(f"{path}, line {number}: {error}. {_MEND}") from error


def _row(line: bytes) -> Row:
    try:
        return _DECODER.decode(line)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Python's reader knows -Infinity; it is slower, and few lines need it.
        return msgspec.convert(json.loads(line, parse_constant=_constant), Row)


def _constant(name: str) -> float:
    if name == "-Infinity":
        return -math.inf
    raise ValueError(f"{name} is not a measurement")
